"""Hours and bytes of what is to be made: by finished artefacts of the same stage, else by stated defaults."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

from hrtem_ood.campaign.campaign import artefact
from hrtem_ood.planning.known import Known
from hrtem_ood.planning.work import Work, Works

Kind = Literal["cpu", "gpu"]

SECONDS: dict[str, dict[Kind, float]] = {
    "structures": {"cpu": 2.3e-7},
    "exit_waves": {"cpu": 2.0e-8},
    "datasets": {"cpu": 1.4e-7},
    "networks": {"cpu": 1.8e-11, "gpu": 2e-14},
    "evaluations": {"cpu": 1.8e-11, "gpu": 2e-14},
    "transfer": {"cpu": 1.0e-7},
}
"""Seconds per unit of :attr:`Work.amount`, where no artefact tells.

On a CPU: as measured on the laptop study's CdSe scenes (51.2 Å, PyTorch 2.13.0) on one core of an AMD EPYC.
On a GPU: 5·10¹³ operations per second, assumed as in docs/paper.md, not measured.
"""

BYTES = {
    "structures": 2.9,
    "exit_waves": 1.0,
    "datasets": 0.73,
    "networks": 1.0,
    "evaluations": 1.0,
    "transfer": 0.15,
}
"""Bytes on disk per byte of :attr:`Work.content`, measured on the same scenes."""


class Job(NamedTuple):
    """An artefact to be made.

    Attributes
    ----------
    work : Work or None
    share : float
        Of the work that is not done yet.
    """

    work: Work | None
    share: float = 1.0


@dataclass
class Estimate:
    """What artefacts of a stage will take.

    Attributes
    ----------
    cpu_hours, gpu_hours : float or None, [h]
        Of one core or one GPU. Where both are there, one or the other, as nothing tells which it will be.
    bytes : float, [B]
    finished : int
        Artefacts that the rates are taken from; 0 where defaults are used.
    unknown : int
        Artefacts of which nothing can be told, and which are not counted.
    """

    cpu_hours: float | None = None
    gpu_hours: float | None = None
    bytes: float = 0.0
    finished: int = 0
    unknown: int = 0


class _Rate(NamedTuple):
    device: Kind
    kind: str
    seconds: float
    bytes: float


class Costs:
    """Estimates, by what is known.

    Parameters
    ----------
    known : Known
    results : Path
        The results folder.
    device : {"auto", "cpu", "gpu"}
        Where the campaign computes.
    """

    def __init__(self, known: Known, results: Path, device: str) -> None:
        self.known, self.results, self.device = known, results, device
        self.works = Works(known)
        self._rates = cache(self._read_rates)

    def estimate(self, stage: str, jobs: Iterable[Job]) -> Estimate:
        """Add up what some artefacts of a stage will take.

        Parameters
        ----------
        stage : str
            See :meth:`hrtem_ood.planning.work.Works.of`.
        jobs : iterable of Job

        Returns
        -------
        Estimate
        """
        jobs = list(jobs)
        known = [job for job in jobs if job.work is not None]
        result = Estimate(unknown=len(jobs) - len(known), finished=len(self._rates(stage)) if known else 0)
        if not known:
            return result
        for device in self._devices(stage):
            seconds = sum(
                self._seconds(stage, device, job.work.kind) * job.work.amount * job.share for job in known if job.work
            )
            setattr(result, f"{device}_hours", seconds / 3600)
        sizes = [rate.bytes for rate in self._rates(stage)] or [BYTES[stage]]
        result.bytes = median(sizes) * sum(job.work.content for job in known if job.work)
        return result

    def _devices(self, stage: str) -> Sequence[Kind]:
        """Return where the work may be done: where it was, else wherever the configuration allows."""
        found = {rate.device for rate in self._rates(stage)}
        allowed = {"cpu", "gpu"} if self.device == "auto" else {self.device}
        both: tuple[Kind, Kind] = ("cpu", "gpu")
        return [each for each in both if each in ((found & allowed) or (SECONDS[stage].keys() & allowed) or {"cpu"})]

    def _seconds(self, stage: str, device: Kind, kind: str) -> float:
        """Return the seconds per unit: of the same kind of artefact, else of any."""
        rates = [rate for rate in self._rates(stage) if rate.device == device]
        alike = [rate.seconds for rate in rates if rate.kind == kind] or [rate.seconds for rate in rates]
        if not alike:
            return SECONDS[stage][device]
        # evaluations copy scores that others hold; those that computed all are the slow ones
        return max(alike) if stage == "evaluations" else median(alike)

    def _read_rates(self, stage: str) -> list[_Rate]:
        rates = []
        for told in self.known.of(stage).values():
            work = self.works.of(stage, told)
            if work is None or work.amount <= 0 or work.content <= 0:
                continue
            try:
                size = (self.results / artefact(stage, told.id)).stat().st_size
            except FileNotFoundError:
                continue
            seconds, device = float(told.more["seconds"]), str(told.more["device"])
            rates.append(
                _Rate("cpu" if device == "cpu" else "gpu", work.kind, seconds / work.amount, size / work.content)
            )
        return rates

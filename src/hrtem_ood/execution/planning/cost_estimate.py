"""Estimated hours and bytes of artifacts: from finished ones of the same stage, else from documented defaults."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

from hrtem_ood.campaign.results import Results
from hrtem_ood.execution.planning.inventory import ArtifactRecord, StoredArtifacts
from hrtem_ood.execution.planning.workload import Workload, WorkloadModel

Kind = Literal["cpu", "gpu"]

GPU_OPERATIONS_PER_S = 5e13
"""Operations per second of networks on one GPU where none was measured: an assumption, as in docs/paper.md [1/s]."""

SECONDS: dict[str, dict[Kind, float]] = {
    "structures": {"cpu": 2.3e-7},
    "exit_waves": {"cpu": 2.0e-8},
    "datasets": {"cpu": 1.4e-7},
    "networks": {"cpu": 1.8e-11, "gpu": 1 / GPU_OPERATIONS_PER_S},
    "evaluations": {"cpu": 1.8e-11, "gpu": 1 / GPU_OPERATIONS_PER_S},
    "transfer": {"cpu": 1.0e-7},
}
"""Default seconds per unit of :attr:`Workload.amount`, for stages without a finished artifact.

On a CPU: as measured on the laptop study's CdSe scenes (51.2 Å, PyTorch 2.13.0) on one core of an AMD EPYC.
On a GPU: see :data:`GPU_OPERATIONS_PER_S`. For stages without a default there, the CPU's is used.
"""

LONGEST_S = 1e9
"""Longest time of an artifact that is believed [s]: thirty years."""

MOST_JOBS_PER_GPU = 64
"""Most jobs on one GPU, as the configuration has it."""

LEAST = 1e-9
"""Smallest share, and shortest time [s], that is believed."""

SMALL = 10
"""Artifacts with less than one over this of the work tell little of how long it takes."""

GPU_STAGES = ("exit_waves", "datasets", "networks", "evaluations")
"""Stages that a GPU can do."""

OF_BFLOAT16 = {"bf16-mixed": 1.0, "bfloat16": 1.0, "tf32": 2.0, "32-true": 6.0, "float32": 6.0}
"""Time of networks on a GPU by precision, over that of bfloat16, where no artifact tells it. Estimated for an H100."""

BYTES = {
    "structures": 2.9,
    "exit_waves": 1.0,
    "datasets": 0.73,
    "networks": 1.0,
    "evaluations": 1.0,
    "transfer": 0.15,
}
"""Bytes on disk per byte of :attr:`Workload.content`, measured on the same scenes."""


class Job(NamedTuple):
    """An artifact to be created.

    Attributes
    ----------
    work : Workload or None
    share : float
        Share of the work that is not done yet.
    """

    work: Workload | None
    share: float = 1.0


@dataclass
class Estimate:
    """Estimated cost of some artifacts of a stage.

    Attributes
    ----------
    cpu_hours, gpu_hours : float or None, [h]
        Of one core or one GPU. Where both are given, the jobs take one or the other: the configuration leaves it open.
    bytes : float, [B]
    finished : int
        Number of artifacts whose rates are used; 0 where defaults are.
    unknown : int
        Number of artifacts with an unknown cost, which are not included.
    card : str or None
        GPU on which the GPU hours were measured; None where some are assumed, or there are none.
    gpu_unknown : bool
        Whether the work is to be done on a GPU, of which no rate is known, so that CPU hours are given.
    from_small : bool
        Whether the rates are those of artifacts with less than a tenth of the work, to which starting a job adds more.
    """

    cpu_hours: float | None = None
    gpu_hours: float | None = None
    bytes: float = 0.0
    finished: int = 0
    unknown: int = 0
    card: str | None = None
    gpu_unknown: bool = False
    from_small: bool = False


class _Rate(NamedTuple):
    """What an artifact took: seconds, and bytes, per unit of its work; None for seconds that its file does not tell."""

    device: Kind
    card: str
    kind: str
    precision: str
    amount: float
    seconds: float | None
    bytes: float
    share_told: bool = True


class CostEstimator:
    """Estimates costs from finished artifacts.

    Parameters
    ----------
    stored : StoredArtifacts
    results : Path
        The results folder.
    device : {"auto", "cpu", "gpu"}
        Where the campaign may compute.
    """

    def __init__(self, stored: StoredArtifacts, results: Path, device: str) -> None:
        self.stored, self.results, self.device = stored, results, device
        self.workloads = WorkloadModel(stored)
        self._rates = cache(self._read_rates)

    def estimate(self, stage: str, jobs: Iterable[Job]) -> Estimate:
        """Estimate the cost of some artifacts of a stage.

        Parameters
        ----------
        stage : str
            One that has a cost in the table of stages.
        jobs : iterable of Job

        Returns
        -------
        Estimate
        """
        jobs = list(jobs)
        counted = [job for job in jobs if job.work is not None]
        result = Estimate(unknown=len(jobs) - len(counted))
        if not counted:
            return result
        devices = self._devices(stage)
        result.gpu_unknown = stage in GPU_STAGES and self.device == "gpu" and devices == ["cpu"]
        amounts: dict[tuple[str, str], float] = {}
        for job in counted:
            assert job.work is not None
            like = job.work.kind, job.work.precision
            amounts[like] = amounts.get(like, 0) + job.work.amount * job.share
        used: set[int] = set()
        for device in devices:
            alike = {like: self._alike(stage, device, *like) for like in amounts}
            seconds = sum(
                _seconds(stage, device, precision, alike[kind, precision]) * amount
                for (kind, precision), amount in amounts.items()
            )
            setattr(result, f"{device}_hours", seconds / 3600)
            used |= {id(rate) for rates in alike.values() for rate in rates}
            if device == "gpu" and all(alike.values()):
                result.card = self._card(stage)
        result.finished = len(used)
        result.from_small = self._from_small(stage, counted)
        sizes = [rate.bytes for rate in self._rates(stage)] or [BYTES[stage]]
        result.bytes = median(sizes) * sum(job.work.content for job in counted if job.work)
        return result

    def _from_small(self, stage: str, jobs: Sequence[Job]) -> bool:
        largest = max((rate.amount for rate in self._rates(stage) if rate.seconds is not None), default=math.inf)
        return median(job.work.amount for job in jobs if job.work) > SMALL * largest

    def _devices(self, stage: str) -> Sequence[Kind]:
        """Return where the work may be done: where it was done before, else wherever the configuration allows."""
        used = {rate.device for rate in self._rates(stage)}
        allowed = {"cpu", "gpu"} if self.device == "auto" else {self.device}
        both: tuple[Kind, Kind] = ("cpu", "gpu")
        return [each for each in both if each in ((used & allowed) or (SECONDS[stage].keys() & allowed) or {"cpu"})]

    def _card(self, stage: str) -> str | None:
        """Return the GPU that made most of a stage's finished artifacts: rates of unlike cards are not mixed."""
        counts = Counter(rate.card for rate in self._rates(stage) if rate.device == "gpu")
        return min(counts, key=lambda card: (-counts[card], card), default=None)

    def _alike(self, stage: str, device: Kind, kind: str, precision: str) -> list[_Rate]:
        """Return the rates of artifacts of the same kind, else of any kind, in the same precision; of one card."""
        card = self._card(stage) if device == "gpu" else "cpu"
        same = (device, card, precision)
        rates = [rate for rate in self._rates(stage) if (rate.device, rate.card, rate.precision) == same]
        timed = [rate for rate in rates if rate.seconds is not None]
        return [rate for rate in timed if rate.kind == kind] or timed

    def _read_rates(self, stage: str) -> list[_Rate]:
        rates = []
        for record in self.stored.of(stage).values():
            work = self.workloads.of(stage, record)
            if work is None or work.amount <= 0 or work.content <= 0:
                continue
            try:
                size = Results(self.results).path(stage, record.id).stat().st_size
            except FileNotFoundError:
                continue
            rates.append(_rate(stage, record, work, size))
        return rates


def _seconds(stage: str, device: Kind, precision: str, alike: Sequence[_Rate]) -> float:
    """Return the seconds per unit of work, of rates that are alike, or assumed where there are none."""
    if not alike:
        return SECONDS[stage][device] * (OF_BFLOAT16.get(precision, 1.0) if device == "gpu" else 1.0)
    # the time of small ones is that of the start of a job
    largest = max(rate.amount for rate in alike)
    large = [rate for rate in alike if rate.amount >= largest / 2]
    told = [rate.seconds for rate in large if rate.seconds is not None and rate.share_told]
    # evaluations of older versions may have copied scores, in next to no time; the slowest computed all of its own
    return median(told) if told else max(rate.seconds or 0 for rate in large)


def _rate(stage: str, record: ArtifactRecord, work: Workload, size: int) -> _Rate:
    told = record.attributes
    # evaluations copy scores that others hold, which takes next to no time
    share = _positive(told.get("computed_share", 1.0), 1.0)
    amount, seconds, device = work.amount * (share or 0), _positive(told.get("seconds"), LONGEST_S), told.get("device")
    if seconds is not None and device != "cpu":
        seconds /= _jobs_per_gpu(told.get("jobs_per_gpu"))
    return _Rate(
        "cpu" if device == "cpu" else "gpu",
        str(device),
        work.kind,
        work.precision,
        amount,
        seconds / amount if seconds and amount else None,
        size / work.content,
        stage != "evaluations" or "computed_share" in told,
    )


def _jobs_per_gpu(value: object) -> int:
    """Return how many jobs shared a GPU as a file tells; 1 where it tells none that can be."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 1
    return value if 1 <= value <= MOST_JOBS_PER_GPU else 1


def _positive(value: object, most: float) -> float | None:
    """Return a number that a file tells, None where it is none that can be: a file may come from anywhere."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST < value <= most:
        return None
    return float(value)

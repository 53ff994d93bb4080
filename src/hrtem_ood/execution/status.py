"""Progress of a campaign: from existing artifacts and the records of jobs."""

import shutil
import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from hrtem_ood.analysis.provenance import EFFECTS, devices_of, mixed_devices_note
from hrtem_ood.artifacts import store
from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.stage_table import stages_of
from hrtem_ood.errors import ArtifactError
from hrtem_ood.execution import slurm_queue
from hrtem_ood.execution.job_records import HEAD, Record, check_running, records
from hrtem_ood.execution.planning.empty_files import empty_artifacts
from hrtem_ood.execution.slurm_client import SlurmError
from hrtem_ood.execution.slurm_refusals import PERMANENT, classify_reason

WINDOW_S = 3600.0
"""Time over which rates are averaged [s]."""

PAUSE_S = 600.0
"""An interval between two artifacts that is longer [s], and much longer than usual, is a pause between two runs."""

FASTEST_PER_H = 36_000.0
"""A higher rate [1/h] is that of copying files, which says nothing of jobs: the process of one alone takes a second to start."""

LOG_LINES = 6

RUNNING = ("running", "unchecked")
"""States of jobs that count as running."""


@dataclass(frozen=True)
class StageStatus:
    """Progress of a stage.

    Attributes
    ----------
    stage : str
        Networks have a separate row: those of packs that failed count as blocked.
    wanted, done : int
        Numbers of the campaign's artifacts, and of existing ones.
    running, failed, ready, blocked : int
        Of those that are missing and needed: with a running job; with a job that failed or was killed; without a job and
        with all inputs; without a job and with missing inputs.
    rate_per_h : float or None, [1/h]
        Artifacts finished per hour, by the last hour; None where fewer than two were, or their files were copied.
    remaining_h : float or None, [h]
        Time for the missing ones, at that rate.
    """

    stage: str
    wanted: int
    done: int
    running: int
    failed: int
    ready: int
    blocked: int
    rate_per_h: float | None
    remaining_h: float | None


@dataclass(frozen=True)
class JobStatus:
    """A job that runs, failed or was killed.

    Attributes
    ----------
    stage, id : str
    state : str
        ``running``; ``unchecked``: running by its record, which this host cannot check; ``failed``; ``stopped``: it
        received a signal to end; ``lost``: it was killed.
    where : str
        Host, and process or job of SLURM.
    hours : float, [h]
        From its start until now, or until its end.
    networks : tuple of int, or None
        Of a pack: numbers of trained networks and of all.
    error : str or None
    log : str
        Path of its log.
    last_lines : tuple of str
        Of the log; empty while the job runs.
    """

    stage: str
    id: str
    state: str
    where: str
    hours: float
    networks: tuple[int, int] | None
    error: str | None
    log: str
    last_lines: tuple[str, ...]


@dataclass(frozen=True)
class WaitingJob:
    """A job in SLURM's queue that waits for more than its turn.

    Attributes
    ----------
    slurm_job : str
        Its number.
    stage, id : str or None
        Of the artifact that it is to create; None of a head.
    reason : str
        SLURM's reason, e.g. ``PartitionTimeLimit``.
    never : bool
        Whether it will never start.
    keys : tuple of str
        Keys of the profile that request what is not available.
    """

    slurm_job: str
    stage: str | None
    id: str | None
    reason: str
    never: bool
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """Progress of a campaign.

    Attributes
    ----------
    campaign : str
    stages : list of StageStatus
    jobs : list of JobStatus
        Running ones, then those that failed or were killed, the latest first.
    done : bool
        Whether nothing is missing or empty.
    waiting : list of WaitingJob
        Jobs in SLURM's queue that do not start without an intervention.
    empty : list of str
        Paths of artifacts that are empty files; they are not counted as done, but a run sees them as present.
    notes : list of str
        Stages whose artifacts come from several devices.
    """

    campaign: str
    stages: list[StageStatus]
    jobs: list[JobStatus]
    done: bool
    waiting: list[WaitingJob] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON-like values."""
        return asdict(self)


def status(campaign: Campaign, results: Path) -> Status:
    """Return the progress of a campaign.

    Reads one small file per running or failed job and the attributes of artifacts, and lists folders.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder, which is only read.

    Returns
    -------
    Status
    """
    exists = dag.existence_check(results, campaign)
    missing = dag.missing_artifacts(campaign, exists)
    empty = empty_artifacts(campaign, results)
    empty_paths = set(empty)
    checkpoints = (path for path in (results / "networks").glob("*.ckpt") if path not in empty_paths)
    networks = {path.stem: _written(path) for path in checkpoints}
    trained = {id_: when for id_, when in networks.items() if when is not None}
    wanted = {(stage, id_) for stage, ids in missing.items() for id_ in ids}
    listed = wanted | {(HEAD, campaign.name)}
    states = _states(record for record in records(results) if (record.kind, record.id) in listed)
    jobs = [_job(record, state, campaign, results, trained) for record, state in states.items()]
    by_job = {(record.kind, record.id): state for record, state in states.items()}
    stages: list[StageStatus] = []
    notes: list[str] = []
    for stage in stages_of(campaign):
        each = {id_: by_job.get((stage, id_), "waiting") for id_ in missing[stage]}
        waiting = [id_ for id_, state in each.items() if state in ("waiting", "stopped")]
        ready = [id_ for id_ in waiting if all(exists(*other) for other in dag.job_inputs(campaign, stage, id_))]
        running = [id_ for id_, state in each.items() if state in RUNNING]
        if stage == "packs":
            stages.append(_networks(campaign, missing["packs"], ready, running, trained))
        ids = dag.artifact_ids(campaign, stage)
        done = [
            id_ for id_ in ids if exists(stage, id_) and not _is_any_empty(stage, id_, campaign, results, empty_paths)
        ]
        if stage in EFFECTS:
            paths = [Results(results).path(stage, id_) for id_ in done]
            notes.append(mixed_devices_note(stage, (device for path in paths for device in _devices(stage, path))))
        rate = _rate(_times(stage, done, results) if each else [], is_running=bool(running))
        counts = (len(running), len(each) - len(running) - len(waiting), len(ready), len(waiting) - len(ready))
        stages.append(StageStatus(stage, len(ids), len(done), *counts, rate, _left(len(each), rate)))
    waiting_jobs = _waiting(campaign.name, results)
    is_done, empty_names = not wanted and not empty, [str(path) for path in empty]
    return Status(campaign.name, stages, jobs, is_done, waiting_jobs, empty_names, [note for note in notes if note])


def _devices(stage: str, path: Path) -> tuple[str, ...]:
    """Return the devices of an artifact; nothing where it cannot be read, which `hrtem-ood check` reports."""
    when = _written(path)
    return () if when is None else _read_devices(stage, path, when)


@lru_cache(maxsize=100_000)
def _read_devices(stage: str, path: Path, _when: float) -> tuple[str, ...]:
    """Read them once per file, as `--watch` asks again every few seconds."""
    try:
        return tuple(devices_of(stage, store.read_provenance(path)))
    except (ArtifactError, OSError, AttributeError, KeyError, TypeError):
        return ()


def _is_any_empty(stage: str, id_: str, campaign: Campaign, results: Path, empty: Set[Path]) -> bool:
    """Whether any file of an artifact is empty."""
    return bool(empty) and any(results / path in empty for path in dag.job_outputs(stage, id_, campaign))


def _waiting(campaign: str, results: Path) -> list[WaitingJob]:
    """Return the jobs of a campaign that wait for more than their turn; SLURM is queried only where it was used."""
    if not any((results / "logs" / name).exists() for name in (HEAD, "slurm", "tasks")) or not shutil.which("squeue"):
        return []
    here = results.absolute().parent.resolve()
    try:
        queued = [*slurm_queue.controller_jobs(campaign, here), *slurm_queue.submitted_jobs(campaign, here)]
    except SlurmError:
        return []
    refusals = [(job, classify_reason(job.reason)) for job in queued if job.state == "PENDING"]
    return [
        WaitingJob(job.number, job.stage, job.id, job.reason, each.verdict == PERMANENT, each.keys)
        for job, each in refusals
        if each is not None
    ]


def _states(job_records: Iterable[Record]) -> dict[Record, str]:
    """Return the states of jobs: those that run, then the others, the latest first."""
    latest = sorted(job_records, key=lambda record: record.ended or record.started, reverse=True)
    runs = check_running([record for record in latest if record.state == "running"])
    words = {True: "running", None: "unchecked", False: "lost"}
    states: dict[Record, str] = {
        record: words[runs[record]] if record in runs else str(record.state) for record in latest
    }
    return dict(sorted(states.items(), key=lambda pair: pair[1] not in RUNNING))


def _networks(
    campaign: Campaign, packs: Iterable[str], ready: Iterable[str], running: Iterable[str], trained: Mapping[str, float]
) -> StageStatus:
    """Count networks: a running pack trains one at a time, and its others are ready."""

    def count_untrained(ids: Iterable[str]) -> list[int]:
        return [sum(each.id not in trained for each in campaign.packs[id_].networks) for id_ in ids]

    in_running_packs = [count for count in count_untrained(running) if count]
    done = [when for id_, when in trained.items() if id_ in campaign.networks]
    total, now = sum(count_untrained(packs)), len(in_running_packs)
    able = sum(count_untrained(ready)) + sum(in_running_packs) - now
    rate = _rate(done, is_running=now > 0)
    wanted = len(campaign.networks)
    return StageStatus("networks", wanted, len(done), now, 0, able, total - now - able, rate, _left(total, rate))


def _times(stage: str, ids: Iterable[str], results: Path) -> list[float]:
    """Return when artifacts were written [s]."""
    times = (_written(results / dag.job_outputs(stage, id_)[0]) for id_ in ids)
    return [when for when in times if when is not None]


def _written(path: Path) -> float | None:
    """Return when a file was written [s]; None for a link that leads nowhere."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _rate(times: Iterable[float], *, is_running: bool) -> float | None:
    """Return how many artifacts were finished per hour [1/h], in the last hour and since the last pause."""
    now = time.time()
    recent = sorted(when for when in times if when > now - WINDOW_S)
    if len(recent) < 2:  # an interval has two ends
        return None
    steps = [after - before for before, after in pairwise(recent)]
    long = max(PAUSE_S, 10 * median(steps))
    first = max((number + 1 for number, step in enumerate(steps) if step > long), default=0)
    span, count = (now if is_running else recent[-1]) - recent[first], len(recent) - 1 - first
    rate = count / span * 3600 if count and span > 0 else None
    return None if rate is None or rate > FASTEST_PER_H else rate


def _left(count: int, rate: float | None) -> float | None:
    return None if rate is None or not count else count / rate


def _job(record: Record, state: str, campaign: Campaign, results: Path, trained: Mapping[str, float]) -> JobStatus:
    pack = campaign.packs[record.id] if record.kind == "packs" else None
    networks = None if pack is None else (sum(each.id in trained for each in pack.networks), len(pack.networks))
    name = f"{record.slurm_job}_0_log.out" if record.kind == HEAD else f"{record.id}.log"  # submitit names the head's
    log = results / "logs" / record.kind / name
    begin = datetime.fromisoformat(record.started).timestamp()
    end = datetime.fromisoformat(record.ended).timestamp() if record.ended else time.time()
    job = f"SLURM job {record.slurm_job}" if record.slurm_job else f"process {record.pid}"
    lines = () if state in RUNNING else _last_lines(log)
    return JobStatus(
        record.kind,
        record.id,
        state,
        f"{record.host}, {job}",
        max(0.0, end - begin) / 3600,
        networks,
        record.error,
        str(log),
        lines,
    )


def _last_lines(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(line for line in lines if line.strip())[-LOG_LINES:]

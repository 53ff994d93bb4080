"""How a campaign is getting on: by the artifacts that are there, and the records of jobs."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.stage_table import JOB_STAGES
from hrtem_ood.execution.job_records import HEAD, Record, check_running, records

WINDOW_S = 3600.0
"""Rates are those of so many last seconds [s]."""

PAUSE_S = 600.0
"""What took longer [s], and much longer than usual, is no work but a pause between two runs."""

LOG_LINES = 6

RUNNING = ("running", "unchecked")
"""States of jobs that count as running."""


@dataclass(frozen=True)
class StageStatus:
    """How far a stage is.

    Attributes
    ----------
    stage : str
        Networks have one of their own: those of packs that failed count as blocked.
    wanted, done : int
        Artifacts that the campaign asks for, and those that are there.
    running, failed, ready, blocked : int
        Of those that are missing and needed: being made; failed, or lost as their process was killed; neither, with all
        that they are made from there, or not.
    rate_per_h : float or None, [1/h]
        Artifacts finished per hour, by the last hour; None where fewer than two were.
    remaining_h : float or None, [h]
        What is left, at that rate.
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
    """A job that runs, or that did not end well.

    Attributes
    ----------
    stage, id : str
    state : str
        ``running``; ``unchecked``: its record says so, but from this host nobody can tell; ``failed``; ``stopped``: it was
        asked to end; ``lost``: it was killed.
    where : str
        Host, and process or job of SLURM.
    hours : float, [h]
        Since it began; of one that has ended, until then.
    networks : tuple of int, or None
        Of a pack: how many are trained, and how many there are.
    error : str or None
    log : str
        Path of its log.
    last_lines : tuple of str
        Of the log; of jobs that run, none.
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
class Status:
    """How a campaign is getting on.

    Attributes
    ----------
    campaign : str
    stages : list of StageStatus
    jobs : list of JobStatus
        Running ones, then those that did not end well, the latest first.
    done : bool
        Whether nothing is to be made.
    """

    campaign: str
    stages: list[StageStatus]
    jobs: list[JobStatus]
    done: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON-like values."""
        return asdict(self)


def status(campaign: Campaign, results: Path) -> Status:
    """Find out how a campaign is getting on; reads one small file per running or failed job, and lists of folders.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder; nothing is written.

    Returns
    -------
    Status
    """
    is_there = dag.existence_check(results, campaign)
    missing = dag.missing_artifacts(campaign, is_there)
    trained = {path.stem: path.stat().st_mtime for path in (results / "networks").glob("*.ckpt")}
    wanted = {(stage, id_) for stage, ids in missing.items() for id_ in ids}
    shown = wanted | {(HEAD, campaign.name)}
    states = _states(record for record in records(results) if (record.kind, record.id) in shown)
    told = [_job(record, state, campaign, results, trained) for record, state in states.items()]
    by_job = {(record.kind, record.id): state for record, state in states.items()}
    stages: list[StageStatus] = []
    for stage in JOB_STAGES:
        each = {id_: by_job.get((stage, id_), "waiting") for id_ in missing[stage]}
        waiting = [id_ for id_, state in each.items() if state in ("waiting", "stopped")]
        ready = [id_ for id_ in waiting if all(is_there(*other) for other in dag.job_inputs(campaign, stage, id_))]
        running = [id_ for id_, state in each.items() if state in RUNNING]
        if stage == "packs":
            stages.append(_networks(campaign, missing["packs"], ready, running, trained))
        ids = dag.artifact_ids(campaign, stage)
        done = [id_ for id_ in ids if is_there(stage, id_)]
        rate = _rate(_times(stage, done, results) if each else [], going_on=bool(running))
        counts = (len(running), len(each) - len(running) - len(waiting), len(ready), len(waiting) - len(ready))
        stages.append(StageStatus(stage, len(ids), len(done), *counts, rate, _left(len(each), rate)))
    return Status(campaign.name, stages, told, not wanted)


def _states(found: Iterable[Record]) -> dict[Record, str]:
    """Return what jobs do or did, the latest first."""
    latest = sorted(found, key=lambda record: record.ended or record.started, reverse=True)
    runs = check_running([record for record in latest if record.state == "running"])
    words = {True: "running", None: "unchecked", False: "lost"}
    states: dict[Record, str] = {
        record: words[runs[record]] if record in runs else str(record.state) for record in latest
    }
    return dict(sorted(states.items(), key=lambda pair: pair[1] not in RUNNING))


def _networks(
    campaign: Campaign, packs: Iterable[str], ready: Iterable[str], running: Iterable[str], trained: Mapping[str, float]
) -> StageStatus:
    """Count networks: a pack that runs trains one at a time, and the others of it wait for nothing else."""

    def left(ids: Iterable[str]) -> list[int]:
        return [sum(each.id not in trained for each in campaign.packs[id_].networks) for id_ in ids]

    at_work = [count for count in left(running) if count]
    done = [when for id_, when in trained.items() if id_ in campaign.networks]
    total, now = sum(left(packs)), len(at_work)
    able = sum(left(ready)) + sum(at_work) - now
    rate = _rate(done, going_on=now > 0)
    wanted = len(campaign.networks)
    return StageStatus("networks", wanted, len(done), now, 0, able, total - now - able, rate, _left(total, rate))


def _times(stage: str, ids: Iterable[str], results: Path) -> list[float]:
    """Return when artifacts were written [s]."""
    return [(results / dag.job_outputs(stage, id_)[0]).stat().st_mtime for id_ in ids]


def _rate(times: Iterable[float], *, going_on: bool) -> float | None:
    """Return how many artifacts were finished per hour [1/h], of late and since the last pause."""
    now = time.time()
    recent = sorted(when for when in times if when > now - WINDOW_S)
    if len(recent) < 2:  # an interval has two ends
        return None
    steps = [after - before for before, after in pairwise(recent)]
    long = max(PAUSE_S, 10 * median(steps))
    first = max((number + 1 for number, step in enumerate(steps) if step > long), default=0)
    span, count = (now if going_on else recent[-1]) - recent[first], len(recent) - 1 - first
    return count / span * 3600 if count and span > 0 else None


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

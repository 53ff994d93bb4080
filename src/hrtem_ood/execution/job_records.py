"""Records of jobs: one small file per running job, which is kept if the job fails or is killed.

A record is ``results/jobs/<kind>/<id>.json``. The kind of a job of the workflow is its stage, and its id that of the
artifact that it creates, so there is at most one record for each. Other processes can have records, too: the process
that submits the jobs of a campaign and waits for them is of kind ``head``, and its id is the campaign's name. Keys:

============= =======================================================================================
id            As in the file's name.
kind          A stage, or ``head``.
state         ``running``; ``failed``: it ended with an error; ``stopped``: it received a signal to end.
host, pid     Where it runs, and as which process.
process_start When that process started, in seconds since the epoch. It distinguishes the job from a later
              process with the same number.
slurm_job     ``SLURM_JOB_ID``, or null outside SLURM.
started       UTC, ISO 8601.
ended         UTC, ISO 8601, or null while it runs.
configs       Paths of its configurations.
error         Error message, or null.
============= =======================================================================================

A job writes its record when it starts, and removes it when it succeeds. A killed job leaves a record with the state
``running``. A reader on the same host checks whether the process runs; a reader on another host checks whether SLURM has
the job. So records work on every host that shares the results folder.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.files import damaged
from hrtem_ood.artifacts.processes import process_runs, process_start
from hrtem_ood.errors import ArtifactError, HrtemOodError
from hrtem_ood.execution.slurm_client import job_states, this_job
from hrtem_ood.progress import log

FOLDER = "jobs"
HEAD = "head"
"""Kind of a process that submits jobs and waits for them."""

LIMIT = 2**20
"""Largest record [B]; error messages are its longest part."""


@dataclass(frozen=True)
class Record:
    """Content of a record; see the table at the top of this module."""

    id: str
    kind: str
    state: Literal["running", "failed", "stopped"]
    host: str
    pid: int
    process_start: float | None
    slurm_job: str | None
    started: str
    ended: str | None = None
    configs: tuple[str, ...] = ()
    error: str | None = None

    def path(self, results: Path) -> Path:
        """Path of the record."""
        return results / FOLDER / self.kind / f"{self.id}.json"


@contextmanager
def record_job(kind: str, id_: str, results: Path, configs: Sequence[Path] = ()) -> Iterator[None]:
    """Keep the record of a job while the block runs; remove it after success, else write how the block ended.

    SIGTERM, and SIGHUP unless ``nohup`` has it ignored, end the block, so that this is recorded, too.

    Parameters
    ----------
    kind, id_ : str
    results : Path
        The results folder.
    configs : sequence of Path
    """
    record = Record(
        id=id_,
        kind=kind,
        state="running",
        host=socket.gethostname(),
        pid=os.getpid(),
        process_start=process_start(os.getpid()),
        slurm_job=this_job(),
        started=_now(),
        configs=tuple(map(str, configs)),
    )
    with _ended_by_signal() as numbers:
        try:
            store.write_json(record.path(results), asdict(record))
            yield
        except BaseException as error:
            for number in numbers:  # a second one would leave the record of a job that runs
                signal.signal(number, signal.SIG_IGN)
            if _is_current(record, results):
                store.write_json(record.path(results), asdict(_ended(record, error)))
            raise
    if _is_current(record, results):
        record.path(results).unlink(missing_ok=True)


def _is_current(record: Record, results: Path) -> bool:
    """Whether a record is still the one on disk: another job may create the same artifact, for another campaign."""
    return read(record.path(results)) == record


@contextmanager
def _ended_by_signal() -> Iterator[list[signal.Signals]]:
    """Have signals raise inside the block, and return which."""
    if threading.current_thread() is not threading.main_thread():
        yield []  # only the main thread may handle signals
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    closed = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, *closed)}
    try:
        yield list(before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ended(record: Record, error: BaseException) -> Record:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return replace(record, state="stopped", ended=_now(), error="It received a signal to end.")
    message = str(error) if isinstance(error, HrtemOodError) else f"{type(error).__name__}: {error}"
    return replace(record, state="failed", ended=_now(), error=message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# --- reading ---------------------------------------------------------------------------------


def read(path: Path) -> Record | None:
    """Read a record; None where there is no file, or it is no record."""
    try:
        return load(path)
    except ArtifactError:
        return None


def load(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    ArtifactError
        Where there is none, or it is no record.
    """
    content = store.read_json(path, LIMIT)
    if content.keys() != _CHECKS.keys():
        raise damaged(path, "it does not have the keys of a record")
    for key, is_valid in _CHECKS.items():
        if not is_valid(content[key]):
            raise damaged(path, f"{key} cannot be {str(content[key])[:80]!r}")
    if content["kind"] != path.parent.name:
        raise damaged(path, "it is in the folder of another kind")
    return Record(**content | {"configs": tuple(content["configs"])})


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value).timestamp()
    except (OverflowError, TypeError, ValueError):
        return False
    return True


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "id": _is_text,
    "kind": _is_text,
    "state": lambda value: value in ("running", "failed", "stopped"),
    "host": _is_text,
    "pid": lambda value: _is_number(value) and isinstance(value, int) and 0 < value < 2**31,
    "process_start": lambda value: value is None or _is_number(value),
    "slurm_job": lambda value: value is None or (_is_text(value) and value.replace("_", "").isalnum()),
    "started": _is_time,
    "ended": lambda value: value is None or _is_time(value),
    "configs": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "error": lambda value: value is None or isinstance(value, str),
}
"""Checks of the values of a record, by key."""


def records(results: Path) -> list[Record]:
    """Read all records of a results folder, in order of kind and id; log each unreadable one once."""
    readable, unreadable = all_records(results)
    for path, message in unreadable.items():
        if path not in _logged:
            _logged.add(path)
            log(message)
    return readable


_logged: set[Path] = set()
"""Unreadable records that were logged already: status repeats every few seconds."""


def all_records(results: Path) -> tuple[list[Record], dict[Path, str]]:
    """Read all records of a results folder; of those that cannot be read, return the error messages."""
    readable, unreadable = [], {}
    for path in sorted((results / FOLDER).glob("*/*.json")):
        if path.name.startswith("."):
            continue
        try:
            readable.append(load(path))
        except ArtifactError as error:
            if path.exists() or path.is_symlink():  # else its job has just ended
                unreadable[path] = str(error)
    return readable, unreadable


def check_running(running: Collection[Record]) -> dict[Record, bool | None]:
    """Check which jobs with records in the state ``running`` are still running.

    Parameters
    ----------
    running : collection of Record

    Returns
    -------
    dict of Record to bool or None
        None where that is unknown: the job is on another host, and SLURM does not answer or is not installed.
    """
    here = socket.gethostname()
    jobs = {record.slurm_job for record in running if record.host != here and record.slurm_job}
    states = job_states(jobs) if jobs else {}
    return {
        record: process_runs(record.pid, record.process_start) if record.host == here else _runs_in(states, record)
        for record in running
    }


def _runs_in(states: Mapping[str, str] | None, record: Record) -> bool | None:
    if states is None or record.slurm_job is None:
        return None
    # a job that went back into the queue, after a preemption or the failure of a node, keeps its number
    return states.get(record.slurm_job, "PENDING") != "PENDING"

"""Records of jobs: one small file while a job runs, which stays if the job does not end well.

A record is ``results/jobs/<kind>/<id>.json``. The kind of a job of the workflow is its stage, and its id that of the
artifact that it makes, so there is one record at most for each. Other processes may have records, too: whatever
submits jobs and waits for them is of kind ``head``, and its id names what it waits for. Keys:

========== ==========================================================================================
id         As in the file's name.
kind       A stage, or ``head``.
state      ``running``; ``failed``: it ended with an error; ``stopped``: it was asked to end.
host, pid  Where it runs, and as which process.
born       When that process began, in clock ticks since the machine started; null where ``/proc`` does not tell.
           With it, another process that was given the same number later is not taken for the job.
slurm_job  ``SLURM_JOB_ID``, or null outside SLURM.
started    UTC, ISO 8601.
ended      UTC, ISO 8601, or null while it runs.
configs    Paths of the configurations that it was given.
error      What went wrong, or null.
========== ==========================================================================================

Nobody is asked while a job runs: it writes its record when it starts, and removes it when it has ended well. A job that
is killed leaves a record that says ``running``; whoever reads it looks whether the process is there (on its own host),
or asks SLURM whether the job is. So records work on every host that shares the results folder.
"""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Literal

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError, HrtemOodError

FOLDER = "jobs"
HEAD = "head"
"""The kind of a process that submits jobs and waits for them."""


@dataclass(frozen=True)
class Record:
    """What the file of a job tells; see the table at the top of this module."""

    id: str
    kind: str
    state: Literal["running", "failed", "stopped"]
    host: str
    pid: int
    born: int | None
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
    """Keep the record of a job while the block runs; remove it if that ends well, else note how it ended.

    A signal that asks the process to end ends the block, so that the record can say so.

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
        born=_born(os.getpid()),
        slurm_job=os.environ.get("SLURM_JOB_ID"),
        started=_now(),
        configs=tuple(map(str, configs)),
    )
    try:
        with _ended_by_signal():
            store.write_json(record.path(results), asdict(record))
            yield
    except BaseException as error:
        if _is_there(record, results):
            store.write_json(record.path(results), asdict(_ended(record, error)))
        raise
    if _is_there(record, results):
        record.path(results).unlink(missing_ok=True)


def _is_there(record: Record, results: Path) -> bool:
    """Whether a record is still the one on disk: another job may make the same artifact, for another campaign."""
    return read(record.path(results)) == record


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ended(record: Record, error: BaseException) -> Record:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return replace(record, state="stopped", ended=_now(), error="It was asked to end.")
    message = str(error) if isinstance(error, HrtemOodError) else f"{type(error).__name__}: {error}"
    return replace(record, state="failed", ended=_now(), error=message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _born(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the machine started (proc(5), field 22 of ``stat``)."""
    try:
        # the second field, the command, is in parentheses and may hold anything
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


# --- reading ---------------------------------------------------------------------------------


def read(path: Path) -> Record | None:
    """Read a record; None where there is none, or what is there is none."""
    try:
        content = store.read_json(path)
        return Record(**content | {"configs": tuple(content["configs"])})
    except (ArtifactError, OSError, KeyError, TypeError):
        return None


def records(results: Path) -> list[Record]:
    """Read all records of a results folder, in order of kind and id."""
    found = (read(path) for path in sorted((results / FOLDER).glob("*/*.json")) if not path.name.startswith("."))
    return [record for record in found if record is not None]


def check_running(running: Collection[Record]) -> dict[Record, bool | None]:
    """Tell which of the jobs whose records say ``running`` do run.

    Parameters
    ----------
    running : collection of Record

    Returns
    -------
    dict of Record to bool or None
        None where it cannot be told: on another host, and SLURM does not know or is not there.
    """
    here = socket.gethostname()
    jobs = {record.slurm_job for record in running if record.host != here and record.slurm_job}
    states = slurm_states(jobs) if jobs else {}
    return {record: _runs_here(record) if record.host == here else _runs_in(states, record) for record in running}


def _runs_here(record: Record) -> bool:
    try:
        os.kill(record.pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process
    born = _born(record.pid)
    return record.born is None or born is None or born == record.born


def _runs_in(states: Mapping[str, str] | None, record: Record) -> bool | None:
    if states is None or record.slurm_job is None:
        return None
    # a job that was put back into the queue, after a preemption or a node's failure, has its old number
    return states.get(record.slurm_job, "PENDING") != "PENDING"


def slurm_states(jobs: Collection[str]) -> dict[str, str] | None:
    """Ask SLURM for the states of jobs.

    Parameters
    ----------
    jobs : collection of str
        Their ids.

    Returns
    -------
    dict of str to str, or None
        State (``RUNNING``, …) of each that SLURM still has in its queue; None where there is no SLURM or no answer.
    """
    squeue = shutil.which("squeue")
    if squeue is None:
        return None
    command = [squeue, "--noheader", "--format=%A %T", f"--jobs={','.join(sorted(jobs))}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  # fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode and "Invalid job id" not in answer.stderr:  # which it says of a single one that has gone
        return None
    pairs = (line.split() for line in answer.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == len(("job", "state"))}

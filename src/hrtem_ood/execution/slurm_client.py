"""All calls of SLURM's commands: one function per query and per request."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from typing import NamedTuple

from hrtem_ood.errors import HrtemOodError


class SlurmError(HrtemOodError):
    """SLURM is not installed, does not answer, or refuses."""


def run_slurm_command(*command: str, timeout_s: float = 60.0) -> str:
    """Run a command of SLURM and return its output.

    Parameters
    ----------
    *command : str
    timeout_s : float, [s]

    Raises
    ------
    SlurmError
        With SLURM's message.
    """
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        raise SlurmError(f"There is no command `{command[0]}`: is this a machine of a SLURM cluster?") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"SLURM did not answer {' '.join(command)} within {timeout_s:g} s.") from None
    if done.returncode:
        raise SlurmError(f"SLURM refused {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def this_job() -> str | None:
    """Id of the SLURM job that this process is part of."""
    return os.environ.get("SLURM_JOB_ID")


def job_fields(job: str) -> dict[str, str]:
    """Return the fields that ``scontrol show job`` prints for a job."""
    words: Sequence[str] = run_slurm_command("scontrol", "show", "job", "--oneliner", job).split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def config() -> dict[str, str]:
    """Return SLURM's configuration, as ``scontrol show config`` prints it."""
    lines = [line.split("=", 1) for line in run_slurm_command("scontrol", "show", "config").splitlines() if "=" in line]
    return {key.strip(): value.strip() for key, value in lines}


def slurm_available() -> bool:
    """Whether this machine belongs to a SLURM cluster, even if that does not answer now; installed commands do not suffice."""
    if shutil.which("sbatch") is None:
        return False
    try:
        config()
    except SlurmError as error:
        return "Could not establish a configuration source" not in str(error)
    return True


class Limits(NamedTuple):
    """Limits on submissions.

    Attributes
    ----------
    array : int
        Tasks of an array (MaxArraySize).
    jobs : int or None
        Jobs of a user under an account in the queue, each task of an array counted (MaxSubmitJobs); None without a
        limit.
    account : str or None
        That account.
    """

    array: int
    jobs: int | None
    account: str | None = None


def submit_limits(account: str | None = None) -> Limits:
    """Return SLURM's limits on submissions.

    Parameters
    ----------
    account : str, optional
        By default, the user's default account.

    Raises
    ------
    SlurmError
    """
    size = int(config()["MaxArraySize"])
    command = ("sacctmgr", "--noheader", "--parsable2", "show", "user", getpass.getuser(), "withassoc")
    try:
        rows = [
            row.split("|")
            for row in run_slurm_command(*command, "format=DefaultAccount,Account,MaxSubmitJobs").splitlines()
        ]
    except SlurmError:  # no accounting, no such limit
        rows = []
    account = account or next((default for default, *_ in rows), None)
    jobs = [int(most) for _, each, most in rows if each == account and most.isdigit()]
    return Limits(size, min(jobs, default=None), account)


# --- jobs in the queue -------------------------------------------------------------------------


SEPARATOR = "\x1f"
"""Between the fields of a line of ``squeue``."""


class QueueRow(NamedTuple):
    """A line of ``squeue``; of an array of jobs, one line for all tasks that wait and one for each that runs.

    Attributes
    ----------
    number : str
        Of the job, or of the array.
    name : str
    state : str
        ``PENDING``, ``RUNNING``, …
    reason : str
        Why it waits: ``Priority``, ``Resources``, ``PartitionTimeLimit``, …; ``None`` where SLURM gives none.
    folder : str
        Working directory at submission.
    comment : str
    """

    number: str
    name: str
    state: str
    reason: str
    folder: str
    comment: str


def user_queue() -> list[QueueRow]:
    """Return the jobs of this user that have not ended.

    Raises
    ------
    SlurmError
    """
    # names of folders hardly contain this separator; the comment comes last, as it may contain it
    command = ("squeue", "--me", "--noheader", "--format=" + SEPARATOR.join(["%F", "%j", "%T", "%r", "%Z", "%k"]))
    rows = (line.split(SEPARATOR, 5) for line in run_slurm_command(*command).split("\n"))
    return [QueueRow(*row) for row in rows if len(row) == len(QueueRow._fields)]


def queued_tasks() -> dict[str, str]:
    """Return all jobs and tasks of this user that have not ended.

    Returns
    -------
    dict of str to str
        Why each waits, as in :class:`QueueRow`, or an empty text where it does not wait; by its id, a task's as
        ``<job>_<task>``.

    Raises
    ------
    SlurmError
    """
    output = run_slurm_command("squeue", "--me", "--array", "--noheader", "--format=%i|%T|%r")
    rows = (line.strip().split("|", 2) for line in output.splitlines() if line.count("|") >= 2)
    return {number: reason if state == "PENDING" else "" for number, state, reason in rows}


def queued_accounts() -> list[str]:
    """Return the account of each job and task of this user that has not ended.

    Raises
    ------
    SlurmError
    """
    output = run_slurm_command("squeue", "--me", "--array", "--noheader", "--format=%a")
    return [line.strip() for line in output.splitlines()]


def job_states(jobs: Collection[str]) -> dict[str, str] | None:
    """Return the states of some jobs.

    Parameters
    ----------
    jobs : collection of str
        Ids.

    Returns
    -------
    dict of str to str, or None
        State (``RUNNING``, …) of each that is in SLURM's queue; None where SLURM is not installed or does not answer.
    """
    command = ("squeue", "--noheader", "--format=%A %T", f"--jobs={','.join(sorted(jobs))}")
    try:
        output = run_slurm_command(*command, timeout_s=20.0)
    except SlurmError as error:
        # the message for a single job that has left the queue
        return {} if "Invalid job id" in str(error) else None
    pairs = (line.split() for line in output.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == len(("job", "state"))}


def cancel_jobs(*numbers: str) -> None:
    """Cancel jobs.

    Raises
    ------
    SlurmError
    """
    if numbers:
        run_slurm_command("scancel", *numbers)


def kill_job(number: str) -> None:
    """End all processes of a job at once.

    Raises
    ------
    SlurmError
    """
    run_slurm_command("scancel", "--signal=KILL", "--full", number)


def requeue_job(number: str) -> None:
    """Put a job back into the queue.

    Raises
    ------
    SlurmError
    """
    run_slurm_command("scontrol", "requeue", number)

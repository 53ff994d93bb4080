"""Questions to SLURM, through its own commands."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from hrtem_ood.errors import HrtemOodError


class SlurmError(HrtemOodError):
    """SLURM is not there, does not answer, or refuses."""


def run_slurm_command(*command: str, timeout_s: float = 60.0) -> str:
    """Run a command of SLURM and return what it prints.

    Raises
    ------
    SlurmError
        With SLURM's own words.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603  # our words
    except FileNotFoundError:
        raise SlurmError(f"{command[0]} is not there: is this a machine of a SLURM cluster?") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"SLURM did not answer {' '.join(command)} within {timeout_s:g} s.") from None
    if done.returncode:
        raise SlurmError(f"SLURM refused {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def this_job() -> str | None:
    """Id of the SLURM job that this process is part of."""
    return os.environ.get("SLURM_JOB_ID")


def job_fields(job: str) -> dict[str, str]:
    """Return what ``scontrol show job`` tells of a job."""
    words: Sequence[str] = run_slurm_command("scontrol", "show", "job", "--oneliner", job).split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def config() -> dict[str, str]:
    """Return what ``scontrol show config`` tells."""
    lines = [line.split("=", 1) for line in run_slurm_command("scontrol", "show", "config").splitlines() if "=" in line]
    return {key.strip(): value.strip() for key, value in lines}


def slurm_available() -> bool:
    """Whether this machine belongs to a SLURM cluster, be it that it does not answer now; its commands alone prove nothing."""
    if shutil.which("sbatch") is None:
        return False
    try:
        config()
    except SlurmError as error:
        return "Could not establish a configuration source" not in str(error)
    return True


class Limits(NamedTuple):
    """How much may be submitted.

    Attributes
    ----------
    array : int
        Tasks of an array (MaxArraySize).
    jobs : int or None
        Jobs of a user under an account in the queue, tasks of arrays one by one (MaxSubmitJobs); None where nothing is
        said.
    account : str or None
        That account.
    """

    array: int
    jobs: int | None
    account: str | None = None


def submit_limits(account: str | None = None) -> Limits:
    """Ask SLURM how much may be submitted.

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

"""Questions to SLURM, through its own commands."""

import os
import subprocess
from collections.abc import Sequence

from hrtem_ood.errors import HrtemOodError


class SlurmError(HrtemOodError):
    """SLURM is not there, does not answer, or refuses."""


def ask(*command: str, timeout_s: float = 60.0) -> str:
    """Run a command of SLURM and return what it prints.

    Raises
    ------
    SlurmError
        With SLURM's own words.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603
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
    words: Sequence[str] = ask("scontrol", "show", "job", "--oneliner", job).split()
    return dict(word.split("=", 1) for word in words if "=" in word)

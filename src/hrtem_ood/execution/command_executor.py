"""Commands as SLURM jobs or processes of this machine, by submitit, without its pickles.

By default, submitit writes the function of a job into a pickle beside its log, which the job loads. The job writes its
result into another pickle, which the caller loads. Anyone who can write to that folder could run code in both processes.
Here submitit only writes the batch script, submits it and names the logs. The job is a command of this program, and its
result is a JSON file.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError

from hrtem_ood.execution.slurm_client import SlurmError
from hrtem_ood.gpu_machine import VISIBLE

TASK_INDEX = '"$SLURM_ARRAY_TASK_ID"'
"""The number of a task of an array, for the shell that starts it."""


class RefusedError(SlurmError):
    """``sbatch`` did not accept a job; the message is SLURM's."""


def python_command(*words: str) -> str:
    """Return a command line of this program, quoted for the shell.

    Parameters
    ----------
    *words : str
        Words after ``hrtem-ood``; :data:`TASK_INDEX` is not quoted.
    """
    quoted = [word if word == TASK_INDEX else shlex.quote(word) for word in words]
    return " ".join([shlex.quote(sys.executable), "-u", "-m", "hrtem_ood", *quoted])


def submit_command(folder: Path, command: str, parameters: dict[str, Any], *, tasks: int | None = None) -> list[str]:
    """Submit a command to SLURM, as a job or as an array.

    Parameters
    ----------
    folder : Path
        For the batch script and the logs.
    command : str
        Command line.
    parameters : dict
        Parameters of submitit's ``SlurmExecutor``.
    tasks : int, optional
        Number of tasks of an array.

    Returns
    -------
    list of str
        Id of the job, or of each task.

    Raises
    ------
    RefusedError
        With SLURM's message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    executor = submitit.SlurmExecutor(folder)
    executor.update_parameters(**parameters)
    if tasks is not None:
        executor.parameters["map_count"] = tasks
    try:
        number = str(executor._submit_command(command).job_id)
    except FailedJobError as error:
        raise RefusedError(str(error).strip()) from None
    return [number] if tasks is None else [f"{number}_{task}" for task in range(tasks)]


def start_commands(folder: Path, commands: Sequence[str], parameters: dict[str, Any]) -> "list[submitit.LocalJob[Any]]":
    """Start commands as processes of this machine, which see the same GPUs as this process.

    submitit's ``LocalExecutor`` sets ``CUDA_VISIBLE_DEVICES`` to the GPUs that its parameters ask for: by default to none,
    and by index only, which excludes the UUIDs of GPUs and of parts of them. So the variable is set again.

    Parameters
    ----------
    folder : Path
        For the logs.
    commands : sequence of str
    parameters : dict
        Parameters of submitit's ``LocalExecutor``.

    Returns
    -------
    list of submitit.LocalJob
    """
    executor = submitit.LocalExecutor(folder)
    executor.update_parameters(**parameters)
    return [executor._submit_command(with_same_gpus(command)) for command in commands]


def with_same_gpus(command: str) -> str:
    """Return a command line that runs another with this process's ``CUDA_VISIBLE_DEVICES``, set or not set.

    Parameters
    ----------
    command : str
        Command line, without a shell's syntax.
    """
    given = os.environ.get(VISIBLE)
    words = ["env", "-u", VISIBLE] if given is None else ["env", f"{VISIBLE}={given}"]
    return f"{shlex.join(words)} {command}"

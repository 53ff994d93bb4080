"""Slots of this machine's GPUs: each job takes one, so that jobs use different GPUs, and not more of them share one than wanted.

A slot is a file that a job keeps locked. The kernel gives the lock back when the process ends, however it ends; hence no
heartbeat is needed, as leases have for several machines.
"""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hrtem_ood.config.execution import Execution
from hrtem_ood.errors import DeviceError
from hrtem_ood.gpu_machine import VISIBLE, cards, set_memory_share, visible_count, visible_devices
from hrtem_ood.progress import log

LIBRARIES = {"simulate": "cupy", "image": "cupy", "train": "torch", "evaluate": "torch"}
"""Rules whose jobs can use a GPU, and the library that they use it with. No other rule requests a GPU."""

POLL_S = 1.0


def can_use_gpu(rule: str, device: str) -> bool:
    """Whether the jobs of a rule may use a GPU of this machine, as far as can be seen without importing its library.

    Parameters
    ----------
    rule : str
    device : {"auto", "cpu", "gpu"}
    """
    library = LIBRARIES.get(rule)
    if device == "cpu" or library is None or importlib.util.find_spec(library) is None:
        return False
    if library == "torch" and "+cpu" in importlib.metadata.version("torch"):
        return False
    return visible_count() > 0


def slot_count(execution: Execution) -> int:
    """Return the number of jobs that may use this machine's GPUs at once; 0 where it has none that this process may use."""
    return visible_count() * execution.jobs_per_gpu


def task_limit(rule: str, execution: Execution, resources: Mapping[str, Any]) -> int:
    """Return the most tasks of a rule that this machine runs at once for a job.

    Parameters
    ----------
    rule : str
    execution : Execution
    resources : mapping
        What Snakemake has granted the job: ``threads``, and ``gpu``, in slots. Where it tells neither, all of the machine.
    """
    threads = int(resources.get("threads", len(os.sched_getaffinity(0))))
    if not can_use_gpu(rule, execution.device):
        return threads
    return max(1, min(threads, int(resources.get("gpu", slot_count(execution)))))


@contextmanager
def gpu_slot(rule: str, execution: Execution) -> Iterator[None]:
    """Take a slot of a GPU for a job, show the process no other GPU, and give the slot back at the end of the block.

    It must be entered before CuPy or PyTorch use a GPU. If all slots are taken, it waits. Nothing happens where the rule
    uses no GPU, or there is none. A job that SLURM has given one GPU takes no slot, since SLURM counts the jobs on it.

    Parameters
    ----------
    rule : str
        Of the job.
    execution : Execution
        Its ``jobs_per_gpu`` limits the jobs on a GPU, and the memory of each.
    """
    if not can_use_gpu(rule, execution.device):
        yield
        return
    set_memory_share(execution.jobs_per_gpu)
    devices = visible_devices()
    if not devices or ("SLURM_JOB_ID" in os.environ and len(devices) == 1):
        yield
        return
    file, device = _take(devices, execution.jobs_per_gpu)
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = device
    try:
        yield
    finally:
        os.close(file)
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before


def _take(devices: Sequence[str], jobs_per_gpu: int) -> tuple[int, str]:
    """Wait for a slot; return its open file and its GPU."""
    folder, waits = slot_folder(), False
    names = _slot_names(devices)
    while True:
        # first one job on every GPU, then a second
        for number in range(jobs_per_gpu):
            for device in devices:
                file = _lock(folder / f"{names[device]}.{number}")
                if file is not None:
                    return file, device
        if not waits:
            slots = len(devices) * jobs_per_gpu
            log(f"waiting for a GPU: its slots are taken, {slots} of {len(devices)} (execution.jobs_per_gpu)")
            waits = True
        time.sleep(POLL_S)


def slot_folder() -> Path:
    """Return the folder of this user's slots, which all campaigns on this machine share; make it where it is missing.

    Raises
    ------
    DeviceError
        Where something else has its name.
    """
    folder = Path(tempfile.gettempdir()) / f"hrtem-ood-gpus-{os.getuid()}"
    with contextlib.suppress(FileExistsError):  # also of a link, which is not followed
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise DeviceError(f"{folder} is no folder of yours, so jobs cannot share the GPUs. Delete it, or set TMPDIR.")
    return folder


def _slot_names(devices: Sequence[str]) -> dict[str, str]:
    """Return names of files for GPUs: by UUID, where ``nvidia-smi`` tells it, as others may name the same GPU otherwise."""
    by_index = {card.number: card.uuid for card in cards()} if any(map(str.isdecimal, devices)) else {}
    uuids = {device: by_index.get(device, device)[:100] for device in devices}
    return {
        device: "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in uuid)
        for device, uuid in uuids.items()
    }


def _lock(path: Path) -> int | None:
    """Lock a file; return it open, or None where another process has locked it."""
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except OSError as error:
        os.close(file)
        raise DeviceError(
            f"{path.parent} cannot lock files ({error.strerror}). Set TMPDIR to a folder on a disk of this machine."
        ) from error
    return file

"""The NVIDIA GPUs of this machine, as they are seen without CuPy and PyTorch, and this process's share of one."""

import csv
import os
import re
import shutil
import subprocess
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable with the GPUs that CUDA shows to a process: indices or UUIDs, separated by commas."""

GIVEN_BY_SLURM = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS")
"""Environment variables with the GPUs that a SLURM job was given; SLURM_GPUS_ON_NODE has their number."""

DEVICES = Path("/dev")
DRIVER = Path("/sys/module/nvidia/version")

SPARED = 0.9
"""Share of a GPU's memory that is divided among its jobs; the rest is left for the CUDA contexts, some 0.5 GB each."""

QUERY = ("index", "uuid", "name", "memory.total", "memory.used", "driver_version")


class Card(NamedTuple):
    """A GPU, as ``nvidia-smi`` lists it.

    Attributes
    ----------
    number : str
        In the order of the PCI bus.
    uuid, name : str
    total_MiB, used_MiB : str, [MiB]
        Its memory, and what of it is in use by all processes.
    driver : str
        Version of the driver.
    """

    number: str
    uuid: str
    name: str
    total_MiB: str
    used_MiB: str
    driver: str


def cards() -> tuple[Card, ...]:
    """Return all GPUs that ``nvidia-smi`` lists; none where it is missing or fails, see :func:`ask_nvidia_smi`."""
    return ask_nvidia_smi()[0]


def ask_nvidia_smi() -> tuple[tuple[Card, ...], str]:
    """Ask ``nvidia-smi`` for all GPUs, for 20 s at most.

    Returns
    -------
    tuple of Card
    str
        Why it fails, in its own words; empty where it does not, or is not installed.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), ""
    command = [program, f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603  # fixed words
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), str(error)
    if done.returncode:
        words = " ".join((done.stdout + done.stderr).split())
        return (), words[:200] or f"exit code {done.returncode}"
    rows = [[value.strip() for value in row] for row in csv.reader(done.stdout.splitlines())]
    return tuple(Card(*row) for row in rows if len(row) == len(QUERY)), ""


def gpu_count() -> int:
    """Return the number of GPUs of the machine, whether this process may use them or not."""
    return len(list(DEVICES.glob("nvidia[0-9]*"))) or len(cards())


def has_gpu() -> bool:
    """Whether the machine has a GPU, whether this process may use it or not."""
    return gpu_count() > 0


def is_hidden() -> bool:
    """Whether all GPUs are hidden from this process: by :data:`VISIBLE`, or because SLURM has given it none."""
    return _named_devices() == []


def visible_count() -> int:
    """Return the number of GPUs that this process may use."""
    named, count = _named_devices(), gpu_count()
    if named is None or not count:
        return count
    parts = sum(word.startswith("MIG-") for word in named)  # of which a GPU has several
    return parts + min(count, len(named) - parts)


def visible_devices() -> list[str]:
    """Return the GPUs that this process may use, as words for :data:`VISIBLE`.

    UUIDs, where that variable does not name them: CUDA does not count GPUs in the order of ``nvidia-smi``.
    """
    named, count = _named_devices(), gpu_count()
    if named is not None:
        return named if count else []
    uuids = [card.uuid for card in cards()]
    return uuids if len(uuids) == count else [str(index) for index in range(count)]


def _named_devices() -> list[str] | None:
    """Return the GPUs that :data:`VISIBLE` names, up to the first that is none, as CUDA reads it; None where all are visible."""
    text = os.environ.get(VISIBLE)
    if text is None:
        # a node's GPUs belong to the jobs that have asked for them, whether or not SLURM hides them from others
        given = any(map(os.environ.get, GIVEN_BY_SLURM)) or os.environ.get("SLURM_GPUS_ON_NODE", "0") != "0"
        return None if given or "SLURM_JOB_ID" not in os.environ else []
    words, count = [word.strip() for word in text.split(",")], gpu_count()

    def is_device(word: str) -> bool:
        # SLURM writes NoDevFiles into it for a job without a GPU
        return word.startswith(("GPU-", "MIG-")) or (re.fullmatch(r"\d{1,4}", word) is not None and int(word) < count)

    return list(dict.fromkeys(takewhile(is_device, words)))


@cache
def driver_version() -> str:
    """Return the version of the NVIDIA driver, or ``unknown``."""
    try:
        return DRIVER.read_text(encoding="utf-8").strip()
    except OSError:
        return next((card.driver for card in cards()), "unknown")


_jobs_per_gpu = 1


def set_memory_share(jobs_per_gpu: int) -> None:
    """Let this process use its part of a GPU's memory, where several jobs share the GPU; takes effect at the first use.

    Parameters
    ----------
    jobs_per_gpu : int
        With 1, there is no limit.
    """
    global _jobs_per_gpu
    _jobs_per_gpu = jobs_per_gpu


def jobs_per_gpu() -> int:
    """Return how many jobs share a GPU with this process, itself included."""
    return _jobs_per_gpu


def memory_share() -> float:
    """Return the share of a GPU's memory that this process may use, in 0 … 1."""
    return 1.0 if _jobs_per_gpu == 1 else SPARED / _jobs_per_gpu

"""Time that work takes on a device, and how busy a card is."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import torch

REPEATS = 2
"""Rounds that count."""


def wait_for(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> float:
    """Return the median wall time of some work [s], after it has run once."""
    measured = []
    for round_ in range(repeats + 1):
        wait_for(device)
        begin = perf_counter()
        work()
        wait_for(device)
        if round_:
            measured.append(perf_counter() - begin)
    return median(measured)


@contextlib.contextmanager
def utilisation() -> Iterator[list[float]]:
    """Collect the card's utilisation [%] five times a second, where `nvidia-smi` tells it.

    One process for all: each start of one would take the driver's locks, and the host's time, from what is measured.
    """
    found: list[float] = []
    program = shutil.which("nvidia-smi")
    if program is None:
        yield found
        return
    command = [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0", "--loop-ms=200"]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield found
    finally:
        watch.terminate()
        for line in watch.communicate()[0].splitlines():
            with contextlib.suppress(ValueError):
                found.append(float(line))

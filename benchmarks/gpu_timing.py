"""Parts of a benchmark on a rare machine: time that work takes on a device, how busy a card is, and when time is up."""

import contextlib
import math
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch

Parts = Mapping[str, Callable[[], dict[str, float]]]
"""What a benchmark measures, in order; each part returns figures by name, which ends in the unit."""

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


@dataclass
class Measured:
    """What the parts of a benchmark have given.

    Attributes
    ----------
    figures : dict of str to float
    seconds : dict of str to float
        Time that each part took.
    failed : dict of str to str
        Error messages of parts.
    left_out : list of str
        Parts that have not ended: no time was left, or the run was cut short.
    """

    figures: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def measured(
    parts: Parts, *, until: float = math.inf, after_each: Callable[[Measured], object] | None = None
) -> Measured:
    """Measure some parts: one that fails, or a run that is cut short, loses no other.

    Parameters
    ----------
    parts : mapping of str to callable
    until : float, [s]
        Time since the epoch after which no part begins.
    after_each : callable, optional
        Called with what there is, at the begin and after every part.
    """
    found = Measured(left_out=list(parts))
    tell = after_each or (lambda _: None)
    tell(found)
    for name, part in parts.items():
        begin = time.time()
        if begin >= until:
            break
        try:
            found.figures |= part()
        except Exception as error:  # its trace is printed, and the exit code tells
            traceback.print_exc()
            found.failed[name] = f"{type(error).__name__}: {str(error)[:300]}"
        found.seconds[name] = round(time.time() - begin, 1)
        found.left_out.remove(name)
        tell(found)
    return found

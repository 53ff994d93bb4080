"""Signals between Snakemake and its jobs.

SLURM sends signals to the process that it started, which is Snakemake, not to its children. And a killed Snakemake cannot
tell its jobs to end.
"""

import os
import signal
import threading
import time
from collections.abc import Sequence

import psutil

FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def forward_signals(numbers: Sequence[int] = FORWARDED) -> None:
    """Forward signals to the children of this process, in addition to its own handlers.

    SIGUSR1 and SIGUSR2 would end Snakemake, so they get a handler that does nothing. On SIGTERM, Snakemake waits for its
    job, which would not receive the signal. To be called in the main thread, once.

    Parameters
    ----------
    numbers : sequence of int
        Signals.
    """
    for number in numbers:
        if signal.getsignal(number) == signal.SIG_DFL and number != signal.SIGTERM:
            signal.signal(number, lambda _number, _frame: None)
    end, begin = os.pipe()
    os.set_blocking(begin, False)
    signal.set_wakeup_fd(begin, warn_on_full_buffer=False)  # Python writes the number of every signal that it handles
    threading.Thread(target=_forward, args=(end, frozenset(numbers)), daemon=True).start()


def _forward(end: int, numbers: frozenset[int]) -> None:
    this = psutil.Process()
    while received := os.read(end, 1):
        if received[0] in numbers:
            for child in this.children():
                child.send_signal(received[0])


def end_with_parent(every_s: float = 1.0) -> None:
    """Send this process SIGTERM when its parent has ended.

    Snakemake, when it is killed outright, leaves its jobs at work. The next one would start the same jobs beside them: twice
    the work and twice the memory, on a machine that perhaps killed Snakemake for want of memory.

    Parameters
    ----------
    every_s : float, [s]
        Time between looks at the parent.
    """
    threading.Thread(target=_end_after, args=(os.getppid(), every_s), daemon=True).start()


def _end_after(parent: int, every_s: float) -> None:
    while os.getppid() == parent:
        time.sleep(every_s)
    os.kill(os.getpid(), signal.SIGTERM)

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

from hrtem_ood.artifacts.processes import process_runs, process_start
from hrtem_ood.progress import log

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


SNAKEMAKE = "HRTEM_OOD_SNAKEMAKE"
"""Environment variable with the process number of the Snakemake that a job belongs to; the shell of its rule sets it."""


def end_with_snakemake(every_s: float = 1.0) -> None:
    """Send this process SIGTERM when the Snakemake that it belongs to has ended; a process started by hand belongs to none.

    Snakemake, when it is killed outright, leaves its jobs at work. The next one would start the same jobs beside them: twice
    the work and twice the memory, on a machine that perhaps killed Snakemake for want of memory.

    Parameters
    ----------
    every_s : float, [s]
        Time between looks at Snakemake.
    """
    text = os.environ.get(SNAKEMAKE, "")
    if text.isdecimal() and int(text) > 1:  # 0 is outside of a container, and 1 never ends before its jobs
        threading.Thread(target=_end_after, args=(int(text), every_s), daemon=True).start()


def _end_after(snakemake: int, every_s: float) -> None:
    start = process_start(snakemake)
    while process_runs(snakemake, start):
        time.sleep(every_s)
    log("Snakemake has ended, and so does this job; the next Snakemake starts it again")
    os.kill(os.getpid(), signal.SIGTERM)

"""Passing signals on: SLURM sends them to the process that it started, which is Snakemake, not to what works below it."""

import os
import signal
import threading
from collections.abc import Sequence

import psutil

PASSED_ON = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def forward_signals(numbers: Sequence[int] = PASSED_ON) -> None:
    """Let the children of this process have the signals that it gets, whoever handles them here.

    Snakemake would die of SIGUSR1 and SIGUSR2, so they get a handler that does nothing; and on SIGTERM it waits for its
    job, which does not know of it. To be called in the main thread, once.

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

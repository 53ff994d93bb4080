"""Clean end of a job after a stop signal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that request the end of a job; SIGHUP, of a terminal that is closed, unless ``nohup`` has it ignored."""


class StopSignal:
    """Stores the first signal that was received.

    Attributes
    ----------
    number : int or None
    """

    number: int | None = None

    def check(self) -> None:
        """End the process with the usual exit code if a signal was received."""
        if self.number is not None:
            raise SystemExit(128 + self.number)

    def note(self, number: int, _frame: Any) -> None:
        """Store a signal without raising, which could interrupt any operation. A second Ctrl-C ends the process at once."""
        if number == signal.SIGINT and self.number is not None:
            self.check()
        self.number = self.number or number


@contextmanager
def catch_stop_signals() -> Iterator[StopSignal]:
    """Defer stop signals inside the block, which calls :meth:`StopSignal.check` at safe points."""
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may handle signals
        return
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else set()
    before = {number: signal.signal(number, stop.note) for number in STOP_SIGNALS if number not in ignored}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Ending a job that is asked to end, where nothing is lost by it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals by which a job is asked to end."""


class StopSignal:
    """Remembers the first signal that came.

    Attributes
    ----------
    number : int or None
    """

    number: int | None = None

    def check(self) -> None:
        """End the process with the usual exit code if a signal has come."""
        if self.number is not None:
            raise SystemExit(128 + self.number)

    def note(self, number: int, _frame: Any) -> None:
        """Remember a signal: raising here could break off anything. A second Ctrl-C is meant, though."""
        if number == signal.SIGINT and self.number is not None:
            self.check()
        self.number = self.number or number


@contextmanager
def catch_stop_signals() -> Iterator[StopSignal]:
    """Let signals be noted, not obeyed, inside the block; whoever works there calls :meth:`StopSignal.check` now and then."""
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may handle signals
        return
    before = {number: signal.signal(number, stop.note) for number in STOPS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Whether a process that a file names is still running."""

import psutil

START_TOLERANCE_S = 30.0
"""Largest difference of the start times of one process [s]: they follow steps of the system's clock."""


def process_start(pid: int) -> float | None:
    """Return when a process started [s since the epoch]; None for one that has ended.

    Parameters
    ----------
    pid : int
        Of a process of this machine.
    """
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def process_runs(pid: int, start: float | None) -> bool:
    """Whether a process of this machine runs, and is not a later one of the same number.

    Parameters
    ----------
    pid : int
    start : float or None, [s]
        When it started, as :func:`process_start` returned then; None where that is unknown.
    """
    current = process_start(pid)
    return current is not None and (start is None or abs(current - start) < START_TOLERANCE_S)

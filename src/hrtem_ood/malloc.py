"""Handling of freed memory by the C library."""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step.

    By default it returns large arrays, such as a network's activations, to the system at once and requests new ones, which
    are zeroed page by page; `benchmarks/allocation.py` measures the cost. (glibc only; elsewhere nothing is done.)
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the largest value that glibc accepts
    mallopt(M_TRIM_THRESHOLD, 2**30)

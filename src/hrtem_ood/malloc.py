"""How the C library deals with memory that is freed."""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the next step.

    By default it gives large arrays, such as a network's activations, back to the system at once and asks for them anew,
    zeroed page by page; what that costs, `benchmarks/allocation.py` measures. (glibc only; elsewhere nothing is done.)
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the most that glibc takes
    mallopt(M_TRIM_THRESHOLD, 2**30)

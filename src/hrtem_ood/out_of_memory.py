"""A lack of memory, of the CPU, of CuPy or of PyTorch, told in words."""

from collections.abc import Iterator
from contextlib import contextmanager

from hrtem_ood.errors import DeviceError
from hrtem_ood.gpu_messages import MEMORY

OF_CPU = "can't allocate memory"
"""Words of PyTorch's error, which has no type of its own."""

OF_LIBRARIES = ("torch", "cupy", "cupy_backends", "cupyx")


@contextmanager
def explain_out_of_memory(what: str, advice: str) -> Iterator[None]:
    """Turn an out-of-memory error inside the block into one that says what to change.

    Parameters
    ----------
    what : str
        The operation, and the network or structure.
    advice : str
        A sentence.

    Raises
    ------
    DeviceError
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        of_gpu = _is_of_gpu(error, text)
        if not of_gpu and not isinstance(error, MemoryError) and OF_CPU not in text:
            raise
        # the other lines are PyTorch's own trace
        first_line = text.partition("\n")[0].rstrip(". ") or type(error).__name__
        raise DeviceError(
            f"{what}: out of memory on the {'GPU' if of_gpu else 'CPU'}: {first_line}. {advice}"
        ) from error


def _is_of_gpu(error: Exception, text: str) -> bool:
    """Whether a GPU lacks memory. Neither CuPy nor PyTorch is imported for it: CuPy's error is a MemoryError."""
    kind = type(error)
    if kind.__name__ == "OutOfMemoryError" and kind.__module__.partition(".")[0] in OF_LIBRARIES:
        return True
    return not isinstance(error, MemoryError) and any(word in text for word in MEMORY)

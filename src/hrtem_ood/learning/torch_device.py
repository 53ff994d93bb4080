"""Device of PyTorch's computations, and settings for reproducible results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

from hrtem_ood.array_module import Device
from hrtem_ood.errors import DeviceError
from hrtem_ood.malloc import keep_freed_memory


def torch_device(device: Device) -> torch.device:
    """Resolve ``auto`` to the device that PyTorch has. It has never run on a GPU yet.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    torch.device

    Raises
    ------
    DeviceError
        If a GPU is requested and PyTorch detects none.
    """
    if device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", 0)
    if device == "gpu":
        raise DeviceError(
            "a GPU is requested (execution.device, or --device), but PyTorch detects none. Use auto or cpu, "
            "or install PyTorch for CUDA (envs/environment-gpu.yaml)."
        )
    return torch.device("cpu")


def device_name(device: torch.device) -> str:
    """``cpu``, or the name of the GPU."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


SHORT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
"""Words of PyTorch's out-of-memory errors that have no separate type: of the CPU, of CUDA, of its libraries."""


@contextmanager
def explain_out_of_memory(what: str, advice: str) -> Iterator[None]:
    """Turn an out-of-memory error inside the block into one that says what to change.

    Parameters
    ----------
    what : str
        The operation, and the network.
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
        of_gpu = isinstance(error, torch.OutOfMemoryError) or any(word in text for word in SHORT_OF_MEMORY[1:])
        if not of_gpu and not isinstance(error, MemoryError) and SHORT_OF_MEMORY[0] not in text:
            raise
        # the other lines are PyTorch's own trace
        first_line = text.partition("\n")[0].rstrip(". ") or type(error).__name__
        raise DeviceError(
            f"{what}: out of memory on the {'GPU' if of_gpu else 'CPU'}: {first_line}. {advice}"
        ) from error


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute on one CPU thread, with deterministic algorithms only, and in full float32, inside the block.

    The result of a sum depends on the number of threads. With one thread, results do not depend on the number of cores of
    a job, and several jobs on one machine do not compete for cores.
    """
    keep_freed_memory()
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    switches: Any = torch.utils.deterministic  # a module with a property, which mypy does not support
    fill = switches.fill_uninitialized_memory
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # GPUs would round float32 factors to 10 bits of mantissa
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    # cuBLAS is deterministic only with its own workspace, which must be set before its first use
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A debugging aid that first writes NaN into all new memory; it takes a tenth of the time.
    switches.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        switches.fill_uninitialized_memory = fill
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32

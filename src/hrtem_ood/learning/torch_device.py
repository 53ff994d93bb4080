"""Where PyTorch computes, and how it is made to give the same numbers every time."""

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
    """Turn ``auto`` into the device that PyTorch has here. It has never run on a GPU yet.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    torch.device

    Raises
    ------
    DeviceError
        When a GPU is asked for and PyTorch sees none.
    """
    if device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", 0)
    if device == "gpu":
        raise DeviceError(
            "a GPU is asked for (execution.device, or --device), but PyTorch sees none here. Use auto or cpu, "
            "or install PyTorch for CUDA (envs/environment-gpu.yaml)."
        )
    return torch.device("cpu")


def device_name(device: torch.device) -> str:
    """``cpu``, or the name of the GPU."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


SHORT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
"""What PyTorch's errors say, where they have no type of their own: of the CPU, of CUDA, of its libraries."""


@contextmanager
def explain_out_of_memory(what: str, advice: str) -> Iterator[None]:
    """Turn a lack of memory inside the block into an error that tells what to change.

    Parameters
    ----------
    what : str
        What was being done, and to which network.
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
        # the first line; what follows is a trace of PyTorch's own
        told = text.partition("\n")[0].rstrip(". ") or type(error).__name__
        raise DeviceError(f"{what}: out of memory on the {'GPU' if of_gpu else 'CPU'}: {told}. {advice}") from error


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute on one CPU thread, with deterministic algorithms only, and in full float32, inside the block.

    Sums come out differently when threads share them. With one thread, results do not depend on how many cores a job
    got, and several jobs on one machine do not fight for its cores.
    """
    keep_freed_memory()
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    switches: Any = torch.utils.deterministic  # a module with a property, which mypy knows not
    fill = switches.fill_uninitialized_memory
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # GPUs would round float32 factors to 10 bits of mantissa
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    # cuBLAS is deterministic only with a workspace of its own, asked for before it is first used
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A debugging aid that writes NaN into all new memory first; a tenth of the time.
    switches.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        switches.fill_uninitialized_memory = fill
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32

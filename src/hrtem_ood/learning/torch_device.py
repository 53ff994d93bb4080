"""Device of PyTorch's computations, and settings for reproducible results."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.utils.deterministic

from hrtem_ood import gpu_messages
from hrtem_ood.array_module import Device, Usability, choose
from hrtem_ood.gpu_machine import driver_version, has_gpu, is_hidden, memory_share
from hrtem_ood.malloc import keep_freed_memory
from hrtem_ood.out_of_memory import explain_out_of_memory as explain_out_of_memory


@cache
def torch_usability() -> Usability:
    """Find out whether PyTorch computes on a GPU, once per process: by a convolution that is really run.

    With a driver that is too old, PyTorch only warns and detects no GPU.
    """
    if is_hidden():
        return Usability(False, gpu_messages.hidden_gpu() if has_gpu() else None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        return Usability(False, _why_not([str(each.message) for each in caught]) if has_gpu() else None)
    _set_workspace()
    try:
        ones = torch.ones(1, 1, 8, 8, device=torch.device("cuda", 0))
        total = float(torch.nn.functional.conv2d(ones, torch.ones_like(ones[..., :3, :3])).sum())
    except Exception as error:  # of CUDA, of cuDNN, of memory, of a call that PyTorch has put off
        return Usability(False, gpu_messages.explain("PyTorch", error))
    if total != 324:  # 6 × 6 sums of 9 ones
        return Usability(False, gpu_messages.failure("PyTorch", f"a convolution of ones gives {total:g}, not 324"))
    return Usability(True)


def _why_not(warned: list[str]) -> gpu_messages.Problem:
    """Return why PyTorch detects no GPU on a machine that has one, from what it warns of."""
    if torch.version.cuda is None:
        return gpu_messages.no_cuda_in_torch(torch.__version__)
    return (
        gpu_messages.explain("PyTorch", warned[0]) if warned else gpu_messages.failure("PyTorch", "it detects no GPU")
    )


def torch_device(device: Device) -> torch.device:
    """Resolve ``auto`` to the device that PyTorch can use, see :func:`torch_usability`.

    On a GPU, its memory is limited to this process's share, see :func:`hrtem_ood.gpu_machine.set_memory_share`.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    torch.device

    Raises
    ------
    DeviceError
        If a GPU is requested and PyTorch cannot use one.
    """
    if device == "cpu" or choose(device, "PyTorch", torch_usability()) == "cpu":
        return torch.device("cpu")
    where = torch.device("cuda", 0)
    if memory_share() < 1:
        torch.cuda.set_per_process_memory_fraction(memory_share(), where)
    return where


def device_name(device: torch.device) -> str:
    """``cpu``, or the name of the GPU."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def device_software(device: torch.device) -> dict[str, str]:
    """Return versions of what computes on a GPU, for an artifact's provenance; nothing for the CPU."""
    if device.type == "cpu":
        return {}
    cudnn: Any = torch.backends.cudnn  # not typed
    return {
        "CUDA of PyTorch": str(torch.version.cuda),
        "cuDNN": str(cudnn.version()),
        "NVIDIA driver": driver_version(),
    }


def free_memory(device: torch.device) -> int:
    """Return the free memory of a GPU, of this process's share at most [B]."""
    free, total = torch.cuda.mem_get_info(device)
    return min(free, int(memory_share() * total) - torch.cuda.memory_reserved(device))


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute in full float32 inside the block: with TF32, GPUs round float32 factors to 10 bits of mantissa."""
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32


def _set_workspace() -> None:
    """Give cuBLAS the workspace with which alone it is deterministic; this must be done before its first use."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


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
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    _set_workspace()
    # A debugging aid that first writes NaN into all new memory; it takes a tenth of the time.
    switches.fill_uninitialized_memory = False
    try:
        with full_precision():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        switches.fill_uninitialized_memory = fill

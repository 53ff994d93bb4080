"""Where PyTorch computes, and how it is made to give the same numbers every time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic

from hrtem_ood.device import Device
from hrtem_ood.errors import DeviceError


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
            "execution.device is gpu, but PyTorch sees no GPU here. Use `device: auto` or `device: cpu`, "
            "or install PyTorch for CUDA (envs/environment-gpu.yaml)."
        )
    return torch.device("cpu")


def device_name(device: torch.device) -> str:
    """``cpu``, or the name of the GPU."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute on one CPU thread and with deterministic algorithms only, inside the block.

    Sums come out differently when threads share them. With one thread, results do not depend on how many cores a job
    got, and several jobs on one machine do not fight for its cores.
    """
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    switches: Any = torch.utils.deterministic  # a module with a property, which mypy knows not
    fill = switches.fill_uninitialized_memory
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # A debugging aid that writes NaN into all new memory first; a tenth of the time.
    switches.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        switches.fill_uninitialized_memory = fill

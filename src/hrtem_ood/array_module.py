"""The array module: NumPy on the CPU or CuPy on a GPU, chosen once and passed on.

Code that takes an :class:`ArrayModule` is the same for both, but for inner loops that are compiled for one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

import numpy as np

from hrtem_ood.errors import DeviceError

Device = Literal["auto", "cpu", "gpu"]


def cupy_available() -> bool:
    """Whether CuPy is installed and detects a GPU; it can be imported without one."""
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def resolve_device(device: Device) -> Literal["cpu", "gpu"]:
    """Resolve ``auto`` to the available device.

    Raises
    ------
    DeviceError
        If a GPU is requested and CuPy detects none.
    """
    if device == "cpu":
        return "cpu"
    if cupy_available():
        return "gpu"
    if device == "gpu":
        raise DeviceError(
            "a GPU is requested (execution.device, or --device), but CuPy detects none. Use auto or cpu, "
            "or install CuPy and its CUDA libraries (envs/environment-gpu.yaml)."
        )
    return "cpu"


@dataclass(frozen=True)
class KernelSource:
    """One pass over arrays that is compiled for a GPU, in place of several calls of the array module.

    Attributes
    ----------
    name : str
    inputs, outputs : str
        Types and names, as ``cupy.ElementwiseKernel`` takes them; ``raw`` ones are indexed in the operation.
    operation : str
        CUDA C++ for the element ``i``. It must not depend on the order in which elements are visited.
    """

    name: str
    inputs: str
    outputs: str
    operation: str


@dataclass(frozen=True)
class ArrayModule:
    """An array module with its FFTs.

    Attributes
    ----------
    name : str
        ``cpu`` or ``gpu``.
    xp : module
        ``numpy`` or ``cupy``.
    fft : module
        ``scipy.fft`` or ``cupyx.scipy.fft``; both keep single precision.
    """

    name: Literal["cpu", "gpu"]
    xp: ModuleType
    fft: ModuleType

    def to_numpy(self, array: Any) -> np.ndarray:
        """Bring an array to host memory."""
        return np.asarray(array) if self.name == "cpu" else array.get()

    @property
    def compiles(self) -> bool:
        """Whether kernels can be compiled: CuPy's own speciality."""
        return hasattr(self.xp, "ElementwiseKernel")

    def kernel(self, source: KernelSource) -> Callable[..., Any]:
        """Compile a kernel, once per process; :attr:`compiles` says whether that is possible."""
        return _compiled(self.xp, source)


@lru_cache
def _compiled(xp: ModuleType, source: KernelSource) -> Callable[..., Any]:
    kernel: Callable[..., Any] = xp.ElementwiseKernel(source.inputs, source.outputs, source.operation, source.name)
    return kernel


def array_module(device: Device) -> ArrayModule:
    """Return the arrays and FFTs of a device; see :func:`resolve_device`."""
    chosen = resolve_device(device)
    if chosen == "gpu":
        import cupy
        import cupyx.scipy.fft

        return ArrayModule("gpu", cupy, cupyx.scipy.fft)
    import scipy.fft

    return ArrayModule("cpu", np, scipy.fft)

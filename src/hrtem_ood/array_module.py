"""The array module: NumPy on the CPU or CuPy on a GPU, chosen once and passed on.

Code that takes an :class:`ArrayModule` is the same for both, but for inner loops that are compiled for one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from hrtem_ood import gpu_messages
from hrtem_ood.errors import DeviceError
from hrtem_ood.gpu_machine import driver_version, has_gpu, is_hidden, memory_share
from hrtem_ood.progress import log

Device = Literal["auto", "cpu", "gpu"]


class Usability(NamedTuple):
    """Whether a library computes on a GPU.

    Attributes
    ----------
    works : bool
    problem : Problem or None
        Why not; None where it works, or there is no GPU at all.
    """

    works: bool
    problem: gpu_messages.Problem | None = None


@cache
def cupy_usability() -> Usability:
    """Find out whether CuPy computes on a GPU, once per process: by an FFT and an elementwise kernel that are really run.

    Without CUDA's libraries CuPy can be imported and even detects GPUs, but the first kernel or FFT fails.
    """
    if is_hidden():
        return Usability(False, gpu_messages.hidden_gpu() if has_gpu() else None)
    try:
        import cupy
        import cupyx.scipy.fft
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("cupy", "cupyx"):
            return Usability(False, gpu_messages.no_cuda_libraries(str(error)))
        return Usability(False, gpu_messages.no_cupy() if has_gpu() else None)
    except Exception as error:  # of its own checks when it is imported
        return Usability(False, gpu_messages.explain("CuPy", error))
    try:
        wave = cupy.arange(16, dtype=np.complex64)
        back = cupyx.scipy.fft.ifft(cupyx.scipy.fft.fft(wave))
        difference = float(cupy.abs(back - wave).max())
    # CuPy's errors have many types: of its runtime, its compiler, its FFTs, its loader of libraries
    except Exception as error:
        problem = gpu_messages.explain("CuPy", error)
        # without any driver, CUDA says that the driver is insufficient
        return Usability(False, problem if has_gpu() else None)
    if not difference < 1e-4:
        return Usability(False, gpu_messages.failure("CuPy", f"an FFT of 16 points is wrong by {difference:.3g}"))
    return Usability(True)


def cupy_available() -> bool:
    """Whether CuPy computes on a GPU, see :func:`cupy_usability`."""
    return cupy_usability().works


def choose(device: Device, library: str, usability: Usability) -> Literal["cpu", "gpu"]:
    """Resolve ``auto`` for a library, with a log line, once per process, where a GPU of the machine is not used.

    Parameters
    ----------
    device : {"auto", "gpu"}
    library : {"CuPy", "PyTorch"}
    usability : Usability

    Raises
    ------
    DeviceError
        If a GPU is requested and the library cannot use one.
    """
    if usability.works:
        return "gpu"
    if device == "gpu":
        raise DeviceError(f"{gpu_messages.REQUESTED} {usability.problem or gpu_messages.no_gpu(library)}")
    if usability.problem is not None:
        _log_once(f"{library} computes on the CPU: {usability.problem}")
    return "cpu"


@cache
def _log_once(message: str) -> None:
    log(message)


def resolve_device(device: Device) -> Literal["cpu", "gpu"]:
    """Resolve ``auto`` to the device that CuPy can use, see :func:`cupy_usability`.

    Raises
    ------
    DeviceError
        If a GPU is requested and CuPy cannot use one.
    """
    return "cpu" if device == "cpu" else choose(device, "CuPy", cupy_usability())


def cupy_distributions() -> list[str]:
    """Return the installed packages that hold CuPy: ``cupy`` of conda, ``cupy-cuda13x``, or another."""
    return sorted(set(metadata.packages_distributions().get("cupy", [])))


def cuda_version(number: int) -> str:
    """Return a version of CUDA from its number.

    Examples
    --------
    >>> from hrtem_ood.array_module import cuda_version
    >>> cuda_version(13020)
    '13.2'
    """
    return f"{number // 1000}.{number % 1000 // 10}"


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
    def device_name(self) -> str:
        """``cpu``, or the name of the GPU."""
        if self.name == "cpu":
            return "cpu"
        runtime = self.xp.cuda.runtime
        name = runtime.getDeviceProperties(runtime.getDevice())["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    @property
    def software(self) -> dict[str, str]:
        """Versions of what computes on the GPU, for an artifact's provenance; empty on the CPU."""
        if self.name == "cpu":
            return {}
        return {
            **{name: metadata.version(name) for name in cupy_distributions()},
            "CUDA of CuPy": cuda_version(self.xp.cuda.runtime.runtimeGetVersion()),
            "NVIDIA driver": driver_version(),
        }

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
    """Return the arrays and FFTs of a device; see :func:`resolve_device`.

    On a GPU, CuPy's memory pool is limited to this process's share, see :func:`hrtem_ood.gpu_machine.set_memory_share`.
    """
    chosen = resolve_device(device)
    if chosen == "gpu":
        import cupy
        import cupyx.scipy.fft

        if memory_share() < 1:
            cupy.get_default_memory_pool().set_limit(fraction=memory_share())
        return ArrayModule("gpu", cupy, cupyx.scipy.fft)
    import scipy.fft

    return ArrayModule("cpu", np, scipy.fft)

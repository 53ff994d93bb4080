"""What is wrong with a GPU, CuPy, PyTorch or the driver, and what to install or change: names of packages are here only."""

from hrtem_ood.gpu_machine import VISIBLE, driver_version

CUDA_MAJOR = 13
"""The CUDA of CuPy's and PyTorch's packages."""

OLDEST_DRIVER = 580
"""The first driver for CUDA 13 (CUDA Toolkit release notes, table of minimum driver versions)."""

CUPY = f"cupy-cuda{CUDA_MAJOR}x"
CUPY_REQUIREMENT = f"{CUPY}[ctk]>=14"
INSTALL_CUPY = f"pip install '{CUPY_REQUIREMENT}'"
PAGE = "docs/gpu.md"

REQUESTED = "a GPU is requested (execution.device, or --device), but"

_OLD = ("insufficient", "driver on your system is too old", "PTX was compiled with an unsupported toolchain")
_NONE = ("cudaErrorNoDevice", "no CUDA-capable device", "No CUDA GPUs are available", "no NVIDIA driver")
_MEMORY = ("out of memory", "Out of memory", "ALLOC_FAILED", "MemoryAllocation")
_LIBRARIES = ("cannot open shared object", "failed to load", "Failed to find CUDA")


def no_cupy() -> str:
    """CUDA without CuPy."""
    return (
        "the machine has a GPU, but CuPy is not installed, so simulation and imaging cannot use it. "
        f"Install it: {INSTALL_CUPY} ({PAGE})"
    )


def no_cuda_libraries(reason: str) -> str:
    """CuPy without CUDA's libraries."""
    return (
        f"CuPy is installed, but not the CUDA libraries that it needs ({reason}). "
        f"Install both together: {INSTALL_CUPY} ({PAGE})"
    )


def old_driver(library: str, reason: str) -> str:
    """Driver too old for CUDA."""
    return (
        f"the NVIDIA driver {driver_version()} is too old for {library} ({reason}). "
        f"Install driver {OLDEST_DRIVER} or newer, which CUDA {CUDA_MAJOR} needs ({PAGE})"
    )


def no_memory(library: str, reason: str) -> str:
    """No memory is left on the GPU."""
    return (
        f"no memory is left on the GPU for {library} ({reason}). End what else runs there (nvidia-smi lists it), or lower "
        "execution.jobs_per_gpu"
    )


def no_gpu(library: str) -> str:
    """Explain that a GPU is requested and absent."""
    return f"{library} detects none. Use auto or cpu, or a machine with a GPU"


def hidden_gpu() -> str:
    """Explain that the environment hides the GPU."""
    return f"{VISIBLE} hides the GPU from this process. Unset it; in a SLURM job, request a GPU (gres in the profile)"


def no_cuda_in_torch(version: str) -> str:
    """PyTorch without CUDA."""
    return (
        f"the machine has a GPU, but PyTorch {version} was built without CUDA, so networks cannot use it. "
        f"Install PyTorch's build for CUDA {CUDA_MAJOR} ({PAGE})"
    )


def two_cuda_versions(of_torch: str, of_cupy: str) -> str:
    """PyTorch and CuPy of different CUDA."""
    return (
        f"PyTorch is built for CUDA {of_torch}, CuPy for CUDA {of_cupy}. Install both for CUDA {CUDA_MAJOR}: {INSTALL_CUPY}, "
        f"and PyTorch's build for it ({PAGE})"
    )


def two_cupys(distributions: list[str]) -> str:
    """Several packages of CuPy, which overwrite each other's files."""
    return f"{' and '.join(distributions)} are installed together. Uninstall all of them, then {INSTALL_CUPY}"


def failure(library: str, reason: str) -> str:
    """Any other failure of a computation on the GPU."""
    return f"{library} cannot compute on the GPU ({reason}). Compare nvidia-smi with `hrtem-ood doctor` ({PAGE})"


def explain(library: str, error: BaseException | str) -> str:
    """Return which of these a library's error is.

    Parameters
    ----------
    library : {"CuPy", "PyTorch"}
    error : Exception or str
        Its error, or the text of its warning.

    Returns
    -------
    str
        A sentence without its full stop; empty where the machine has no GPU or the library detects none.
    """
    text = str(error).strip()
    reason = f"{text.partition(chr(10))[0].rstrip('. ') or type(error).__name__:.80}"
    if any(word in text for word in _OLD):
        return old_driver(library, reason)
    if any(word in text for word in _NONE):
        return ""
    if any(word in text for word in _MEMORY):
        return no_memory(library, reason)
    if library == "CuPy" and (isinstance(error, ImportError | OSError) or any(word in text for word in _LIBRARIES)):
        return no_cuda_libraries(reason)
    return failure(library, reason)

"""What is wrong with a GPU, CuPy, PyTorch or the driver, and what to install or change: names of packages are here only."""

import os
import shlex
import sys
from typing import NamedTuple

from hrtem_ood.gpu_machine import VISIBLE, driver_version

CUDA_MAJOR = 13
"""The CUDA of CuPy's and PyTorch's packages."""

OLDEST_DRIVER = 580
"""The first driver for CUDA 13 (CUDA Toolkit release notes, table of minimum driver versions)."""

CUPY_REQUIREMENT = f"cupy-cuda{CUDA_MAJOR}x[ctk]>=14"
INSTALL_CUPY = f"{shlex.quote(sys.executable)} -m pip install '{CUPY_REQUIREMENT}'"
PAGE = "docs/gpu.md"

_GRES = "request a GPU (`gres` in the profile)"
"""What to do in a SLURM job."""

_COMPARE = f"elsewhere, compare nvidia-smi with `hrtem-ood doctor` ({PAGE})"

REQUESTED = "a GPU is requested (execution.device, or --device), but"

_OLD = ("insufficient", "driver on your system is too old", "unsupported toolchain")
MEMORY = ("out of memory", "Out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED", "MemoryAllocation")
_LIBRARIES = ("cannot open shared object", "failed to load", "Failed to find CUDA", "Failure finding")
_NOT_GIVEN = ("no CUDA-capable device", "cudaErrorNoDevice")
"""Words of CUDA's, CuPy's and PyTorch's errors, by kind. CuPy 14 finds libraries by the package cuda-pathfinder."""


class Problem(NamedTuple):
    """A reason why a GPU is not used.

    Attributes
    ----------
    what : str
        What is wrong, without a full stop.
    fix : str
        What to install or change, a sentence or two.
    """

    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}. {self.fix}"


def no_cupy() -> Problem:
    """CUDA without CuPy."""
    what = "the machine has a GPU, but CuPy is not installed, so simulation and imaging cannot use it"
    return Problem(what, f"Run {INSTALL_CUPY} ({PAGE}).")


def no_cuda_libraries(reason: str) -> Problem:
    """CuPy without CUDA's libraries."""
    what = f"CuPy is installed, but not the CUDA libraries that it needs ({reason})"
    return Problem(what, f"Install both together: {INSTALL_CUPY} ({PAGE}).")


def no_driver(reason: str) -> Problem:
    """GPU without a driver that answers."""
    what = f"nvidia-smi fails ({reason.rstrip('. ')})" if reason else "nvidia-smi lists none"
    return Problem(what, f"Start it by hand, and mend the driver or the card that it names ({PAGE}).")


def old_driver(library: str, reason: str) -> Problem:
    """Driver too old for CUDA; or not old, but out of reach, as CUDA also says "insufficient" where it finds no driver."""
    version = driver_version()
    if not is_old(version) and "too old" not in reason:
        what = f"the NVIDIA driver {version} does not answer {library} ({reason})"
        return Problem(what, f"In a container, start it with the GPU's libraries (--nv, or --gpus all); {_COMPARE}.")
    what = f"the NVIDIA driver {version} is too old for {library} ({reason})"
    return Problem(what, f"Install driver {OLDEST_DRIVER} or newer, which CUDA {CUDA_MAJOR} needs ({PAGE}).")


def is_old(driver: str) -> bool:
    """Whether the version of a driver is below the oldest one; yes where it cannot be read."""
    major = driver.partition(".")[0]
    return not major.isdecimal() or int(major) < OLDEST_DRIVER


def no_memory(library: str, reason: str) -> Problem:
    """No memory left on the GPU."""
    what = f"no memory is left on the GPU for {library} ({reason})"
    return Problem(what, "End what else runs there (nvidia-smi lists it), or lower execution.jobs_per_gpu.")


def no_gpu(library: str) -> Problem:
    """GPU requested and absent."""
    return Problem(
        f"{library} detects none", "Use auto or cpu, or a machine with a GPU; `hrtem-ood doctor` shows what is found."
    )


def hidden_gpu() -> Problem:
    """GPU hidden by the environment, or not given by SLURM."""
    if VISIBLE not in os.environ:
        what = "the machine has a GPU, but SLURM has given this job none"
        return Problem(what, f"Let it {_GRES}; where SLURM does not count GPUs, set {VISIBLE} ({PAGE}).")
    what = f"{VISIBLE} hides the GPU from this process"
    return Problem(what, f"Unset it; in a SLURM job, {_GRES}.")


def gpu_not_given(reason: str) -> Problem:
    """GPU of the machine that this process may not use."""
    what = f"the machine has a GPU that is not given to this process ({reason})"
    return Problem(what, f"In a SLURM job, {_GRES}; {_COMPARE}.")


def cache_not_written(reason: str) -> Problem:
    """Folder of CuPy's compiled kernels that cannot be written."""
    what = f"CuPy cannot keep the kernels that it compiles ({reason})"
    return Problem(what, "Set CUPY_CACHE_DIR to a folder that can be written, by default it is ~/.cupy/kernel_cache.")


def no_cuda_in_torch(version: str) -> Problem:
    """PyTorch without CUDA."""
    what = f"the machine has a GPU, but PyTorch {version} was built without CUDA, so networks cannot use it"
    return Problem(what, f"Install PyTorch's build for CUDA {CUDA_MAJOR} ({PAGE}).")


def two_cuda_versions(of_torch: str, of_cupy: str) -> Problem:
    """PyTorch and CuPy for different CUDA."""
    what = f"PyTorch is built for CUDA {of_torch}, CuPy for CUDA {of_cupy}"
    return Problem(what, f"Install both for CUDA {CUDA_MAJOR}: {INSTALL_CUPY}, and PyTorch's build for it ({PAGE}).")


def two_cupys(distributions: list[str]) -> Problem:
    """Several packages of CuPy, which overwrite each other's files."""
    what = f"{' and '.join(distributions)} are installed together"
    return Problem(what, f"Uninstall all of them, then run {INSTALL_CUPY}.")


def failure(library: str, reason: str) -> Problem:
    """Any other failure of a computation on the GPU."""
    what = f"{library} cannot compute on the GPU ({reason})"
    return Problem(what, f"Compare nvidia-smi with `hrtem-ood doctor` ({PAGE}).")


def explain(library: str, error: BaseException | str) -> Problem:
    """Return which of these the error of a library is, on a machine that has a GPU.

    Parameters
    ----------
    library : {"CuPy", "PyTorch"}
    error : Exception or str
        Its error, or the text of its warning.

    Returns
    -------
    Problem
    """
    text = str(error).strip()
    reason = f"{text.partition(chr(10))[0].rstrip('. ') or type(error).__name__:.160}"
    if any(word in text for word in _OLD):
        return old_driver(library, reason)
    if any(word in text for word in MEMORY):
        return no_memory(library, reason)
    if any(word in text for word in _NOT_GIVEN):
        return gpu_not_given(reason)
    if library == "CuPy" and isinstance(error, OSError) and error.errno is not None:
        return cache_not_written(reason)
    if library == "CuPy" and (isinstance(error, ImportError | OSError) or any(word in text for word in _LIBRARIES)):
        return no_cuda_libraries(reason)
    return failure(library, reason)

"""Checks of GPUs, CuPy, PyTorch and their CUDA."""

import os
import re
import shutil
from importlib import metadata

from hrtem_ood import gpu_messages
from hrtem_ood.array_module import array_module, cuda_version, cupy_distributions, cupy_usability
from hrtem_ood.execution.machine_check import Check
from hrtem_ood.gpu_machine import VISIBLE, ask_nvidia_smi, gpu_count, has_gpu, is_hidden


def _wrong(name: str, problem: gpu_messages.Problem, details: str = "") -> Check:
    return Check(name, "wrong", f"{details}: {problem.what}" if details else problem.what, problem.fix)


def gpu() -> Check:
    """Which GPUs the machine has, their memory and driver, and whether this process may use them."""
    (listed, failure), count, given = ask_nvidia_smi(), gpu_count(), os.environ.get(VISIBLE)
    words = [f"{card.name}, {card.used_MiB} of {card.total_MiB} MiB in use, driver {card.driver}" for card in listed]
    words = words or [f"{count} in /dev"]
    details = "; ".join([*words, *([] if given is None else [f"{VISIBLE}={given}"])])
    if not count and not failure:
        return Check("GPU", "absent", details)
    if failure or (not listed and shutil.which("nvidia-smi")):  # containers may lack that program
        return _wrong("GPU", gpu_messages.no_driver(failure), details)
    if is_hidden():
        return _wrong("GPU", gpu_messages.hidden_gpu(), details)
    if listed and gpu_messages.is_old(listed[0].driver):
        return _wrong("GPU", gpu_messages.old_driver("CUDA", f"of {gpu_messages.CUDA_MAJOR}"), details)
    return Check("GPU", "good", details)


def torch_() -> Check:
    """Whether PyTorch computes a convolution on the GPU, where there is one."""
    import torch

    from hrtem_ood.learning.torch_device import device_software, torch_usability

    usability, version = torch_usability(), f"torch {torch.__version__}"
    if usability.problem is not None:
        return _wrong("PyTorch", usability.problem, version)
    if not usability.works:
        return Check("PyTorch", "good", f"{version}, on the CPU")
    where = torch.device("cuda", 0)
    software = device_software(where)
    details = f"{version}, CUDA {software['CUDA of PyTorch']}, cuDNN {software['cuDNN']}"
    return Check("PyTorch", "good", f"{details}: a convolution is right on {torch.cuda.get_device_name(where)}")


def cupy_() -> Check:
    """Whether CuPy computes an FFT and a kernel on the GPU, where there is one."""
    names = cupy_distributions()
    if len(names) > 1:
        return _wrong("CuPy", gpu_messages.two_cupys(names))
    usability = cupy_usability()
    version = f"{names[0]} {metadata.version(names[0])}" if names else ""
    if usability.problem is not None:
        return _wrong("CuPy", usability.problem, version)
    if not usability.works:
        return Check("CuPy", "absent", f"{version or 'not installed'}; not needed without a GPU")
    am = array_module("gpu")
    details = f"{version}, CUDA {am.software['CUDA of CuPy']}"
    return Check("CuPy", "good", f"{details}: an FFT and a kernel are right on {am.device_name}")


def cuda() -> Check:
    """Whether PyTorch and CuPy are built for one version of CUDA."""
    import torch

    of_torch, of_cupy = torch.version.cuda, _cuda_of_cupy()
    details = f"of PyTorch {of_torch or 'none'}, of CuPy {of_cupy or 'none'}"
    if not has_gpu() or of_torch is None or not of_cupy:
        return Check("CUDA", "absent", details)
    if of_torch.partition(".")[0] != of_cupy.partition(".")[0]:
        return _wrong("CUDA", gpu_messages.two_cuda_versions(of_torch, of_cupy))
    return Check("CUDA", "good", f"{details}{_cuda_of_driver()}")


def _cuda_of_cupy() -> str:
    """Return the version of CUDA that CuPy is built for, or the first number of it, by its package; or nothing."""
    if cupy_usability().works:
        import cupy

        return cuda_version(cupy.cuda.runtime.runtimeGetVersion())
    matches = [re.search(r"cuda(\d+)x", name) for name in cupy_distributions()]
    return next((match[1] for match in matches if match), "")


def _cuda_of_driver() -> str:
    if not cupy_usability().works:
        return ""
    import cupy

    return f", of the driver up to {cuda_version(cupy.cuda.runtime.driverGetVersion())}"

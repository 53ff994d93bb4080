"""Stand-ins for a machine with GPUs: `nvidia-smi` on the PATH, device files, and a CuPy that computes with NumPy."""

import contextlib
import sys
import types

import numpy as np
import scipy.fft

from hrtem_ood import array_module, gpu_machine
from hrtem_ood.learning import torch_device

CARDS = (
    "0, GPU-aaaa, NVIDIA H100 80GB HBM3, 81559, 1024, 580.65.06",
    "1, GPU-bbbb, NVIDIA H100 80GB HBM3, 81559, 4, 580.65.06",
)


CACHED = (
    array_module.cupy_usability,
    array_module._log_once,
    torch_device.torch_usability,
    gpu_machine.driver_version,
)
"""What is found out once per process; listed here, as tests replace some of these functions."""


def forget():
    """Forget what this process has found out about its GPUs."""
    for cached in CACHED:
        cached.cache_clear()
    gpu_machine.set_memory_share(1)


@contextlib.contextmanager
def machine(monkeypatch, folder, cards=CARDS, *, answers=True):
    """A machine with these GPUs, on which this process has found out nothing yet."""
    devices, programs = folder / "dev", folder / "bin"
    devices.mkdir()
    programs.mkdir()
    for number in range(len(cards)):
        (devices / f"nvidia{number}").touch()
    (devices / "nvidiactl").touch()
    program = programs / "nvidia-smi"
    lines = "\n".join(cards)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n" if answers else "#!/bin/sh\necho lost; exit 9\n")
    program.chmod(0o755)
    monkeypatch.setattr(gpu_machine, "DEVICES", devices)
    monkeypatch.setattr(gpu_machine, "DRIVER", devices / "none")
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    forget()
    yield
    forget()


class Pool:
    fraction = None

    def set_limit(self, *, fraction):
        Pool.fraction = fraction


def install_cupy(monkeypatch, folder, *, package="cupy_cuda13x", version="14.2.0", runtime=13020, fails=None):
    """Install a stand-in for CuPy: a package that importlib finds, and modules; `fails` is raised by its first kernel."""
    info = folder / "site" / f"{package}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: {version}\n")
    (info / "top_level.txt").write_text("cupy\ncupyx\n")
    monkeypatch.syspath_prepend(info.parent)

    def arange(*arguments, **named):
        if fails is not None:
            raise fails
        return np.arange(*arguments, **named)

    names = ("cupy", "cupyx", "cupyx.scipy", "cupyx.scipy.fft")
    cupy, cupyx, cupyx.scipy, fft = (types.ModuleType(name) for name in names)
    cupy.arange, cupy.abs, cupy.get_default_memory_pool = arange, np.abs, Pool
    cupy.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(
            getDevice=lambda: 0,
            getDeviceProperties=lambda _: {"name": b"NVIDIA H100 80GB HBM3"},
            runtimeGetVersion=lambda: runtime,
            driverGetVersion=lambda: 13000,
        )
    )
    fft.fft, fft.ifft = scipy.fft.fft, scipy.fft.ifft
    cupyx.scipy.fft = fft
    for name, module in zip(names, (cupy, cupyx, cupyx.scipy, fft), strict=True):
        monkeypatch.setitem(sys.modules, name, module)
        module.__spec__ = types.SimpleNamespace(name=name)
    return cupy

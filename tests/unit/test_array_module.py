"""CuPy is used where it really computes; otherwise a message says what to install or change."""

import builtins
import sys

import pytest
from tests.unit.gpu_stand_ins import Pool, install_cupy, machine

from hrtem_ood import array_module as arrays
from hrtem_ood import gpu_machine
from hrtem_ood.array_module import array_module, cupy_distributions, resolve_device
from hrtem_ood.errors import DeviceError


@pytest.fixture
def two_cards(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path):
        yield


@pytest.mark.usefixtures("two_cards")
def test_cupy_that_computes_is_used(monkeypatch, tmp_path):
    install_cupy(monkeypatch, tmp_path)
    am = array_module("auto")
    assert (am.name, am.device_name) == ("gpu", "NVIDIA H100 80GB HBM3")
    assert am.software == {"cupy-cuda13x": "14.2.0", "CUDA of CuPy": "13.2", "NVIDIA driver": "580.65.06"}


@pytest.mark.slow
@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize("package", ["cupy", "cupy_cuda12x", "cupy_cuda13x"])
def test_cupy_is_found_whatever_its_package_is_called(monkeypatch, tmp_path, package):
    install_cupy(monkeypatch, tmp_path, package=package)
    assert cupy_distributions() == [package.replace("_", "-")]


FAULTS = [
    (
        RuntimeError("CuPy failed to load libnvrtc.so.13: OSError: libnvrtc.so.13: cannot open shared object file"),
        r"CuPy is installed, but not the CUDA libraries that it needs \(CuPy failed to load.*cupy-cuda13x\[ctk\]",
    ),
    (
        RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"),
        r"the NVIDIA driver 580\.65\.06 does not answer CuPy .*In a container, start it with the GPU's libraries",
    ),
    (
        MemoryError("Out of memory allocating 512 bytes (allocated so far: 0 bytes)."),
        r"no memory is left on the GPU for CuPy .*End what else runs there .*execution\.jobs_per_gpu",
    ),
    (
        RuntimeError("cudaErrorNoKernelImageForDevice: no kernel image is available\n  a trace"),
        r"CuPy cannot compute on the GPU \(cudaErrorNoKernelImageForDevice: no kernel image is available\)\. Compare",
    ),
    (
        RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"),
        r"the machine has a GPU that is not given to this process \(cudaErrorNoDevice.*request a GPU \(`gres` in the profile",
    ),
    (
        # as CuPy 14 says it, by cuda-pathfinder, without a driver and without libraries
        type("DynamicLibNotFoundError", (RuntimeError,), {})(
            'Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file: libnvrtc.so*'
        ),
        r"CuPy is installed, but not the CUDA libraries that it needs \(Failure finding.*cupy-cuda13x\[ctk\]",
    ),
    (
        OSError(30, "Read-only file system", ".cupy/kernel_cache"),
        r"CuPy cannot keep the kernels that it compiles .*Read-only file system.*Set CUPY_CACHE_DIR to a folder",
    ),
    (OSError("libcufft.so.12: cannot open shared object file"), r"CuPy is installed, but not the CUDA libraries"),
]


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("error", "message"),
    FAULTS,
    ids=["libraries", "driver", "memory", "kernel", "none", "pathfinder", "cache", "loader"],
)
def test_a_kernel_that_fails_is_explained(monkeypatch, tmp_path, capsys, error, message):
    install_cupy(monkeypatch, tmp_path, fails=error)
    with pytest.raises(DeviceError, match=r"a GPU is requested \(execution\.device, or --device\), but " + message):
        resolve_device("gpu")
    assert resolve_device("auto") == array_module("auto").name == "cpu"
    lines = [line for line in capsys.readouterr().err.splitlines() if "CuPy computes on the CPU: " in line]
    assert len(lines) == 1, "once per process"


def test_an_old_driver_is_told(monkeypatch, tmp_path):
    insufficient = RuntimeError(
        "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
    )
    with machine(monkeypatch, tmp_path, ("0, GPU-aaaa, NVIDIA V100, 16160, 4, 535.183.01",)):
        install_cupy(monkeypatch, tmp_path, fails=insufficient)
        with pytest.raises(DeviceError, match=r"driver 535\.183\.01 is too old for CuPy .*Install driver 580 or newer"):
            resolve_device("gpu")


@pytest.mark.usefixtures("two_cards")
def test_a_wrong_fft_is_not_used(monkeypatch, tmp_path):
    cupy = install_cupy(monkeypatch, tmp_path)
    monkeypatch.setattr(cupy, "abs", lambda values: abs(values) + 1)
    with pytest.raises(DeviceError, match="an FFT of 16 points is wrong by 1"):
        resolve_device("gpu")


@pytest.fixture
def no_cupy(monkeypatch):
    real = builtins.__import__

    def fail(name, *arguments, **named):
        if name.partition(".")[0] == "cupy":
            raise ModuleNotFoundError("No module named 'cupy'", name="cupy")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", fail)


@pytest.mark.usefixtures("two_cards", "no_cupy")
def test_a_gpu_without_cupy_is_told(capsys):
    assert resolve_device("auto") == "cpu"
    told = f"Run {sys.executable} -m pip install 'cupy-cuda13x[ctk]>=14'"
    assert f"CuPy is not installed, so simulation and imaging cannot use it. {told}" in capsys.readouterr().err
    with pytest.raises(DeviceError, match="but the machine has a GPU, but CuPy is not installed"):
        resolve_device("gpu")


@pytest.mark.usefixtures("no_cupy")
def test_without_a_gpu_nothing_is_told(monkeypatch, tmp_path, capsys):
    with machine(monkeypatch, tmp_path, (), answers=False):
        assert resolve_device("auto") == "cpu"
        assert capsys.readouterr().err == ""
        with pytest.raises(DeviceError, match=r"--device\), but CuPy detects none\. Use auto or cpu"):
            resolve_device("gpu")


@pytest.mark.usefixtures("two_cards")
def test_a_hidden_gpu_is_told(monkeypatch, tmp_path, capsys):
    install_cupy(monkeypatch, tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resolve_device("auto") == "cpu"
    assert "CUDA_VISIBLE_DEVICES hides the GPU from this process. Unset it" in capsys.readouterr().err


@pytest.mark.usefixtures("two_cards")
def test_a_gpu_that_slurm_has_not_given_is_not_used(monkeypatch, tmp_path, capsys):
    install_cupy(monkeypatch, tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert resolve_device("auto") == "cpu"
    told = capsys.readouterr().err
    assert "SLURM has given this job none. Let it request a GPU (`gres` in the profile)" in told
    assert "where SLURM does not count GPUs, set CUDA_VISIBLE_DEVICES" in told


@pytest.mark.usefixtures("two_cards")
def test_the_pool_is_limited_where_jobs_share_a_gpu(monkeypatch, tmp_path):
    install_cupy(monkeypatch, tmp_path)
    monkeypatch.setattr(Pool, "fraction", None)
    array_module("gpu")
    assert Pool.fraction is None, "one job may use all"
    gpu_machine.set_memory_share(3)
    array_module("gpu")
    assert Pool.fraction == pytest.approx(0.3)


def test_the_question_is_asked_once_per_process(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path):
        install_cupy(monkeypatch, tmp_path, fails=RuntimeError("first"))
        resolve_device("auto")
        install_cupy(monkeypatch, tmp_path / "again")
        assert resolve_device("auto") == "cpu"
        assert arrays.cupy_usability.cache_info().misses == 1

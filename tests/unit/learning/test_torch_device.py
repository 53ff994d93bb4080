"""The GPU is used where PyTorch really computes on it; a lack of memory is told in words."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.unit.gpu_stand_ins import machine

from hrtem_ood import gpu_machine
from hrtem_ood.errors import DeviceError
from hrtem_ood.learning import torch_device as devices
from hrtem_ood.learning.torch_device import (
    explain_out_of_memory,
    free_memory,
    full_precision,
    reproducible,
    torch_device,
)


def of_cupy(name: str, module: str, base: type[Exception], text: str) -> Exception:
    """An error like one of CuPy's, which is not installed."""
    error: Exception = type(name, (base,), {"__module__": module})(text)
    return error


def test_a_lack_of_memory_on_the_cpu_is_told() -> None:
    match = r"^network n: out of memory on the CPU: .*DefaultCPUAllocator: can't allocate memory.*\. Take less\.$"
    with pytest.raises(DeviceError, match=match), explain_out_of_memory("network n", "Take less."):
        torch.empty(10**15)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "out of memory on the CPU: MemoryError. Take less."),
        (MemoryError("Unable to allocate 9 TiB"), "out of memory on the CPU: Unable to allocate 9 TiB. Take less."),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nTrace:"),
            "out of memory on the GPU: CUDA out of memory. Tried to allocate 2 GiB. Take less.",
        ),
        (RuntimeError("CUDA error: out of memory"), "out of memory on the GPU: CUDA error: out of memory. Take less."),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
            "out of memory on the GPU: cuDNN error: CUDNN_STATUS_ALLOC_FAILED. Take less.",
        ),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
            "out of memory on the GPU: cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED. Take less.",
        ),
        (
            of_cupy("OutOfMemoryError", "cupy.cuda.memory", MemoryError, "Out of memory allocating 9 bytes."),
            "out of memory on the GPU: Out of memory allocating 9 bytes. Take less.",
        ),
        (
            of_cupy("CuFFTError", "cupy.cuda.cufft", RuntimeError, "CUFFT_ALLOC_FAILED"),
            "out of memory on the GPU: CUFFT_ALLOC_FAILED. Take less.",
        ),
        (
            of_cupy("CUDARuntimeError", "cupy_backends.cuda", RuntimeError, "cudaErrorMemoryAllocation: out of memory"),
            "out of memory on the GPU: cudaErrorMemoryAllocation: out of memory. Take less.",
        ),
    ],
)
def test_the_message_says_where_and_what_to_do(error: Exception, told: str) -> None:
    with pytest.raises(DeviceError) as caught, explain_out_of_memory("network n", "Take less."):
        raise error
    assert str(caught.value) == f"network n: {told}"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("out of memory")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)) as caught, explain_out_of_memory("network n", "Take less."):
        raise error
    assert caught.value is error


def test_nothing_is_told_where_all_goes_well() -> None:
    with explain_out_of_memory("network n", "Take less."):
        pass


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with machine(monkeypatch, tmp_path):
        yield


def detects(
    monkeypatch: pytest.MonkeyPatch, warned: str = "", cuda: str | None = "13.0", *, found: bool = False
) -> None:
    """Let PyTorch detect a GPU or none, with a warning, as a build for a version of CUDA."""

    def is_available() -> bool:
        if warned:
            warnings.warn(warned, UserWarning, stacklevel=1)
        return found

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.version, "cuda", cuda)


OLD = "CUDA initialization: The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver"


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("warned", "cuda", "message"),
    [
        (OLD, "13.0", r"the NVIDIA driver 580\.65\.06 is too old for PyTorch \(CUDA init.*Install driver 580 or newer"),
        (
            "",
            None,
            r"the machine has a GPU, but PyTorch .* was built without CUDA.*Install PyTorch's build for CUDA 13",
        ),
        ("", "13.0", r"PyTorch cannot compute on the GPU \(it detects no GPU\)"),
        ("Unexpected error from cudaGetDeviceCount()", "13.0", r"PyTorch cannot compute on the GPU \(Unexpected error"),
    ],
    ids=["driver", "no CUDA", "nothing", "unexpected"],
)
def test_a_gpu_that_is_not_used_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], warned: str, cuda: str | None, message: str
) -> None:
    detects(monkeypatch, warned, cuda)
    assert torch_device("auto") == torch_device("auto") == torch.device("cpu")
    assert capsys.readouterr().err.count("PyTorch computes on the CPU: ") == 1, "once per process"
    with pytest.raises(DeviceError, match=r"a GPU is requested \(execution\.device, or --device\), but " + message):
        torch_device("gpu")


def test_without_a_gpu_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine(monkeypatch, tmp_path, (), answers=False):
        detects(monkeypatch, cuda=None)
        assert torch_device("auto") == torch.device("cpu")
        assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("two_cards")
def test_a_gpu_must_compute_a_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    detects(monkeypatch, found=True)
    ones, results = torch.ones, [torch.ones(6, 6) * 9, torch.zeros(1)]
    monkeypatch.setattr(torch, "ones", lambda *shape, **_: ones(*shape))
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda *_: results.pop(0))
    assert torch_device("auto") == torch.device("cuda", 0)
    devices.torch_usability.cache_clear()
    with pytest.raises(DeviceError, match="a convolution of ones gives 0, not 324"):
        torch_device("gpu")


@pytest.mark.usefixtures("two_cards")
def test_a_convolution_that_fails_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    detects(monkeypatch, found=True)

    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 MiB.")

    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(DeviceError, match=r"no memory is left on the GPU for PyTorch \(CUDA out of memory"):
        torch_device("gpu")


@pytest.mark.usefixtures("two_cards")
def test_jobs_that_share_a_gpu_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[float, torch.device]] = []
    monkeypatch.setattr(devices, "torch_usability", lambda: devices.Usability(True))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *args: limits.append(args))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (700, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 50)
    where = torch_device("gpu")
    assert limits == []
    assert free_memory(where) == 700
    gpu_machine.set_memory_share(2)
    assert torch_device("gpu") == where
    assert limits == [(0.45, where)]
    assert free_memory(where) == 400


def test_float32_is_full_inside_the_blocks() -> None:
    def tf32() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = tf32()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    try:
        for block in (full_precision, reproducible):
            with block():
                assert tf32() == (False, False)
            assert tf32() == (True, True)
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before

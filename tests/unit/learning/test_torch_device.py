"""A lack of memory is told in words; whatever else goes wrong is left as it is."""

import pytest
import torch

from hrtem_ood.errors import DeviceError
from hrtem_ood.learning.torch_device import explain_out_of_memory


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

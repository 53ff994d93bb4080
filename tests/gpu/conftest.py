"""Tests of this folder run on a GPU. They are skipped, with the reason, where PyTorch or CuPy cannot compute on one."""

import os
import time
from functools import cache
from pathlib import Path

import pytest
import torch


@cache
def reason_to_skip() -> str | None:
    """Tell why no GPU works; None where both libraries compute on one."""
    if not torch.cuda.is_available():
        return "PyTorch has no GPU here"
    try:
        torch.ones(2, device="cuda").sum().item()
        import cupy

        ones = cupy.ones((8, 8), cupy.complex64)
        if abs(complex(cupy.fft.fft2(ones)[0, 0]) - 64) > 1e-3:  # a library, and a kernel that is compiled here
            return "CuPy's FFT gives wrong numbers"
    except Exception as error:  # whatever a driver, a library or a compiler reports
        return f"the GPU does not compute: {type(error).__name__}: {str(error)[:200]}"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    reason = reason_to_skip() if ours else None
    for item in ours:
        item.add_marker(pytest.mark.gpu)
        # A machine with a GPU has its own versions: what these announce for later fails nothing here.
        item.add_marker(pytest.mark.filterwarnings("default"))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what would begin too late: a machine that is lent for minutes is to give a result in that time."""
    if Path(__file__).parent in item.path.parents and time.time() > float(os.environ.get("GPU_TESTS_UNTIL", "inf")):
        pytest.skip("no time is left")  # benchmarks/gpu.py counts these

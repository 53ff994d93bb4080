"""Tests of this folder need a GPU; elsewhere they are skipped."""

from functools import cache

import pytest


@cache
def missing() -> str:
    """Why there is no GPU to test; empty where PyTorch or CuPy computes on one."""
    import torch

    from hrtem_ood.array_module import cupy_usability

    if torch.cuda.is_available() or cupy_usability().works:
        return ""
    return f"needs an NVIDIA GPU: PyTorch detects none; CuPy: {cupy_usability().problem or 'no GPU'}"


@pytest.fixture(autouse=True)
def need_gpu() -> None:
    """Skip the test where there is no GPU."""
    if missing():
        pytest.skip(missing())

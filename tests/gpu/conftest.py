"""Tests that need a GPU. Without one that computes they are skipped, with the reason."""

import pytest


def why_no_gpu() -> str | None:
    """Return why CuPy or PyTorch cannot compute on a GPU here, or None where both can."""
    try:
        import cupy
        import torch

        ones = cupy.ones((8, 8), cupy.complex64)
        if abs(complex(cupy.fft.fft2(ones)[0, 0]) - 64) > 1e-3:  # a library and a kernel that is compiled here
            return "CuPy's FFT on this GPU gives wrong numbers"
        float(torch.ones(8, device="cuda").sum())
    except Exception as error:  # whatever a driver, a library or a compiler reports
        return f"no GPU that computes: {type(error).__name__}: {str(error)[:200]}"
    return None


@pytest.fixture(scope="session", autouse=True)
def _gpu():
    if (reason := why_no_gpu()) is not None:
        pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "gpu" in item.keywords:
            # a machine with a GPU has the versions that its owner installed: what they announce for later fails nothing here
            item.add_marker(pytest.mark.filterwarnings("default"))

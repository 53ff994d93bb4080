"""Tests of this folder run on a GPU, and are skipped where PyTorch has none that works."""

from pathlib import Path

import pytest
import torch


def reason_to_skip() -> str | None:
    """Tell why no GPU works; None where one does."""
    if not torch.cuda.is_available():
        return "PyTorch has no GPU here"
    try:
        torch.ones(2, device="cuda").sum().item()
    except RuntimeError as error:
        return f"PyTorch's GPU does not work: {str(error).splitlines()[0]}"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    reason = reason_to_skip() if ours else None
    for item in ours:
        item.add_marker(pytest.mark.gpu)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))

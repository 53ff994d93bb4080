"""Images that the networks of a pack share."""

from collections import OrderedDict

import pytest
import torch

from hrtem_ood.learning.batches import Images, StandardisedImages
from hrtem_ood.learning.training import prepared_images
from hrtem_ood.learning.training.lightning_module import copied
from hrtem_ood.learning.training.prepared_images import PreparedImages

CPU = torch.device("cpu")


def images(number: int) -> Images:
    return Images(torch.zeros(number, 4, 4, dtype=torch.uint8), torch.zeros(number, 4, 4, dtype=torch.uint8))


def test_the_same_images_are_prepared_once() -> None:
    prepared, one, other = PreparedImages(), images(2), images(2)
    assert prepared.of(one, CPU) is prepared.of(one, CPU)
    assert prepared.of(other, CPU) is not prepared.of(one, CPU)


def test_large_images_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_images, "LARGEST", StandardisedImages.size_of(images(5)))
    prepared, small = PreparedImages(), images(3)
    assert prepared.of(images(6), CPU) is None
    assert prepared.of(small, CPU) is not None
    assert prepared.of(images(3), CPU) is None, "both together are too large"
    assert prepared.of(small, CPU) is not None


def test_a_gpu_standardises_in_passing() -> None:
    assert PreparedImages().of(images(2), torch.device("cuda", 0)) is None


def test_copies_share_no_memory_and_keep_all_else() -> None:
    weights = OrderedDict(a=torch.zeros(2, 4, 3, 3).to(memory_format=torch.channels_last))
    weights._metadata = {"version": 1}  # type: ignore[attr-defined]  # as of a module's state
    state = {"weights": weights, "groups": [{"betas": (0.9, 0.999), "steps": [torch.ones(())]}], "rate": 0.1}
    copy = copied(state)
    weights["a"] += 1
    state["groups"][0]["steps"][0] += 1  # type: ignore[index]
    state["groups"][0]["betas"] = None  # type: ignore[index]
    assert not copy["weights"]["a"].any()
    assert copy["weights"]["a"].is_contiguous(memory_format=torch.channels_last)
    assert copy["weights"]._metadata == {"version": 1}
    assert copy["groups"] == [{"betas": (0.9, 0.999), "steps": [torch.ones(())]}]
    assert copy["rate"] == 0.1

"""Scores against torchmetrics, an independent implementation, and where they are 0/0."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import (
    binary_f1_score,
    binary_jaccard_index,
    binary_precision,
    binary_recall,
)

from hrtem_ood.evaluation.scores import SCORES, confusion, cross_entropy, f1, iou, precision, recall, scores

REFERENCE = {"f1": binary_f1_score, "iou": binary_jaccard_index, "precision": binary_precision, "recall": binary_recall}
masks = hnp.arrays(np.int64, (3, 4, 5), elements=st.integers(0, 1))


def sure(mask: torch.Tensor) -> torch.Tensor:
    """Logits that predict a mask."""
    return torch.stack([1.0 - mask, mask.float()], dim=1)


@given(masks, masks)
@settings(max_examples=40, deadline=None)
def test_ratios_are_those_of_torchmetrics(predicted_mask: np.ndarray, label_mask: np.ndarray) -> None:
    predicted, label = torch.from_numpy(predicted_mask), torch.from_numpy(label_mask)
    found = dict(zip(SCORES, scores(sure(predicted), label), strict=True))
    for index in range(len(label)):
        nothing_at_all = not (predicted[index].any() or label[index].any())
        for name, reference in REFERENCE.items():
            expected = 1.0 if nothing_at_all else float(reference(predicted[index], label[index]))
            assert float(found[name][index]) == pytest.approx(expected, abs=1e-6), name


@given(hnp.arrays(np.float32, (2, 2, 3, 4), elements=st.floats(-30, 30, width=32)), masks)
@settings(max_examples=40, deadline=None)
def test_cross_entropy_by_definition(logits: np.ndarray, mask: np.ndarray) -> None:
    label = mask[:2, :3, :4]
    true, other = (np.take_along_axis(logits.astype(float), c[:, None], axis=1)[:, 0] for c in (label, 1 - label))
    # −ln p = ln(1 + e^(other − true))
    expected = np.logaddexp(0, other - true).mean(axis=(1, 2))
    found = cross_entropy(torch.from_numpy(logits), torch.from_numpy(label))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_knowing_nothing_costs_ln_2() -> None:
    assert float(cross_entropy(torch.zeros(1, 2, 4, 4), torch.ones(1, 4, 4, dtype=torch.long))) == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize(
    ("found", "there", "expected"),
    [
        # what is found, what is there, → F1, IoU, precision, recall
        (0, 0, (1, 1, 1, 1)),
        (1, 0, (0, 0, 0, 0)),
        (0, 1, (0, 0, 0, 0)),
        (1, 1, (1, 1, 1, 1)),
    ],
)
def test_scores_of_empty_and_full_masks(found: int, there: int, expected: tuple[int, ...]) -> None:
    counts = confusion(torch.full((1, 2, 2), bool(found)), torch.full((1, 2, 2), bool(there)))
    assert tuple(float(score(counts)) for score in (f1, iou, precision, recall)) == expected


def test_the_larger_logit_wins_and_a_tie_is_background() -> None:
    logits = torch.tensor([[[[0.0, 2.0, 1.0]], [[1.0, -1.0, 1.0]]]])
    found = dict(zip(SCORES, scores(logits, torch.tensor([[[1, 0, 1]]])), strict=True))
    assert float(found["precision"]) == 1
    assert float(found["recall"]) == 0.5


def test_large_images_are_counted_exactly() -> None:
    label = torch.ones(1, 4096, 2048, dtype=torch.bool)
    predicted = label.clone()
    predicted[0, 0, 0] = False
    assert float(recall(confusion(predicted, label))) == pytest.approx(1 - 1 / 2**23, abs=1e-9)

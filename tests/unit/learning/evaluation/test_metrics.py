"""Scores against torchmetrics, an independent implementation, and where they are 0/0."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from torchmetrics.functional.classification import (
    binary_f1_score,
    binary_jaccard_index,
    binary_precision,
    binary_recall,
    multiclass_calibration_error,
)

from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.evaluation.metrics import BINS, confusion, f1, iou, precision, recall, scores
from hrtem_ood.learning.torch_device import reproducible

REFERENCE = {"f1": binary_f1_score, "iou": binary_jaccard_index, "precision": binary_precision, "recall": binary_recall}
masks = hnp.arrays(np.int64, (3, 4, 5), elements=st.integers(0, 1))


def sure(mask: torch.Tensor) -> torch.Tensor:
    """Logits that predict a mask."""
    return torch.stack([1.0 - mask, mask.float()], dim=1)


def all_scores(logits: torch.Tensor, label: torch.Tensor) -> dict[str, torch.Tensor]:
    return dict(zip(METRICS, scores(logits, label), strict=True))


@given(masks, masks)
@settings(max_examples=40, deadline=None)
def test_ratios_are_those_of_torchmetrics(predicted_mask: np.ndarray, label_mask: np.ndarray) -> None:
    predicted, label = torch.from_numpy(predicted_mask), torch.from_numpy(label_mask)
    found = all_scores(sure(predicted), label)
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
    found = all_scores(torch.from_numpy(logits), torch.from_numpy(label))["cross_entropy"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@given(hnp.arrays(np.float32, (2, 2, 3, 4), elements=st.floats(-30, 30, width=32)))
@settings(max_examples=40, deadline=None)
def test_confidence_is_the_mean_of_the_larger_probability(logits: np.ndarray) -> None:
    expected = special.softmax(logits.astype(float), axis=1).max(axis=1).mean(axis=(1, 2))
    found = all_scores(torch.from_numpy(logits), torch.zeros(2, 3, 4, dtype=torch.long))["confidence"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    again = all_scores(torch.from_numpy(logits), torch.ones(2, 3, 4, dtype=torch.long))["confidence"]
    np.testing.assert_array_equal(found, again, "it needs no label")


@given(hnp.arrays(np.float32, (2, 2, 3, 4), elements=st.floats(-30, 30, width=32)))
@settings(max_examples=40, deadline=None)
def test_entropy_by_definition(logits: np.ndarray) -> None:
    p = special.softmax(logits.astype(float), axis=1)
    expected = special.entr(p).sum(axis=1).mean(axis=(1, 2))
    found = all_scores(torch.from_numpy(logits), torch.zeros(2, 3, 4, dtype=torch.long))["entropy"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    again = all_scores(torch.from_numpy(logits), torch.ones(2, 3, 4, dtype=torch.long))["entropy"]
    np.testing.assert_array_equal(found, again, "it needs no label")


@pytest.mark.parametrize("spread", [0.3, 2.0, 8.0])
@pytest.mark.parametrize("skill", [0.0, 1.0, -1.0])
def test_calibration_error_is_that_of_torchmetrics(spread: float, skill: float) -> None:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(2, (3, 40, 40), generator=generator)
    signal = skill * (2 * torch.stack([1 - label, label], dim=1) - 1)
    logits = spread * (torch.randn(3, 2, 40, 40, generator=generator) + signal)
    found = all_scores(logits, label)["calibration_error"]
    for index in range(3):
        # torchmetrics counts a list of pixels
        one = logits[index].movedim(0, -1).flatten(0, 1)
        expected = multiclass_calibration_error(one, label[index].flatten(), 2, n_bins=BINS, norm="l1")
        assert float(found[index]) == pytest.approx(float(expected), abs=2e-6)


def test_calibration_error_by_hand() -> None:
    # four pixels of confidence 0.7 of which three are right, in one bin
    logit = math.log(0.7 / 0.3)
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [logit, logit, logit, -logit]]).view(1, 2, 1, 4)
    label = torch.tensor([[[1, 1, 0, 0]]])
    assert float(all_scores(logits, label)["calibration_error"]) == pytest.approx(0.05, abs=1e-6)


def test_knowing_nothing() -> None:
    found = all_scores(torch.zeros(1, 2, 4, 4), torch.ones(1, 4, 4, dtype=torch.long))
    assert float(found["cross_entropy"]) == float(found["entropy"]) == pytest.approx(math.log(2))
    # a tie is background, of which it is half sure; all pixels are particle
    assert float(found["calibration_error"]) == pytest.approx(0.5)


def test_ties_count_as_half_sure_of_background() -> None:
    label = torch.tensor([0] * 4 + [1] * 12).view(1, 4, 4)
    # all of confidence one half, a quarter right
    assert float(all_scores(torch.zeros(1, 2, 4, 4), label)["calibration_error"]) == pytest.approx(0.25)


def test_being_sure() -> None:
    label = torch.randint(2, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    right, wrong = (all_scores(200 * sure(mask), label) for mask in (label, 1 - label))
    assert float(right["calibration_error"].max()) == float(right["entropy"].max()) == 0
    assert wrong["calibration_error"].tolist() == pytest.approx([1, 1])
    assert float(wrong["entropy"].max()) == 0, "entropy cannot tell"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_score(bad: float) -> None:
    logits = torch.zeros(2, 2, 4, 4)
    logits[0, 1, 2, 2] = bad
    found = scores(logits, torch.zeros(2, 4, 4, dtype=torch.long))
    assert found[:, 0].isnan().all()
    assert found[:, 1].isfinite().all()


def test_scores_of_an_image_do_not_depend_on_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, label = torch.randn(5, 2, 33, 33, generator=generator), torch.randint(2, (5, 33, 33), generator=generator)
    with reproducible():
        together, alone = scores(logits, label), [scores(logits[i : i + 1], label[i : i + 1]) for i in range(5)]
    assert torch.equal(together, torch.cat(alone, dim=1))


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
    found = dict(zip(METRICS, scores(logits, torch.tensor([[[1, 0, 1]]])), strict=True))
    assert float(found["precision"]) == 1
    assert float(found["recall"]) == 0.5


def test_large_images_are_counted_exactly() -> None:
    label = torch.ones(1, 4096, 2048, dtype=torch.bool)
    predicted = label.clone()
    predicted[0, 0, 0] = False
    assert float(recall(confusion(predicted, label))) == pytest.approx(1 - 1 / 2**23, abs=1e-9)

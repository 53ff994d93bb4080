"""Scores of a segmentation, image by image: pure functions of logits and labels.

The particle class is the positive one; a pixel is predicted particle where its logit is the larger. With TP, FP, FN the
numbers of true positive, false positive and false negative pixels of an image, ratios are the usual ones
(van Rijsbergen, Information Retrieval, 1979, ch. 7; F1 is Dice's, IoU Jaccard's coefficient). Where a ratio is 0/0, it
is 1 if neither label nor prediction has a particle pixel, else 0.

With two classes, all other scores follow from one number per pixel: the log-odds x = logit(wrong class) − logit(true
class). They take few passes over the pixels, and their sums are deterministic on GPUs, too.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hrtem_ood.learning.evaluation.metric_names import METRICS

BINS = 15
"""Bins of confidence of the calibration error, as in Guo et al., ICML 2017 (arXiv:1706.04599)."""

EDGES = (*(m / BINS for m in range(1, 8)), 0.5, *(m / BINS for m in range(8, BINS)))
"""Edges of the bins, and ½, the lowest confidence, in the middle of one."""


class Confusion(NamedTuple):
    """Numbers of pixels, each an int64 tensor, (image,)."""

    true_positive: Tensor
    false_positive: Tensor
    false_negative: Tensor


def confusion(predicted: Tensor, label: Tensor) -> Confusion:
    """Count pixels.

    Parameters
    ----------
    predicted, label : bool tensor, (image, …)

    Returns
    -------
    Confusion
    """
    both, n_predicted, n_labelled = (each.flatten(1).sum(dim=1) for each in (predicted & label, predicted, label))
    return Confusion(both, n_predicted - both, n_labelled - both)


def f1(counts: Confusion) -> Tensor:
    """F1 (Dice): 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    counts : Confusion

    Returns
    -------
    float32 tensor, (image,), [1]

    Examples
    --------
    >>> label = torch.tensor([[[True, True, False]]])
    >>> f1(confusion(torch.tensor([[[True, False, False]]]), label))
    tensor([0.6667])
    """
    tp, fp, fn = counts
    return _ratio(2 * tp, 2 * tp + fp + fn, counts)


def iou(counts: Confusion) -> Tensor:
    """Intersection over union (Jaccard): TP / (TP + FP + FN); as :func:`f1`."""
    tp, fp, fn = counts
    return _ratio(tp, tp + fp + fn, counts)


def precision(counts: Confusion) -> Tensor:
    """Share of the predicted particle pixels that are right: TP / (TP + FP); as :func:`f1`."""
    tp, fp, _ = counts
    return _ratio(tp, tp + fp, counts)


def recall(counts: Confusion) -> Tensor:
    """Share of the labelled particle pixels that are predicted: TP / (TP + FN); as :func:`f1`."""
    tp, _, fn = counts
    return _ratio(tp, tp + fn, counts)


def _ratio(part: Tensor, whole: Tensor, counts: Confusion) -> Tensor:
    empty = torch.stack(counts).sum(dim=0) == 0
    return torch.where(whole > 0, part / whole.clamp(min=1), empty.to(torch.float32))


class Pixels(NamedTuple):
    """Probabilities of each pixel, each a float32 tensor, (image, pixel).

    Attributes
    ----------
    log_odds : x = logit(wrong class) − logit(true class)
    doubt : t / (1 + t) with t = exp(−|x|), the probability of the less likely class, [1]
    log_norm : ln(1 + t), minus the logarithm of the likelier class's probability, [nat]
    """

    log_odds: Tensor
    doubt: Tensor
    log_norm: Tensor


def pixel_probabilities(gain: Tensor, label: Tensor) -> Pixels:
    """Compute the terms that the scores of probabilities share.

    Parameters
    ----------
    gain : float32 tensor, (image, pixel), [1]
        Logit of particle minus that of background.
    label : integer tensor, (image, pixel), in {0, 1}

    Returns
    -------
    Pixels
    """
    # arithmetic instead of torch.where, which takes ten times as long
    log_odds = label.to(gain.dtype).mul_(-2).add_(1).mul_(gain)
    odds = gain.abs().neg_().exp_()
    log_norm = odds.log1p()
    return Pixels(log_odds, (odds + 1).reciprocal_().mul_(odds), log_norm)


def cross_entropy(pixels: Pixels) -> Tensor:
    """Cross-entropy: −⟨ln p(true class)⟩ over the pixels of an image, as ⟨max(x, 0) + ln(1 + t)⟩.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    float32 tensor, (image,), [nat]
    """
    return pixels.log_odds.clamp(min=0).mean(dim=1) + pixels.log_norm.mean(dim=1)


def entropy(pixels: Pixels) -> Tensor:
    """Predictive entropy: −⟨Σ p ln p⟩ over classes and the pixels of an image, as ⟨ln(1 + t) + |x| t / (1 + t)⟩.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    float32 tensor, (image,), [nat]
        From 0 to ln 2. It needs no label.
    """
    return pixels.log_norm.mean(dim=1) + pixels.log_odds.abs().mul_(pixels.doubt).mean(dim=1)


def confidence(pixels: Pixels) -> Tensor:
    """Confidence: ⟨max p⟩ over the pixels of an image, the probability of the predicted class, as 1 − ⟨t / (1 + t)⟩.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    float32 tensor, (image,), [1]
        From ½ to 1. It needs no label.
    """
    return 1 - pixels.doubt.mean(dim=1)


def calibration_error(pixels: Pixels, counts: Confusion) -> Tensor:
    """ECE, the expected calibration error: Σ_m n_m/n · |accuracy_m − mean confidence_m| over bins of confidence.

    Guo et al., ICML 2017 (arXiv:1706.04599), Eq. 3, over the pixels of an image: the confidence is the probability of
    the predicted class, in :data:`BINS` equal bins from 0 to 1.

    With z the probability of the *wrong* class, confidence − correctness is z where a pixel is wrong (z is its
    confidence, above ½) and −z where it is right (1 − z is). So a bin's term is the difference of two sums of z, on
    either side of ½. All of them follow from sums of z above :data:`EDGES`. That takes two quick passes per edge and no
    scattered additions, whose order on GPUs is not fixed.

    Parameters
    ----------
    pixels : Pixels
    counts : Confusion

    Returns
    -------
    float32 tensor, (image,), [1]
    """
    wrong = pixels.log_odds.sigmoid()
    above, above_half = [wrong.sum(dim=1)], torch.zeros_like(counts.true_positive)
    for edge in EDGES:
        # in place, edge by edge: new memory would cost more than the arithmetic
        nn.functional.threshold(wrong, edge, 0.0, inplace=True)
        above.append(wrong.sum(dim=1))
        if edge == 0.5:
            above_half = wrong.ceil().sum(dim=1)
    between = -torch.stack([*above, torch.zeros_like(above[0])]).diff(dim=0)
    middle = len(between) // 2
    excess = between[middle:] - between[:middle].flip(0)
    # Wrong pixels of z = ½, such as ties, were counted as right ones: −½ for +½.
    excess[0] += counts.false_positive + counts.false_negative - above_half
    return excess.abs().sum(dim=0) / wrong.shape[1]


def scores(logits: Tensor, label: Tensor) -> Tensor:
    """Compute all scores of some images.

    Parameters
    ----------
    logits : float32 tensor, (image, 2, y, x), [1]
        Of background and particle.
    label : integer tensor, (image, y, x), in {0, 1}

    Returns
    -------
    float32 tensor, (score, image)
        In the order of :data:`hrtem_ood.learning.evaluation.metric_names.METRICS`.
    """
    gain, label = (logits[:, 1] - logits[:, 0]).flatten(1), label.flatten(1)
    counts, pixels = confusion(gain > 0, label.bool()), pixel_probabilities(gain, label)
    values = {
        "cross_entropy": cross_entropy(pixels),
        "f1": f1(counts),
        "iou": iou(counts),
        "precision": precision(counts),
        "recall": recall(counts),
        "calibration_error": calibration_error(pixels, counts),
        "entropy": entropy(pixels),
        "confidence": confidence(pixels),
    }
    # NaN where logits are not finite, instead of the scores of an empty mask
    finite = (values["cross_entropy"] + values["entropy"]).isfinite()
    return torch.stack([values[name] for name in METRICS]).where(finite, torch.nan)

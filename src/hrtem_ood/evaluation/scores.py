"""Scores of a segmentation, image by image: pure functions of logits and labels.

The particle class is the positive one; a pixel is predicted particle where its logit is the larger. With TP, FP, FN the
numbers of pixels of an image that are truly, falsely, and falsely not predicted particle, scores are the usual ratios
(van Rijsbergen, Information Retrieval, 1979, ch. 7; F1 is Dice's, IoU Jaccard's coefficient). Where a ratio is 0/0, it
is 1 if there was nothing to find and nothing was found, else 0.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

SCORES = ("cross_entropy", "f1", "iou", "precision", "recall")
"""Names of all scores, in the order in which :func:`scores` stacks them."""


class Confusion(NamedTuple):
    """Numbers of pixels, each an int64 tensor, (image,)."""

    true_positive: Tensor
    false_positive: Tensor
    false_negative: Tensor


def confusion(predicted: Tensor, label: Tensor) -> Confusion:
    """Count pixels.

    Parameters
    ----------
    predicted, label : bool tensor, (image, y, x)

    Returns
    -------
    Confusion
    """
    pairs = ((predicted, label), (predicted, ~label), (~predicted, label))
    return Confusion(*((one & other).sum(dim=(-2, -1)) for one, other in pairs))


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
    """Part of what was found that is right: TP / (TP + FP); as :func:`f1`."""
    tp, fp, _ = counts
    return _ratio(tp, tp + fp, counts)


def recall(counts: Confusion) -> Tensor:
    """Part of what there was that was found: TP / (TP + FN); as :func:`f1`."""
    tp, _, fn = counts
    return _ratio(tp, tp + fn, counts)


def _ratio(part: Tensor, whole: Tensor, counts: Confusion) -> Tensor:
    nothing_at_all = torch.stack(counts).sum(dim=0) == 0
    return torch.where(whole > 0, part / whole.clamp(min=1), nothing_at_all.to(torch.float32))


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy: −⟨ln p(true class)⟩ over the pixels of an image.

    Parameters
    ----------
    logits : float32 tensor, (image, 2, y, x), [1]
    label : integer tensor, (image, y, x), in {0, 1}

    Returns
    -------
    float32 tensor, (image,), [nat]
    """
    # not the fused kernel, whose sum over pixels is not deterministic on GPUs
    chosen = nn.functional.log_softmax(logits, dim=1).gather(1, label.long().unsqueeze(1))
    return -chosen.mean(dim=(1, 2, 3))


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
        In the order of ``SCORES``.
    """
    counts = confusion(logits[:, 1] > logits[:, 0], label.bool())
    return torch.stack([cross_entropy(logits, label), f1(counts), iou(counts), precision(counts), recall(counts)])

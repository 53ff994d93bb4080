"""Losses that training minimises: pure functions of logits and labels."""

from torch import Tensor, nn

SMOOTHING = 1.0
"""Added to numerator and denominator of the Dice ratio [px]: an image without particles has a gradient, and no 0/0."""


def pixel_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy (natural logarithm) averaged over all pixels.

    With two classes, −ln p(true class) = ln(1 + exp(l_wrong − l_true)) = softplus((1 − 2y) (l₁ − l₀)): element by element and a
    mean, which PyTorch adds up in parallel and always in the same order. With more, the kernel that is deterministic on GPUs
    takes a flat list of pixels, in one block of threads.

    Parameters
    ----------
    logits : float tensor, (image, class, y, x), [1]
    label : int64 tensor, (image, y, x)

    Returns
    -------
    float tensor, (), [nat]
    """
    if logits.shape[1] == 2:
        sign = 1 - 2 * label.to(logits.dtype)
        return nn.functional.softplus(sign * (logits[:, 1] - logits[:, 0])).mean()
    # A flat list of pixels: the two-dimensional kernel is not deterministic on GPUs.
    return nn.functional.cross_entropy(logits.movedim(1, -1).flatten(0, -2), label.flatten())


def soft_dice(logits: Tensor, label: Tensor) -> Tensor:
    """Soft Dice loss of the particle class, averaged over images: 1 − (2 Σ p y + 1) / (Σ p + Σ y + 1).

    Sums over the pixels of an image, p the probability of particle, y the label (Drozdzal et al., DLMIA 2016,
    arXiv:1608.04117, Eq. 1, with :data:`SMOOTHING`).

    Parameters
    ----------
    logits : float tensor, (image, 2, y, x), [1]
    label : int64 tensor, (image, y, x), in {0, 1}

    Returns
    -------
    float tensor, (), [1]
    """
    probability, truth = logits.softmax(dim=1)[:, 1].flatten(1), label.flatten(1).to(logits.dtype)
    shared, sizes = (probability * truth).sum(dim=1), probability.sum(dim=1) + truth.sum(dim=1)
    return (1 - (2 * shared + SMOOTHING) / (sizes + SMOOTHING)).mean()


def cross_entropy_dice(logits: Tensor, label: Tensor) -> Tensor:
    """Sum of :func:`pixel_cross_entropy` and :func:`soft_dice`."""
    return pixel_cross_entropy(logits, label) + soft_dice(logits, label)


LOSS = {"cross_entropy": pixel_cross_entropy, "cross_entropy_dice": cross_entropy_dice}
"""Losses by their name in the configuration."""

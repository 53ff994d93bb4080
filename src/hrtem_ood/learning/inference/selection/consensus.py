"""The segmentation on which networks agree."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]

ROUNDS = 20
POWER = 4
"""Weights of networks are this power of their agreement: a few good ones outvote many that fail in different ways."""


def dice(one: Floats, other: Floats) -> Floats:
    """Compute Dice coefficients over the last axis, 2 Σ a b / (Σ a + Σ b), and 0 of two empty masks.

    Two empty masks agree, but a network that finds nothing is of no use: such agreement counts nothing.

    Parameters
    ----------
    one, other : float array, (…, pixel), [1]
        Masks or probabilities.

    Returns
    -------
    float array, (…), [1]
        Of their precision.
    """
    total = one.sum(axis=-1) + other.sum(axis=-1)
    return np.asarray(2 * (one * other).sum(axis=-1) / np.maximum(total, 1e-6))


def agreement(one: Floats, other: Floats) -> Floats:
    """Compute the lower of the Dice coefficients of particles and of background, over the last axis.

    The particles of any two masks of nearly everything overlap well, whatever is in the image: their Dice coefficient says
    nothing. Of the class that covers less it does.

    Parameters
    ----------
    one, other : float array, (…, pixel), [1]
        Masks or probabilities of particle.

    Returns
    -------
    float array, (…), [1]
        Of their precision.
    """
    return np.minimum(dice(one, other), dice(1 - one, 1 - other))


def weighted_consensus(masks: Floats, probabilities: Floats) -> tuple[Floats, Floats]:
    """Average the probabilities of networks, weighted by their own agreement with that average.

    c = Σ w p / Σ w with w = agreement(m, c)⁴, iterated from equal weights. It is the idea of STAPLE (S. K. Warfield, K. H. Zou
    and W. M. Wells, IEEE Trans. Med. Imaging 23, 903 (2004)), which weighs raters by their agreement with the truth that their
    votes make likely, with :func:`agreement` in place of sensitivity and specificity.

    Parameters
    ----------
    masks : float32 array, (network, pixel), [1]
        0 and 1.
    probabilities : float32 array, (network, pixel), [1]

    Returns
    -------
    consensus : float64 array, (pixel,), [1]
    agreed : float64 array, (network,), [1]
        Agreement of each mask with the consensus.
    """
    # each round makes differences of equal networks up to four times as large: those of rounding, too
    masks, probabilities = masks.astype(np.float64), probabilities.astype(np.float64)
    weight: Floats = np.ones(len(masks))
    for _ in range(ROUNDS):
        consensus = weight @ probabilities / weight.sum()
        agreed = agreement(masks, consensus)
        weight = (agreed + 1e-3) ** POWER
    return consensus, agreed

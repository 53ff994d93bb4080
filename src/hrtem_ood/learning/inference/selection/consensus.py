"""The segmentation on which networks agree."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ROUNDS = 20
POWER = 4
"""Weights of networks are this power of their agreement: a few good ones outvote many that fail in different ways."""


def dice(one: Floats, other: Floats) -> Floats:
    """Compute Dice coefficients over the last axis, 2 Σ a b / (Σ a + Σ b), and 0 of two empty masks.

    Two empty masks agree, but a network that finds nothing is of no use: such agreement counts nothing.

    Parameters
    ----------
    one, other : float32 array, (…, pixel), [1]
        Masks or probabilities.

    Returns
    -------
    float32 array, (…), [1]
    """
    total = one.sum(axis=-1) + other.sum(axis=-1)
    return np.asarray(2 * (one * other).sum(axis=-1) / np.maximum(total, 1e-6), np.float32)


def weighted_consensus(masks: Floats, probabilities: Floats) -> tuple[Floats, Floats]:
    """Average the probabilities of networks, weighted by their own agreement with that average.

    c = Σ w p / Σ w with w = Dice(m, c)⁴, iterated from equal weights. It is the idea of STAPLE (S. K. Warfield, K. H. Zou and
    W. M. Wells, IEEE Trans. Med. Imaging 23, 903 (2004)), which weighs raters by their agreement with the truth that their
    votes make likely, with Dice in place of sensitivity and specificity.

    Parameters
    ----------
    masks : float32 array, (network, pixel), [1]
        0 and 1.
    probabilities : float32 array, (network, pixel), [1]

    Returns
    -------
    consensus : float32 array, (pixel,), [1]
    agreement : float32 array, (network,), [1]
        Dice of each mask with the consensus.
    """
    weight = np.ones(len(masks), np.float32)
    for _ in range(ROUNDS):
        consensus = weight @ probabilities / weight.sum()
        agreement = dice(masks, consensus)
        weight = (agreement + np.float32(1e-3)) ** POWER
    return consensus, agreement

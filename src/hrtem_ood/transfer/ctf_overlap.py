"""Overlaps of contrast transfer functions: how much of the contrast of a test condition the training condition transfers.

Each function takes the :class:`~hrtem_ood.transfer.image_spectrum.ImageSpectra` of training and test images, in this order and
on one grid, and returns a float [1]. T and T′ are the transfer of training and test condition, w the configured weight, and
∫ f w stands for ∫∫ f w dq dφ / ∫∫ w dq dφ over the band. Where a condition transfers nothing, every overlap is 0.
"""

import numpy as np

from hrtem_ood.transfer.epsilon_sigma import ratio, sigma
from hrtem_ood.transfer.image_spectrum import ImageSpectra


def ctf_overlap(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap σ = ∫|T||T′|w / √(∫T²w ∫T′²w): 0 to 1, symmetric.

    See :func:`hrtem_ood.transfer.epsilon_sigma.sigma`.
    """
    return sigma(train.transfer, test.transfer, train.weight)


def ctf_overlap_object(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap σ of the transferred amplitudes |T|√W_p instead of |T|: 0 to 1, symmetric.

    For equal objects it is :func:`ctf_overlap` with the weight w·W_p.
    """
    return sigma(train.amplitude, test.amplitude, train.weight)


def signed_ctf_overlap(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap ∫⟨T⟩⟨T′⟩w / √(∫⟨T²⟩w ∫⟨T′²⟩w): −1 (reversed contrast) to 1, symmetric.

    ⟨·⟩ is the mean over the distribution of a condition: the expected product of T of two independent images.
    """
    norm = np.sqrt(train.weighted_mean(train.transfer**2) * train.weighted_mean(test.transfer**2))
    return ratio(train.weighted_mean(train.mean_transfer * test.mean_transfer), float(norm))


def coverage(train: ImageSpectra, test: ImageSpectra) -> float:
    """Share ∫min(|T|, |T′|)w / ∫|T′|w of the test condition's transfer that training covers: 0 to 1, asymmetric."""
    return ratio(train.weighted_mean(np.minimum(train.transfer, test.transfer)), train.weighted_mean(test.transfer))


def coverage_object(train: ImageSpectra, test: ImageSpectra) -> float:
    """Share ∫min(|T|√W_p, |T′|√W′_p)w / ∫|T′|√W′_p w of the transferred amplitude that training covers: 0 to 1, asymmetric."""
    return ratio(train.weighted_mean(np.minimum(train.amplitude, test.amplitude)), train.weighted_mean(test.amplitude))

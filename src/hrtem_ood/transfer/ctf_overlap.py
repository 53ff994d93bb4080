"""How much of the contrast that a test condition transfers was there in training: overlaps of transfer functions.

Each takes what training and test images show, :class:`hrtem_ood.transfer.image_spectrum.ImageSpectra`, in this order. Where
the one or the other transfers nothing at all, every overlap is 0.
"""

import numpy as np

from hrtem_ood.transfer.image_spectrum import ImageSpectra


def ratio(part: float, whole: float) -> float:
    """Return a share, −1 to 1 whatever the rounding; 0 of nothing."""
    return float(np.clip(part / whole, -1.0, 1.0)) if whole > 0 else 0.0


def ctf_overlap(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap ∫|T||T′|w / √(∫T²w ∫T′²w), σ of :func:`hrtem_ood.transfer.epsilon_sigma.sigma`: 0 to 1, symmetric."""
    whole = np.sqrt(train.weighted_mean(train.transfer**2) * train.weighted_mean(test.transfer**2))
    return ratio(train.weighted_mean(train.transfer * test.transfer), float(whole))


def ctf_overlap_object(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap of transferred amplitudes |T|√W_p: :func:`ctf_overlap` with the weight w·W_p, if objects are the same."""
    whole = np.sqrt(train.weighted_mean(train.amplitude**2) * train.weighted_mean(test.amplitude**2))
    return ratio(train.weighted_mean(train.amplitude * test.amplitude), float(whole))


def signed_ctf_overlap(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap ∫⟨T⟩⟨T′⟩w / √(∫⟨T²⟩w ∫⟨T′²⟩w): −1 (reversed contrast) to 1, symmetric.

    ⟨·⟩ is the mean over the distribution of a condition: the expected product of T of two independent images.
    """
    whole = np.sqrt(train.weighted_mean(train.transfer**2) * train.weighted_mean(test.transfer**2))
    return ratio(train.weighted_mean(train.mean_transfer * test.mean_transfer), float(whole))


def coverage(train: ImageSpectra, test: ImageSpectra) -> float:
    """Share ∫min(|T|, |T′|)w / ∫|T′|w of the test condition's transfer that training covers: 0 to 1, asymmetric."""
    return ratio(train.weighted_mean(np.minimum(train.transfer, test.transfer)), train.weighted_mean(test.transfer))


def coverage_object(train: ImageSpectra, test: ImageSpectra) -> float:
    """Share of transferred amplitude |T|√W_p that training covers: :func:`coverage` where objects count, too."""
    return ratio(train.weighted_mean(np.minimum(train.amplitude, test.amplitude)), train.weighted_mean(test.amplitude))

"""Transferred contrast against noise: signal-to-noise ratios, Shannon information, contrast-to-noise ratio.

ρ = S/B is the signal-to-noise ratio of :class:`~hrtem_ood.transfer.image_spectrum.ImageSpectra`, per spatial frequency; ρ and ρ′
are those of training and test images, on one grid.
"""

import numpy as np

from hrtem_ood.transfer.epsilon_sigma import ratio
from hrtem_ood.transfer.image_spectrum import ImageSpectra

FLOOR = 1e-4
"""Least T² in the contrast-to-noise ratio, so that its logarithm exists at minimum contrast, where T = 0 to first order."""


def information(spectra: ImageSpectra) -> float:
    """Shannon information ½∫∫ log₂(1 + ρ) d²q of an image on its object [bit/Å²].

    The capacity of parallel Gaussian channels (Shannon, Proc. IRE 37 (1949) 10); ½, as a real image has one real
    coefficient per unit of d²q and of area.
    """
    return spectra.band_integral(np.log2(1 + spectra.snr)) / 2


def information_shared(train: ImageSpectra, test: ImageSpectra) -> float:
    """Shared information ½∫∫ log₂(1 + min(ρ, ρ′)) d²q [bit/Å²]: symmetric."""
    return train.band_integral(np.log2(1 + np.minimum(train.snr, test.snr))) / 2


def information_covered(train: ImageSpectra, test: ImageSpectra) -> float:
    """Shared information over the test's own, ∫∫ log₂(1 + min(ρ, ρ′)) d²q / ∫∫ log₂(1 + ρ′) d²q: 0 to 1, asymmetric."""
    return ratio(information_shared(train, test), information(test))


def snr_overlap(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap ∫∫√(ρρ′)d²q / √(∫∫ρ d²q ∫∫ρ′ d²q) of signal-to-noise ratios: 0 to 1, symmetric; 0 where either is 0."""
    norm = np.sqrt(train.band_integral(train.snr) * train.band_integral(test.snr))
    return ratio(train.band_integral(np.sqrt(train.snr * test.snr)), float(norm))


def log_cnr(spectra: ImageSpectra) -> float:
    """Logarithm of the contrast-to-noise ratio, ln CNR = ½ ln [D ∫∫ 4 max(T², floor) W_p DQE d²q], up to the unit of area.

    Transferred contrast over counting noise alone. Without a DQE, MTF² takes its place. The floor is :data:`FLOOR`.
    """
    contrast = 4 * np.maximum(spectra.transfer**2, FLOOR) * spectra.particle
    return float(np.log(spectra.band_integral(contrast / spectra.noise)) / 2)


def log_cnr_difference(train: ImageSpectra, test: ImageSpectra) -> float:
    """Difference |ln CNR′ − ln CNR| [1]: 0 or above, symmetric."""
    return abs(log_cnr(test) - log_cnr(train))


def log_spectrum_distance(train: ImageSpectra, test: ImageSpectra) -> float:
    """Root mean square of ln(P′/P) over the area of the band, P = (P₀ + P₁)/2: 0 or above, symmetric."""
    difference = np.log(
        (test.background_spectrum + test.particle_spectrum) / (train.background_spectrum + train.particle_spectrum)
    )
    return float(np.sqrt(train.band_integral(difference**2) / train.area.sum()))

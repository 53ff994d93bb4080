"""What is transferred counted against noise: signal-to-noise ratios, Shannon information, contrast to noise."""

import numpy as np

from hrtem_ood.transfer.ctf_overlap import ratio
from hrtem_ood.transfer.image_spectrum import ImageSpectra

FLOOR = 1e-4
"""Least T² in the contrast-to-noise ratio, so that its logarithm exists at minimum contrast, where T = 0 to first order."""


def information(seen: ImageSpectra) -> float:
    """Shannon information ½∫∫ log₂(1 + ρ) d²q of an image on its object [bit/Å²].

    The capacity of parallel Gaussian channels (Shannon, Proc. IRE 37 (1949) 10); ½, as a real image has one real
    coefficient per unit of d²q and of area.
    """
    return seen.band_integral(np.log2(1 + seen.snr)) / 2


def information_shared(train: ImageSpectra, test: ImageSpectra) -> float:
    """Shared information ½∫∫ log₂(1 + min(ρ, ρ′)) d²q [bit/Å²]: what both show at least; symmetric."""
    return train.band_integral(np.log2(1 + np.minimum(train.snr, test.snr))) / 2


def information_covered(train: ImageSpectra, test: ImageSpectra) -> float:
    """Shared information over the test condition's own: 0 to 1, asymmetric; 0 where that shows nothing."""
    return ratio(information_shared(train, test), information(test))


def snr_overlap(train: ImageSpectra, test: ImageSpectra) -> float:
    """Overlap ∫∫√(ρρ′)d²q / √(∫∫ρ d²q ∫∫ρ′ d²q): 0 to 1, symmetric; 0 where either shows nothing."""
    whole = np.sqrt(train.band_integral(train.snr) * train.band_integral(test.snr))
    return ratio(train.band_integral(np.sqrt(train.snr * test.snr)), float(whole))


def log_cnr(seen: ImageSpectra) -> float:
    """Logarithm of the contrast-to-noise ratio, ½ ln [D ∫∫ 4 max(T², floor) W_p DQE d²q] up to the unit of area.

    Transferred contrast over counting noise alone, MTF² in place of the DQE where there is none; the floor is :data:`FLOOR`.
    """
    contrast = 4 * np.maximum(seen.transfer**2, FLOOR) * seen.particle
    return float(np.log(seen.band_integral(contrast / seen.noise)) / 2)


def log_cnr_difference(train: ImageSpectra, test: ImageSpectra) -> float:
    """Return |Δ ln CNR|: 0 and more, symmetric."""
    return abs(log_cnr(test) - log_cnr(train))


def log_spectrum_distance(train: ImageSpectra, test: ImageSpectra) -> float:
    """Root of the mean over the band's area of [ln P′/P]², P being the mean spectrum (P₀ + P₁)/2; symmetric."""
    ratio = np.log(
        (test.background_spectrum + test.particle_spectrum) / (train.background_spectrum + train.particle_spectrum)
    )
    return float(np.sqrt(train.band_integral(ratio**2) / train.area.sum()))

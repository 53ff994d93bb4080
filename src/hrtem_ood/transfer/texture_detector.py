"""Texture accuracy and related measures: a detector of local texture, trained under one condition and used under another.

The network is idealised as the best detector of particles by their local power spectrum under the training condition. It is
given the standardised spectra P₀ (no particle) and P₁ (particle) of its training images, with ρ = P₁/P₀ − 1. Its decision
variable is the log-likelihood ratio of independent Gaussian coefficients z(q) over a *look* of area A,

    Λ = ½ A ∫∫ [ |z|² (1/P₀ − 1/P₁) − ln(P₁/P₀) ] d²q,      particle where Λ > 0.

Under a test condition |z|² has the mean P′₀ or P′₁ instead. With u = P′_y (1/P₀ − 1/P₁) = (P′_y/P₀) ρ/(1 + ρ), Λ then has

    mean m_y = ½ A ∫∫ [u − ln(1 + ρ)] d²q,      variance v_y = ½ A ∫∫ u² d²q,

and is taken as normal, because many coefficients add. Phase and sign of T drop out: contrast of either sign makes texture.
Dose enters twice, by ρ and by standardisation. The shift from low to high dose therefore differs from its reverse.
"""

import numpy as np

from hrtem_ood.transfer.image_spectrum import ImageSpectra

LOOK_A2 = 4.0
"""Area A of a look [Å²]: about one atomic column. Columns of a lattice repeat one another and are not independent looks. A scales
all m/√v alike, so that it hardly changes ranks."""


def detector_statistics(train: ImageSpectra, test: ImageSpectra) -> tuple[float, float]:
    """Return mean over standard deviation of Λ on test images, with the sign of the right decision.

    Parameters
    ----------
    train, test : ImageSpectra
        On one grid.

    Returns
    -------
    particle, background : float, [1]
        m₁/√v₁ and −m₀/√v₀. Both are 0 where the detector has no evidence (ρ = 0 everywhere): it decides by chance.
    """
    gain = train.snr / (1 + train.snr) / train.background_spectrum
    evidence = train.band_integral(np.log1p(train.snr))
    if not evidence > 0:
        return 0.0, 0.0

    def statistic(spectrum: np.ndarray) -> float:
        u = spectrum * gain
        mean, variance = train.band_integral(u) - evidence, train.band_integral(u**2)
        return float(np.sqrt(LOOK_A2 / 2) * mean / np.sqrt(variance))

    return statistic(test.particle_spectrum), -statistic(test.background_spectrum)


def accuracy(train: ImageSpectra, test: ImageSpectra) -> float:
    """Accuracy ½ [Φ(m₁/√v₁) + Φ(−m₀/√v₀)] expected of one look, balanced over both classes [1]: 0.5 is chance.

    Parameters
    ----------
    train, test : ImageSpectra
        On one grid: spectra of the detector's training images, and of the images on which it is used.

    Returns
    -------
    float, [1]
    """
    from scipy.special import ndtr

    return float(np.mean(ndtr(detector_statistics(train, test))))


def divergence(train: ImageSpectra, test: ImageSpectra) -> float:
    """Bound on the loss of using the training posterior on test images, ½ Σ_y ½ ∫∫ d_IS(P′_y, P_y) d²q [nat/Å²].

    Replacing the posterior p′(y|z) by p(y|z) costs ⟨KL(p′(y|z) ‖ p(y|z))⟩. By the chain rule of the Kullback–Leibler
    divergence (Cover & Thomas 2006, Thm. 2.5.3) that is at most Σ_y p(y) KL(p′(z|y) ‖ p(z|y)). For Gaussian coefficients the
    latter is the Itakura–Saito divergence d_IS(P′, P) = P′/P − 1 − ln(P′/P) of their spectra.

    Parameters
    ----------
    train, test : ImageSpectra
        On one grid.

    Returns
    -------
    float, [nat/Å²]
        0 or above; asymmetric.
    """
    total = 0.0
    for of_test, of_train in (
        (test.particle_spectrum, train.particle_spectrum),
        (test.background_spectrum, train.background_spectrum),
    ):
        ratio = of_test / of_train
        total += train.band_integral(ratio - 1 - np.log(ratio)) / 4
    return max(0.0, total)


def wiener_excess(train: ImageSpectra, test: ImageSpectra) -> float:
    """Excess error ∫∫ (h − h′)² P′₁ d²q / ∫∫ W′ d²q of the training Wiener filter on test images [1].

    Standardised images z = a φ + n, a = 2⟨T⟩/√variance, have the Wiener filter h = a W/P₁ for the particles' phase φ. On test
    images it has a larger error than their own filter h′; the difference is given in units of the phase's power ∫∫ W′ d²q.
    It depends on the sign of T: reversed contrast counts as an error.

    Parameters
    ----------
    train, test : ImageSpectra
        On one grid.

    Returns
    -------
    float, [1]
        0 where both are the same; asymmetric.
    """
    h_train, h_test = (
        2 * each.mean_transfer * each.particle / np.sqrt(each.variance) / each.particle_spectrum
        for each in (train, test)
    )
    power = test.band_integral(np.broadcast_to(test.particle, test.transfer.shape))
    return test.band_integral((h_train - h_test) ** 2 * test.particle_spectrum) / power if power > 0 else 0.0

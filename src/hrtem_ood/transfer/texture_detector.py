"""What a network trained on one signal-to-noise spectrum can know at another: a detector of texture, used elsewhere.

The network is idealised as the best detector of particles by their local power spectrum under the training condition. It
knows the standardised spectra P₀ (no particle) and P₁ (particle) of its training images, ρ = P₁/P₀ − 1, and votes by the
logarithm of the likelihood ratio of independent Gaussian coefficients z(q) over a *look* of area A,

    Λ = ½ A ∫∫ [ |z|² (1/P₀ − 1/P₁) − ln(P₁/P₀) ] d²q,      particle where Λ > 0.

Under a test condition |z|² has the mean P′₀ or P′₁ instead, so that Λ has, with u = P′_y (1/P₀ − 1/P₁) = (P′_y/P₀) ρ/(1 + ρ),

    mean m_y = ½ A ∫∫ [u − ln(1 + ρ)] d²q,      variance v_y = ½ A ∫∫ u² d²q,

and is taken as normal, as many coefficients add. Phase and sign of T drop out: contrast of either sign makes texture.
Dose enters twice, by ρ and by standardisation, which makes the shift from low to high dose differ from its reverse.
"""

import numpy as np
from scipy.special import ndtr

from hrtem_ood.transfer.image_spectrum import ImageSpectra

LOOK_A2 = 4.0
"""Area A of a look [Å²]: that of about one atomic column. Columns of a lattice repeat one another and are no independent
looks. It scales all m/√v alike, hence hardly matters to ranks."""


def detector_statistics(train: ImageSpectra, test: ImageSpectra) -> tuple[float, float]:
    """Mean over standard deviation of the vote, counted towards what is right, with and without a particle.

    Parameters
    ----------
    train, test : Seen

    Returns
    -------
    within, without : float, [1]
        m₁/√v₁ and −m₀/√v₀; both 0 where the detector knows nothing (ρ = 0), as it then tosses a coin.
    """
    gain = train.snr / (1 + train.snr) / train.background_spectrum
    evidence = train.band_integral(np.log1p(train.snr))
    if not evidence > 0:
        return 0.0, 0.0
    found = []
    for spectrum, right in ((test.particle_spectrum, 1), (test.background_spectrum, -1)):
        used = spectrum * gain
        mean, variance = train.band_integral(used) - evidence, train.band_integral(used**2)
        found.append(right * float(np.sqrt(LOOK_A2 / 2) * mean / np.sqrt(variance)))
    return found[0], found[1]


def accuracy(train: ImageSpectra, test: ImageSpectra) -> float:
    """Return the expected balanced accuracy ½ [Φ(m₁/√v₁) + Φ(−m₀/√v₀)] of one look: ½ is chance."""
    return float(np.mean(ndtr(detector_statistics(train, test))))


def divergence(train: ImageSpectra, test: ImageSpectra) -> float:
    """Bound on the loss by mistaking the test for the training condition, ½ Σ_y ½ ∫∫ d_IS(P′_y, P_y) d²q [nat/Å²].

    Replacing the posterior p′(y|z) by p(y|z) costs ⟨KL(p′(y|z) ‖ p(y|z))⟩, which by the chain rule of the
    Kullback–Leibler divergence (Cover & Thomas 2006, Thm. 2.5.3) is at most Σ_y p(y) KL(p′(z|y) ‖ p(z|y)); for Gaussian
    coefficients that is the Itakura–Saito divergence d_IS(P′, P) = P′/P − 1 − ln(P′/P) of their spectra.
    """
    total = 0.0
    for there, here in (
        (test.particle_spectrum, train.particle_spectrum),
        (test.background_spectrum, train.background_spectrum),
    ):
        ratio = there / here
        total += train.band_integral(ratio - 1 - np.log(ratio)) / 4
    return max(0.0, total)


def wiener_excess(train: ImageSpectra, test: ImageSpectra) -> float:
    """Share of the particles' phase that a linear network loses by a filter learnt elsewhere: the signed counterpart.

    Standardised images z = a φ + n, a = 2⟨T⟩/√variance, have the Wiener filter h = a W/P₁. Used on test images, it leaves
    an error that exceeds the least one by ∫∫ (h − h′)² P′₁ d²q; in units of the phase's own power ∫∫ W′ d²q. Reversed
    contrast is reversed knowledge here. 0 where train and test are the same; asymmetric.
    """
    here, there = (
        2 * each.mean_transfer * each.particle / np.sqrt(each.variance) / each.particle_spectrum
        for each in (train, test)
    )
    power = test.band_integral(np.broadcast_to(test.particle, test.transfer.shape))
    return test.band_integral((here - there) ** 2 * test.particle_spectrum) / power if power > 0 else 0.0

"""Partial temporal coherence by explicit integration over the focus."""

from functools import lru_cache

import numpy as np

from hrtem_ood.errors import ConfigError

ERROR = 1e-3
"""Largest error of the mutual coherence of any two beams that reach the image [1]; errors of images are far smaller."""

MAX_NODES = 150
"""Largest number of nodes; beyond it, the frequencies should be limited instead."""


@lru_cache
def focal_nodes(focal_spread_A: float, wavelength_A: float, q_max_per_A: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the mean over a Gaussian distribution of focus ∝ exp(−f²/Δ²), by Gauss–Hermite quadrature.

    Two beams of frequencies q₁ and q₂ interfere with the phase π λ f (q₁² − q₂²), whose mean over the focus is
    exp(−k²/4), k = π λ Δ (q₁² − q₂²): their mutual coherence (Ishizuka, Ultramicroscopy 5 (1980) 55). The number of
    nodes is the smallest with which the quadrature gives it to within 10⁻³ for every pair of beams, |k| ≤ π λ Δ q_max².

    Parameters
    ----------
    focal_spread_A : float, [Å]
        Δ, 1/e half-width.
    wavelength_A : float, [Å]
    q_max_per_A : float, [1/Å]
        Largest frequency that passes.

    Returns
    -------
    deviations : float64 array, (node,), [Å]
        Of the defocus.
    weights : float64 array, (node,), [1]
        With sum 1.

    Raises
    ------
    ConfigError
        If more than 150 nodes are needed.
    """
    swing = np.pi * wavelength_A * focal_spread_A * q_max_per_A**2
    phase = np.linspace(0, swing, 64 + min(int(16 * swing), 4096))
    coherence = np.exp(-(phase**2) / 4)
    # nodes are about π/√(2n) apart; oscillations that are faster would be aliased
    for number in range(max(1, int(swing**2 / 8)), MAX_NODES + 1):
        nodes, weights = np.polynomial.hermite.hermgauss(number)
        weights /= weights.sum()
        if np.abs(np.cos(np.outer(phase, nodes)) @ weights - coherence).max() <= ERROR:
            return focal_spread_A * nodes, weights
    raise ConfigError(
        f"imaging.temporal_coherence: focal_integration over focal_spread_A = {focal_spread_A:g} needs more than {MAX_NODES} "
        f"images for frequencies up to {q_max_per_A:.3g} 1/Å; use an aperture_mrad, larger pixels, or "
        "temporal_coherence: envelope."
    )

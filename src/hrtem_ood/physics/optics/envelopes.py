"""Damping of the contrast transfer by partial coherence, in the quasi-coherent approximation."""

from types import ModuleType

import numpy as np

from hrtem_ood.physics.optics.aberrations import Array


def temporal_envelope(q_per_A: Array, *, wavelength_A: float, focal_spread_A: float, xp: ModuleType = np) -> Array:
    """Envelope of a Gaussian spread of focus.

    E_t(q) = exp[−(π λ Δ q² / 2)²], the Fourier transform of a focus distribution ∝ exp(−f²/Δ²): Kirkland (2010), Sec.
    3.2. Δ is therefore a 1/e half-width, √2 times the standard deviation; abTEM's ``focal_spread`` is the same.

    Parameters
    ----------
    q_per_A : float array, (…), [1/Å]
    wavelength_A : float, [Å]
    focal_spread_A : float, [Å]
        Δ, 1/e half-width.
    xp : module
        The array's module, NumPy or CuPy.

    Returns
    -------
    float array, (…), [1]
    """
    return xp.exp(-((np.pi * wavelength_A * focal_spread_A * q_per_A**2 / 2) ** 2))


def spatial_envelope(
    radial_gradient: Array, azimuthal_gradient: Array, *, angular_spread_mrad: float, xp: ModuleType = np
) -> Array:
    """Envelope of a Gaussian spread of illumination angles.

    E_s = exp[−(θ/2)² |∇χ|²], the Fourier transform of an angular distribution ∝ exp(−β²/θ²): Kirkland (2010), Sec. 3.2;
    ∇ is with respect to the scattering angle. θ is therefore a 1/e half-width. abTEM's ``angular_spread`` enters by the
    same formula, although its documentation calls it a standard deviation.

    Parameters
    ----------
    radial_gradient, azimuthal_gradient : float array, (…), [rad/rad]
        From :func:`hrtem_ood.physics.optics.aberrations.aberration_gradient`.
    angular_spread_mrad : float, [mrad]
        θ, 1/e half-width.
    xp : module
        The arrays' module, NumPy or CuPy.

    Returns
    -------
    float array, (…), [1]
    """
    return xp.exp(-((angular_spread_mrad * 1e-3 / 2) ** 2) * (radial_gradient**2 + azimuthal_gradient**2))

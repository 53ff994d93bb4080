"""Damping of the contrast transfer: the aperture, and partial coherence in the quasi-coherent approximation.

:func:`radial_damping` and :func:`angular_damping` are the whole damping by a condition; images and predictors use them. A
new damping parameter is a field of the condition and a factor in one of the two.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.condition import Condition


def radial_damping(
    condition: Condition, q_per_A: Array, *, wavelength_A: float, edge_q_per_A: Array | None = None, xp: ModuleType = np
) -> Array:
    """Return the part of A(q) E(q) that depends on |q| alone: aperture and temporal envelope.

    The aperture has a hard edge, closed at the semi-angle itself: abTEM's ``soft=False``.

    Parameters
    ----------
    condition : Condition
    q_per_A : float array, (…), [1/Å]
        In the precision in which envelopes are computed.
    wavelength_A : float, [Å]
    edge_q_per_A : float64 array, (…), [1/Å]
        The same in double precision, for the edge of the aperture, which single precision would shift; by default ``q_per_A``.
    xp : module
        The arrays' module, NumPy or CuPy.

    Returns
    -------
    float array, of the shape and type of ``q_per_A``, [1]
    """
    result = xp.ones_like(q_per_A)
    if condition.focal_spread_A:
        result *= temporal_envelope(q_per_A, wavelength_A=wavelength_A, focal_spread_A=condition.focal_spread_A, xp=xp)
    if condition.aperture_mrad is not None:
        edge = q_per_A if edge_q_per_A is None else edge_q_per_A
        result *= wavelength_A * edge <= condition.aperture_mrad * 1e-3
    return result


def angular_damping(
    condition: Condition, gradient: Callable[[], tuple[Array, Array]], *, xp: ModuleType = np
) -> Array | None:
    """Return the part of E(q) that depends on the slope of χ: the spatial envelope.

    Parameters
    ----------
    condition : Condition
    gradient : callable
        Returns the two components of ∇χ, float arrays (…) [rad/rad]; called only if they are used.
    xp : module
        The arrays' module, NumPy or CuPy.

    Returns
    -------
    float array, (…), [1], or None
        None where nothing is damped.
    """
    if not condition.angular_spread_mrad:
        return None
    radial, azimuthal = gradient()
    return spatial_envelope(radial, azimuthal, angular_spread_mrad=condition.angular_spread_mrad, xp=xp)


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

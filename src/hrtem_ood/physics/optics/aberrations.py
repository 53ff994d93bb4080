"""The aberration function χ of the objective lens, and its gradient.

Aberrations carry their Krivanek names: ``Cnm`` [Å] is of order n and symmetry m, ``phinm`` [rad] its azimuth. Signs are
those of abTEM: a wave is multiplied by exp(−iχ), and C10 = −defocus, so that underfocus is a positive defocus.
"""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A NumPy or CuPy array: neither module has a common array type."""

TERMS = ((1, 0), (1, 2), (2, 1), (2, 3), (3, 0), (3, 2), (3, 4), (4, 1), (4, 3), (4, 5), (5, 0), (5, 2), (5, 4), (5, 6))
"""Order n and symmetry m of every aberration up to fifth order."""


def nonzero_aberrations(defocus_A: float, aberrations: Mapping[str, float]) -> Iterator[tuple[int, int, float, float]]:
    """Yield n, m, C [Å] and azimuth [rad] of every aberration that is not zero; see :func:`aberration_function`."""
    valid = {f"C{n}{m}" for n, m in TERMS[1:]} | {f"phi{n}{m}" for n, m in TERMS if m}
    if unknown := sorted(set(aberrations) - valid):
        raise ValueError(f"unknown aberrations {unknown}; valid are {sorted(valid)}; give C10 as defocus_A = -C10")
    for n, m in TERMS:
        size = -defocus_A if (n, m) == (1, 0) else aberrations.get(f"C{n}{m}", 0.0)
        if size:
            yield n, m, size, aberrations.get(f"phi{n}{m}", 0.0)


def aberration_function(
    q_per_A: Array,
    azimuth_rad: Array,
    *,
    wavelength_A: float,
    defocus_A: float,
    aberrations: Mapping[str, float],
    xp: ModuleType = np,
) -> Array:
    """Phase χ by which the objective lens retards each spatial frequency.

    χ(α, φ) = 2π/λ Σ C_nm α^{n+1}/(n+1) cos[m (φ − φ_nm)] with α = λq, after Krivanek, Dellby & Lupini,
    Ultramicroscopy 78 (1999) 1, and Kirkland (2010), Eq. 2.22.

    Parameters
    ----------
    q_per_A : float array, (…), [1/Å]
        Modulus of the spatial frequency. Give double precision: χ can be hundreds of radians.
    azimuth_rad : float array, broadcastable with q, [rad]
        Azimuth of the spatial frequency, arctan2(q_y, q_x).
    wavelength_A : float, [Å]
    defocus_A : float, [Å]
        −C10; positive is underfocus.
    aberrations : mapping of str to float
        Krivanek coefficients [Å] and azimuths [rad] without C10; those left out are zero.
    xp : module
        The arrays' module, NumPy or CuPy.

    Returns
    -------
    float array, (…), [rad]
    """
    alpha = wavelength_A * q_per_A
    shape = xp.broadcast_shapes(xp.shape(q_per_A), xp.shape(azimuth_rad))
    path_A = xp.zeros(shape)
    for n, m, size, azimuth in nonzero_aberrations(defocus_A, aberrations):
        radial = size / (n + 1) * alpha ** (n + 1)
        path_A += radial * xp.cos(m * (azimuth_rad - azimuth)) if m else radial
    return 2 * np.pi / wavelength_A * path_A


def aberration_gradient(
    q_per_A: Array,
    azimuth_rad: Array,
    *,
    wavelength_A: float,
    defocus_A: float,
    aberrations: Mapping[str, float],
    xp: ModuleType = np,
) -> tuple[Array, Array]:
    """Gradient of χ with respect to the scattering angle, in polar components.

    Parameters
    ----------
    q_per_A, azimuth_rad, wavelength_A, defocus_A, aberrations, xp
        As in :func:`aberration_function`.

    Returns
    -------
    radial : float array, (…), [rad/rad]
        ∂χ/∂α.
    azimuthal : float array, (…), [rad/rad]
        (1/α) ∂χ/∂φ.
    """
    alpha = wavelength_A * q_per_A
    shape = xp.broadcast_shapes(xp.shape(q_per_A), xp.shape(azimuth_rad))
    radial, azimuthal = xp.zeros(shape), xp.zeros(shape)
    for n, m, size, azimuth in nonzero_aberrations(defocus_A, aberrations):
        slope = size * alpha**n
        if m:
            radial += slope * xp.cos(m * (azimuth_rad - azimuth))
            azimuthal -= slope * m / (n + 1) * xp.sin(m * (azimuth_rad - azimuth))
        else:
            radial += slope
    factor = 2 * np.pi / wavelength_A
    return factor * radial, factor * azimuthal

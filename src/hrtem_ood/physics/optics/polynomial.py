"""The aberration function as a polynomial of the two scattering angles, quick to evaluate on a grid."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.optics.aberrations import Array, nonzero_aberrations

DEGREE = 6
"""Of χ up to aberrations of fifth order."""

Coefficients = NDArray[np.float64]


def aberration_polynomial(*, defocus_A: float, aberrations: Mapping[str, float]) -> Coefficients:
    """Coefficients of λχ/2π as a polynomial of α_x and α_y.

    α^{n+1} cos[m(φ − φ_nm)] = (α²)^{(n+1−m)/2} Re[(α_x + iα_y)^m exp(−imφ_nm)], and n + 1 − m is even for every
    aberration: χ is a polynomial, so that on a grid it is two products of matrices, without an angle or a cosine.

    Parameters
    ----------
    defocus_A, aberrations
        As in :func:`hrtem_ood.physics.optics.aberrations.aberration_function`.

    Returns
    -------
    float64 array, (7, 7), [Å]
        Factor of α_x^i α_y^j at [i, j].
    """
    total = np.zeros((DEGREE + 1, DEGREE + 1))
    square = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], complex)  # α_x² + α_y²
    direction = np.array([[0, 1j], [1, 0]])  # α_x + iα_y
    for n, m, size, azimuth in nonzero_aberrations(defocus_A, aberrations):
        term = np.array([[size / (n + 1) * np.exp(-1j * m * azimuth)]])
        for factor in [direction] * m + [square] * ((n + 1 - m) // 2):
            term = _product(term, factor)
        total[: len(term), : len(term)] += term.real
    return total


def _product(one: NDArray[np.complex128], other: NDArray[np.complex128]) -> NDArray[np.complex128]:
    result = np.zeros([a + b - 1 for a, b in zip(one.shape, other.shape, strict=True)], complex)
    for (i, j), value in np.ndenumerate(one):
        result[i : i + other.shape[0], j : j + other.shape[1]] += value * other
    return result


def gradient(polynomial: Coefficients) -> tuple[Coefficients, Coefficients]:
    """Differentiate a polynomial with respect to α_x and to α_y."""
    powers = np.arange(DEGREE + 1.0)
    along_x, along_y = np.zeros_like(polynomial), np.zeros_like(polynomial)
    along_x[:-1] = (polynomial * powers[:, None])[1:]
    along_y[:, :-1] = (polynomial * powers)[:, 1:]
    return along_x, along_y


def evaluate_on_grid(polynomial: Coefficients, alpha_x: Array, alpha_y: Array, xp: ModuleType = np) -> Array:
    """Evaluate a polynomial for every pair of angles.

    Parameters
    ----------
    polynomial : float64 array, (7, 7)
    alpha_x, alpha_y : float64 array, (x,) and (y,), [rad]
    xp : module
        The arrays' module, NumPy or CuPy.

    Returns
    -------
    float64 array, (y, x)
    """
    powers = xp.arange(DEGREE + 1)[:, None]
    rows, columns = alpha_y[None, :] ** powers, alpha_x[None, :] ** powers
    return (rows.T @ xp.asarray(polynomial.T)) @ columns

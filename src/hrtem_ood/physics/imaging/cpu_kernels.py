"""Compiled inner loops of imaging on a CPU. Their NumPy forms are in `lens` and `intensity`."""

import numpy as np
from numba import njit

from hrtem_ood.physics.optics.fast_sincos import sincos
from hrtem_ood.physics.optics.polynomial import DEGREE

assert DEGREE == 6, "`lens` writes out seven coefficients; write out as many as a higher degree has"


@njit(cache=True, fastmath={"contract"})
def lens(polynomial: np.ndarray, alpha: np.ndarray, damping: np.ndarray, result: np.ndarray) -> None:
    """Fill in damping times exp(−2πi p), p being a polynomial of the scattering angles.

    Parameters
    ----------
    polynomial : float64 array, (7, 7), [1/rad^(i+j)]
        Factor of α_x^i α_y^j at [i, j]: retardation of a frequency in turns.
    alpha : float64 array, (size,), [rad]
        Angles along either axis, in the order of an unshifted Fourier grid.
    damping : float32 array, (size // 2 + 1, size), [1]
        Of the rows of non-negative α_y, even in α_y.
    result : complex64 array, (size, size), [1]
    """
    size = alpha.size
    row = np.empty(DEGREE + 1)
    for y in range(size):
        for i in range(DEGREE + 1):
            total = 0.0
            for j in range(DEGREE, -1, -1):
                total = total * alpha[y] + polynomial[i, j]
            row[i] = total
        # numbers instead of an array, so that the loop over x is vectorised
        c0, c1, c2, c3, c4, c5, c6 = row[0], row[1], row[2], row[3], row[4], row[5], row[6]
        damped = damping[min(y, size - y)]
        for x in range(size):
            a = alpha[x]
            quarters = 4 * ((((((c6 * a + c5) * a + c4) * a + c3) * a + c2) * a + c1) * a + c0)
            whole = np.rint(quarters)
            rest = np.float32(quarters - whole) * np.float32(-np.pi / 2)
            cosine, sine = sincos(rest, np.int32(-whole))
            result[y, x] = complex(cosine * damped[x], sine * damped[x])


@njit(cache=True)
def transpose_block(block: np.ndarray, target: np.ndarray, first: int, rows: int) -> None:
    """Write a block of rows, (y, x), to its place in (x, y)."""
    for x in range(target.shape[0]):
        for y in range(rows):
            target[x, first + y] = block[y, x]


@njit(cache=True, fastmath={"contract"})
def add_squares(total: np.ndarray, block: np.ndarray) -> None:
    """Add |ψ|² of rows of a wave to a sum."""
    for y in range(total.shape[0]):
        wave, line = block[y], total[y]
        for x in range(total.shape[1]):
            value = wave[x]
            line[x] += value.real * value.real + value.imag * value.imag


@njit(cache=True)
def store_scaled_transpose(total: np.ndarray, factor: np.float32, result: np.ndarray) -> None:
    """Write a factor times (x, y) to (y, x)."""
    size = total.shape[0]
    for left in range(0, size, 16):
        for y in range(size):
            for x in range(left, min(left + 16, size)):
                result[y, x] = factor * total[x, y]

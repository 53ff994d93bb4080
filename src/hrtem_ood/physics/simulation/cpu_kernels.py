"""Compiled inner loops of the multislice on a CPU. Their NumPy forms are in `potential` and `multislice`.

They work on blocks of rows that stay in a core's cache between two Fourier transforms. Spectra along x are kept
transposed, (frequency along x, y), so that every transform runs along contiguous memory.
"""

import math

import numpy as np
from numba import njit

from hrtem_ood.physics.optics.fast_sincos import sincos


@njit(cache=True)
def scatter_atoms(grid: np.ndarray, size: int, pixels: np.ndarray, width: int, beta: float) -> None:
    """Add the kernel of every atom, (atom, 2) of x and y [px], to a periodic grid, (y, x)."""
    along_x, along_y = np.empty(width, np.float32), np.empty(width, np.float32)
    columns = np.empty(width, np.int64)
    for atom in range(pixels.shape[0]):
        x, y = pixels[atom, 0], pixels[atom, 1]
        left, low = math.ceil(x - width / 2), math.ceil(y - width / 2)
        for i in range(width):
            u, v = 2 * (left + i - x) / width, 2 * (low + i - y) / width
            along_x[i] = math.exp(beta * (math.sqrt(max(0.0, 1 - u * u)) - 1))
            along_y[i] = math.exp(beta * (math.sqrt(max(0.0, 1 - v * v)) - 1))
            columns[i] = (left + i) % size
        for j in range(width):
            row = (low + j) % size
            for i in range(width):
                grid[row, columns[i]] += along_y[j] * along_x[i]


@njit(cache=True)
def store_transposed(
    block: np.ndarray, mixed: np.ndarray, first: int, rows: int, width: int, head: int, tail: int
) -> None:
    """Write frequencies along x of a block of rows, (y, frequency), to their place in (frequency, y).

    The first ``head`` and the last ``tail`` of the block's ``width`` frequencies are kept, in this order.
    """
    for k in range(head):
        for y in range(rows):
            mixed[k, first + y] = block[y, k]
    for k in range(tail):
        for y in range(rows):
            mixed[head + k, first + y] = block[y, width - tail + k]


@njit(cache=True)
def load_transposed(
    mixed: np.ndarray, block: np.ndarray, first: int, rows: int, width: int, head: int, tail: int
) -> None:
    """Read a block of rows, (y, frequency), from (frequency, y); frequencies that are not kept are zero."""
    for y in range(rows):
        for k in range(head, width - tail):
            block[y, k] = 0
    for k in range(head):
        for y in range(rows):
            block[y, k] = mixed[k, first + y]
    for k in range(tail):
        for y in range(rows):
            block[y, width - tail + k] = mixed[head + k, first + y]


@njit(cache=True, fastmath={"contract"})
def transmit(wave: np.ndarray, phase: np.ndarray, size: int) -> None:
    """Multiply rows of a wave of ``size`` points by exp(i phase).

    Sine and cosine are polynomials, after subtraction of a multiple of π/2 in three parts (Cody & Waite). The library's
    functions, which are not vectorised, take ten times as long.
    """
    for y in range(wave.shape[0]):
        row, angles = wave[y], phase[y]
        for x in range(size):
            angle = angles[x]
            turns = np.rint(angle * np.float32(0.6366197723675814))
            rest = angle - turns * np.float32(1.5703125)
            rest = rest - turns * np.float32(4.837512969970703e-4)
            rest = rest - turns * np.float32(7.549789948768648e-8)
            real, imaginary = sincos(rest, np.int32(turns))
            value = row[x]
            row[x] = complex(
                value.real * real - value.imag * imaginary,
                value.real * imaginary + value.imag * real,
            )


@njit(cache=True, fastmath={"contract"})
def multiply(block: np.ndarray, factors: np.ndarray, head: int, tail: int) -> None:
    """Multiply the first ``head`` and the last ``tail`` columns of a block by factors; set those between to zero."""
    width = factors.shape[1]
    for row in range(factors.shape[0]):
        for k in range(head):
            block[row, k] = block[row, k] * factors[row, k]
        for k in range(head, width - tail):
            block[row, k] = 0
        for k in range(width - tail, width):
            block[row, k] = block[row, k] * factors[row, k]


@njit(cache=True, fastmath={"contract"})
def accumulate(total: np.ndarray, block: np.ndarray, factors: np.ndarray, reset: bool) -> None:
    """Add a block times real factors to a sum, or, with ``reset``, start the sum with it."""
    for row in range(factors.shape[0]):
        for k in range(factors.shape[1]):
            product = block[row, k] * factors[row, k]
            total[row, k] = product if reset else total[row, k] + product

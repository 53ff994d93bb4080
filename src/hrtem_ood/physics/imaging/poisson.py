"""Poisson counts of millions of pixels, each with its own mean: exact, and several times as fast as NumPy's.

A Poisson number of mean m is the sum of two independent ones of means m₀ and m − m₀. Taking for m₀ the next lower
multiple of a step, the first is drawn by inversion from one of a few hundred tables (Devroye, *Non-Uniform Random
Variate Generation* (1986), Sec. III.2, with a guide table), and the second, whose mean is below the step and which is
nearly always 0, by inversion, term by term. The only approximation is that uniform numbers have 53 bits.
"""

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import pdtr

STEPS = ((256.0, 8), (1024.0, 1))
"""Largest mean, and tables per unit of the mean, of two sets of tables. For larger means NumPy is used."""

GUIDES = 1024
"""Equal parts of (0, 1), for each of which a table holds the smallest count."""

Floats = NDArray[np.float64]


@lru_cache(maxsize=4)
def _tables(number: int, per_unit: int) -> tuple[Floats, NDArray[np.uint16]]:
    """Cumulative distributions of means 0, 1/per_unit, 2/per_unit, …, and the first count of each part of (0, 1)."""
    means = np.arange(number) / per_unit
    # twelve standard deviations and more: the rest is below the resolution of a double next to 1
    counts = np.arange(int(means[-1] + 12 * np.sqrt(means[-1]) + 30))
    cumulative = np.asarray(pdtr(counts[None, :], means[:, None]), np.float64)
    cumulative[:, -1] = 1.0  # so that no search runs past the end
    parts = np.arange(GUIDES) / GUIDES
    guides = [np.searchsorted(row, parts, side="right") for row in cumulative]
    return cumulative, np.array(guides, np.uint16)


@njit(cache=True, nogil=True)
def _draw(
    means: Floats,
    first: Floats,
    second: Floats,
    per_unit: int,
    cumulative: Floats,
    guides: NDArray[np.uint16],
    counts: NDArray[np.uint16],
) -> None:
    for pixel in range(means.size):
        table = int(means[pixel] * per_unit)
        rest = means[pixel] - table / per_unit
        count = int(guides[table, int(first[pixel] * guides.shape[1])])
        while cumulative[table, count] <= first[pixel]:
            count += 1
        # exp(−rest) ≥ 1 − rest: mostly no exponential is needed
        if second[pixel] >= 1 - rest:
            extra, term = 0, np.exp(-rest)
            total = term
            while second[pixel] >= total and term > 1e-18:
                extra += 1
                term *= rest / extra
                total += term
            count += extra
        counts[pixel] = count


def poisson_counts(means: Floats, rng: np.random.Generator) -> NDArray[np.uint16] | NDArray[np.int64]:
    """Draw Poisson numbers.

    Parameters
    ----------
    means : float64 array, (…), [1]
        Not negative.
    rng : numpy.random.Generator
        Gives two uniform numbers per pixel; beyond a mean of 1024, NumPy's own Poisson numbers.

    Returns
    -------
    uint16 array, or int64 where a mean is above 1024, (…), [1]

    Raises
    ------
    ValueError
        For means that are negative or no numbers.
    """
    most = float(means.max(initial=0.0))
    if not (means.min(initial=0.0) >= 0 and most < STEPS[-1][0]):
        return rng.poisson(means)
    per_unit = next(per_unit for limit, per_unit in STEPS if most < limit)
    # whole powers of two, so that images of one dose share their tables
    number = 2 ** int(np.ceil(np.log2(int(most * per_unit) + 2)))
    cumulative, guides = _tables(number, per_unit)
    counts = np.empty(means.size, np.uint16)
    flat = np.ascontiguousarray(means, np.float64).ravel()
    _draw(flat, rng.random(flat.size), rng.random(flat.size), per_unit, cumulative, guides, counts)
    return counts.reshape(means.shape)

"""Two-way bootstrap of training sets and test conditions by weights, thousands of resamples at once, and its intervals."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence

Floats = NDArray[np.float64]

BLOCK_SIZE = 2_000_000
"""Largest number of weights in memory at a time."""


def two_way_bootstrap_weights(
    rows: NDArray[np.integer], columns: NDArray[np.integer], resamples: int, stream: str
) -> Iterator[Floats]:
    """Yield, block by block, how often each cell occurs in each resample.

    Rows and groups of columns are drawn with replacement, independently, and their crossings kept (Owen, Annals of
    Applied Statistics 1 (2007) 386, the pigeonhole bootstrap; conservative): a cell's weight is the product of both counts.

    Parameters
    ----------
    rows, columns : int array, (cell,)
        Row, and group of columns, of each cell, counted from 0.
    resamples : int
    stream : str
        Names the random stream.

    Yields
    ------
    float64 array, (resample, cell)
    """
    rng = np.random.default_rng(seed_sequence(stream))
    row_number, column_number = int(rows.max()) + 1, int(columns.max()) + 1
    step = max(1, BLOCK_SIZE // rows.size)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        of_row = rng.multinomial(row_number, np.full(row_number, 1 / row_number), size)
        of_column = rng.multinomial(column_number, np.full(column_number, 1 / column_number), size)
        yield (of_row[:, rows] * of_column[:, columns]).astype(np.float64)


def percentile_interval(values: Floats, level: float) -> tuple[float, float]:
    """Return the ends of the percentile interval of resampled values.

    Parameters
    ----------
    values : float64 array, (resample,)
        Those that are not finite are left out.
    level : float, [1]
        Confidence level.

    Returns
    -------
    low, high : float
        NaN where no value is finite.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

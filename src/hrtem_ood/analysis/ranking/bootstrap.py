"""Two-way bootstrap of training sets and test conditions, by weights: thousands of resamples at once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence

Floats = NDArray[np.float64]

AT_ONCE = 2_000_000
"""Weights in memory at a time."""


def two_way_bootstrap_weights(
    rows: NDArray[np.integer], columns: NDArray[np.integer], resamples: int, stream: str
) -> Iterator[Floats]:
    """Yield, block by block, how often each cell comes in each resample.

    Rows and groups of columns are drawn with replacement, independently, and their crossings kept (Owen, Annals of
    Applied Statistics 1 (2007) 386, the pigeonhole bootstrap; conservative): a cell's weight is the product of both counts.

    Parameters
    ----------
    rows, columns : int array, (cell,)
        Which row, and which group of columns, each cell is in, counted from 0.
    resamples : int
    stream : str
        Names the random stream.

    Yields
    ------
    float64 array, (resample, cell)
    """
    rng = np.random.default_rng(seed_sequence(stream))
    row_number, column_number = int(rows.max()) + 1, int(columns.max()) + 1
    step = max(1, AT_ONCE // rows.size)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        of_row = rng.multinomial(row_number, np.full(row_number, 1 / row_number), size)
        of_column = rng.multinomial(column_number, np.full(column_number, 1 / column_number), size)
        yield (of_row[:, rows] * of_column[:, columns]).astype(np.float64)

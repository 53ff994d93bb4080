"""How well predictors rank the OOD gap: Spearman's ρ over off-domain cells, with a bootstrap interval."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence

PREDICTORS = ("sigma", "epsilon", "abs_delta_defocus_A")

RESAMPLES = 1000
"""Bootstrap resamples; the ends of a 95 % interval are then good to about ±1 % of probability."""

LEVEL = 0.95

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of the OOD gap with a predictor.

    Attributes
    ----------
    rho : float
        Spearman's ρ; NaN with fewer than three cells, or where either does not vary.
    low, high : float
        Ends of the 95 % bootstrap interval.
    n : int
        Off-domain cells.
    """

    rho: float
    low: float
    high: float
    n: int


def spearman(
    gap: Floats, predictor: Floats, use: NDArray[np.bool_], columns: NDArray[np.integer], stream: str
) -> Correlation:
    """Correlate gap and predictor over the cells in use.

    Cells of one row or column share networks or images, hence are not independent: the bootstrap draws training sets
    (rows) and test conditions (groups of columns) with replacement, and keeps their crossings. Owen, Annals of Applied
    Statistics 1 (2007) 386 ("pigeonhole bootstrap"): conservative. Repeats of a cell enter as often as they are
    drawn; resamples in which ρ is undefined are left out.

    Parameters
    ----------
    gap, predictor : float array, (training_set, condition)
    use : bool array, (training_set, condition)
        Cells in use; those without a finite gap are left out.
    columns : int array, (condition,)
        Which test condition each column has; columns of one condition (on several structure sets) are drawn together.
    stream : str
        Names the random stream.

    Returns
    -------
    Correlation
    """
    use = use & np.isfinite(gap) & np.isfinite(predictor)
    n = int(use.sum())
    one, two = (np.unique(values[use], return_inverse=True)[1] for values in (gap, predictor))
    rho = _rho(one, two, np.ones(n))
    if np.isnan(rho):
        return Correlation(np.nan, np.nan, np.nan, n)
    rng = np.random.default_rng(seed_sequence(stream))
    count = len(gap)
    _, group = np.unique(columns, return_inverse=True)
    groups = int(group.max()) + 1
    row, column = np.nonzero(use)
    drawn = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        rows, picked = rng.choice(count, count), rng.choice(groups, groups)
        times = np.bincount(rows, minlength=count)[row] * np.bincount(picked, minlength=groups)[group[column]]
        drawn[index] = _rho(one, two, times)
    finite = drawn[np.isfinite(drawn)]
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if finite.size else (np.nan, np.nan)
    return Correlation(rho, float(low), float(high), n)


def _rho(one: NDArray[np.integer], two: NDArray[np.integer], times: NDArray[Any]) -> float:
    """Spearman's ρ, as Pearson's r of mean ranks, of cells that each enter several times, or not at all.

    Cells are not written out: with N_k cells of at most the k-th value, of which n_k have that value, its mean rank is
    N_k − (n_k − 1)/2. Values are given as their positions among all different ones.
    """
    total = times.sum()
    if total < 3:
        return np.nan
    ranks, squares = [], []
    for place in (one, two):
        tied = np.bincount(place, times)
        centred = np.cumsum(tied) - (tied - 1) / 2 - (total + 1) / 2
        if np.count_nonzero(tied) < 2:
            return np.nan
        ranks.append(centred[place])
        squares.append(float(tied @ centred**2))
    return float((times * ranks[0]) @ ranks[1]) / math.sqrt(squares[0] * squares[1])


def predictor_table(cells: xr.Dataset) -> pd.DataFrame:
    """Correlate the F1 gap with every predictor, over all off-domain cells and over parts of them.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.

    Returns
    -------
    pandas.DataFrame
        Columns ``cells`` (which), ``predictor``, ``spearman_rho``, ``low_95``, ``high_95``, ``n``.
    """
    gap, mixed = cells.gap.values, cells.mixed.values[:, None]
    off = ~cells.in_domain.values
    contrast = ~cells.minimum_contrast.values
    # single-condition sets trained at minimum contrast: their in-domain test condition is at minimum contrast, too
    seen = cells.in_domain.values
    trained_at_minimum = ~mixed[:, 0] & (seen & ~contrast).any(axis=1)
    subsets = {
        "all off-domain": off,
        "single-condition training": off & ~mixed,
        "mixtures": off & mixed,
        "away from minimum contrast": off & contrast & ~trained_at_minimum[:, None],
    }
    columns = np.unique(cells.condition_label.values, return_inverse=True)[1]
    rows = []
    for subset, use in subsets.items():
        for name in PREDICTORS:
            values = np.broadcast_to(cells[name].values, gap.shape)
            found = spearman(gap, values, use, columns, f"bootstrap of {name} over {subset}")
            rows.append((subset, name, found.rho, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["cells", "predictor", "spearman_rho", "low_95", "high_95", "n"])

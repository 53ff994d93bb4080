"""How well predictors rank the OOD gap: Spearman's ρ over off-domain cells, with a bootstrap interval."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from hrtem_ood.campaign.identity import seed_sequence

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
    rho, n = _rho(gap[use], predictor[use]), int(use.sum())
    if np.isnan(rho):
        return Correlation(np.nan, np.nan, np.nan, n)
    rng = np.random.default_rng(seed_sequence(stream))
    rows, groups = np.arange(len(gap)), np.unique(columns)
    members = [np.flatnonzero(columns == group) for group in groups]
    drawn = []
    for _ in range(RESAMPLES):
        row = rng.choice(rows, rows.size)
        column = np.concatenate([members[index] for index in rng.choice(groups.size, groups.size)])
        grid = np.ix_(row, column)
        drawn.append(_rho(gap[grid][use[grid]], predictor[grid][use[grid]]))
    finite = np.array(drawn)[np.isfinite(drawn)]
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if finite.size else (np.nan, np.nan)
    return Correlation(rho, float(low), float(high), n)


def _rho(one: Floats, two: Floats) -> float:
    """Spearman's ρ as Pearson's r of ranks: ``scipy.stats.spearmanr`` without its p-value, which would cost most."""
    if one.size < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return np.nan
    return float(np.corrcoef(stats.rankdata(one), stats.rankdata(two))[0, 1])


def predictor_table(cells: xr.Dataset) -> pd.DataFrame:
    """Correlate the F1 gap with every predictor, over all off-domain cells and over parts of them.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.cells.cells`.

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

"""Spearman's ρ over cells with its bootstrap interval, and how well σ, ε and |Δf − Δf′| rank the F1 gap."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.predictor_ranking import bootstrap_stream, cell_subsets
from hrtem_ood.analysis.ranking.predictor_scores import MIN_CELLS
from hrtem_ood.analysis.ranking.weighted_spearman import WeightedSpearman
from hrtem_ood.config.analysis import Analysis

PREDICTORS = ("sigma", "epsilon", "abs_delta_defocus_A")

SUBSETS = (
    "imaging",
    "imaging, single-condition training",
    "imaging, mixtures",
    "imaging, away from minimum contrast",
)
"""Subsets of cells of :func:`predictor_table`: those where the structure recipe stays."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Correlation:
    """Rank correlation over cells.

    Attributes
    ----------
    rho : float
        Spearman's ρ; NaN with fewer than three cells, or where either side does not vary.
    low, high : float
        Ends of the bootstrap interval.
    n : int
        Cells.
    """

    rho: float
    low: float
    high: float
    n: int


def spearman(
    outcome: Floats,
    predictor: Floats,
    use: NDArray[np.bool_],
    columns: NDArray[np.integer],
    analysis: Analysis,
    stream: str,
) -> Correlation:
    """Correlate an outcome with a predictor over the cells in use.

    Cells of one row or column share networks or images, hence are not independent: the interval is that of the two-way
    bootstrap (:func:`hrtem_ood.analysis.ranking.bootstrap.two_way_bootstrap_weights`). Resamples in which ρ is undefined
    are left out.

    Parameters
    ----------
    outcome, predictor : float array, (training_set, condition)
    use : bool array, (training_set, condition)
        Cells in use; those without a finite outcome or predictor are left out.
    columns : int array, (condition,)
        Test condition of each column; columns of one condition (on several structure sets) are drawn together.
    analysis : Analysis
        Gives the number of resamples and the confidence level.
    stream : str
        Names the random stream.

    Returns
    -------
    Correlation
    """
    use = use & np.isfinite(outcome) & np.isfinite(predictor)
    row, column = np.nonzero(use)
    if row.size < MIN_CELLS:
        return Correlation(np.nan, np.nan, np.nan, row.size)
    rho = WeightedSpearman(predictor[use][None].astype(float), outcome[use].astype(float))
    whole = float(rho(np.ones((1, row.size)))[0, 0])
    if np.isnan(whole):
        return Correlation(np.nan, np.nan, np.nan, row.size)
    rows, groups = (np.unique(each, return_inverse=True)[1] for each in (row, columns[column]))
    weights = two_way_bootstrap_weights(rows, groups, analysis.bootstrap_resamples, stream)
    drawn = np.concatenate([rho(weight)[0] for weight in weights])
    return Correlation(whole, *percentile_interval(drawn, analysis.confidence_level), row.size)


def predictor_table(cells: xr.Dataset, analysis: Analysis) -> pd.DataFrame:
    """Correlate the F1 gap under imaging shifts with every predictor, over all such cells and over parts of them.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.
    analysis : Analysis

    Returns
    -------
    pandas.DataFrame
        Columns ``cells`` (one of :data:`SUBSETS`), ``predictor``, ``rho``, ``rho_low``, ``rho_high``, ``n``.
    """
    subsets, rows = cell_subsets(cells), []
    for subset in SUBSETS:
        for name in PREDICTORS:
            correlation = gap_correlation(cells, name, subsets[subset], analysis, subset)
            rows.append((subset, name, correlation.rho, correlation.low, correlation.high, correlation.n))
    return pd.DataFrame(rows, columns=["cells", "predictor", "rho", "rho_low", "rho_high", "n"])


def gap_correlation(
    cells: xr.Dataset, name: str, use: NDArray[np.bool_], analysis: Analysis, subset: str = SUBSETS[0]
) -> Correlation:
    """Correlate the F1 gap with a variable of the cells.

    Parameters
    ----------
    cells : xarray.Dataset
        With ``gap``, ``condition_label`` and the variable ``name``, (training_set, condition) or (condition,).
    name : str
    use : bool array, (training_set, condition)
    analysis : Analysis
    subset : str
        Name of the cells in use; names the random stream.

    Returns
    -------
    Correlation
    """
    gap = cells.gap.values
    values = np.broadcast_to(cells[name].values, gap.shape)
    columns = np.unique(cells.condition_label.values, return_inverse=True)[1]
    return spearman(gap, values, use, columns, analysis, bootstrap_stream("gap", subset))

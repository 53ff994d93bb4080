"""Scores of predictors on measured outcomes: rank correlation, monotone fit, and leave-one-training-set-out prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.isotonic import fit_monotone, leave_group_out, r_squared
from hrtem_ood.analysis.ranking.weighted_spearman import WeightedSpearman

Floats = NDArray[np.float64]

MIN_CELLS = 3
"""Smallest number of cells that are scored."""


@dataclass(frozen=True)
class CellSubset:
    """Cells on which all predictors of a table are scored.

    Attributes
    ----------
    outcome : float64 array, (training_set, condition)
        Larger is better, for every score.
    use : bool array, (training_set, condition)
    columns : int array, (condition,)
        Test condition of each dataset: those of one condition are drawn together.
    resamples : int
    level : float
    stream : str
        Names the random stream; the same resamples for all predictors, so that differences are paired.
    """

    outcome: Floats
    use: NDArray[np.bool_]
    columns: NDArray[np.integer]
    resamples: int
    level: float
    stream: str


def score_predictors(subset: CellSubset, predictors: Mapping[str, Floats], reference: str) -> pd.DataFrame:
    """Score predictors over a subset of cells.

    Parameters
    ----------
    subset : CellSubset
    predictors : mapping of str to float64 array, (training_set, condition)
        With signs such that larger means nearer to training, hence a better outcome. Directions are not fitted, and
        nothing is fitted to the cells that are predicted: ``left_out_*`` predict each training set from the others.
    reference : str
        The predictor with which the others are compared.

    Returns
    -------
    pandas.DataFrame
        One row per predictor, the best ρ first: ``predictor``; ``rho`` (Spearman), ``rho_low``, ``rho_high``;
        ``rho_gain`` over the reference with ``gain_low``, ``gain_high``; ``isotonic_r2`` (of the fit to all cells: the most
        that a monotone function can explain); ``left_out_r2`` (against the mean of the other training sets) with
        ``left_out_low``, ``left_out_high``; ``left_out_rmse``; ``n``. Empty with fewer than :data:`MIN_CELLS` cells. A cell
        where any predictor or the outcome is not finite is not used for any of them.
    """
    use = subset.use & np.isfinite(subset.outcome)
    for values in predictors.values():
        use = use & np.isfinite(values)
    row, column = np.nonzero(use)
    if row.size < MIN_CELLS:
        return pd.DataFrame()
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, subset.columns[column]))
    cells = _CellValues(subset.outcome[use], np.array([values[use] for values in predictors.values()]), rows, columns)
    names, reference_index = list(predictors), list(predictors).index(reference)
    rho, drawn, left_out = _resampled(cells, subset)
    table: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        low, high = percentile_interval(drawn[index], subset.level)
        gain_low, gain_high = percentile_interval(drawn[index] - drawn[reference_index], subset.level)
        scores: dict[str, Any] = {"predictor": name, "rho": float(rho[index]), "rho_low": low, "rho_high": high}
        scores |= {"rho_gain": float(rho[index] - rho[reference_index]), "gain_low": gain_low, "gain_high": gain_high}
        left_low, left_high = percentile_interval(left_out[index], subset.level)
        scores |= _explained(cells, index) | {"left_out_low": left_low, "left_out_high": left_high}
        table.append(scores | {"n": rows.size})
    return pd.DataFrame(table).sort_values("rho", ascending=False, ignore_index=True)


@dataclass(frozen=True)
class _CellValues:
    """Cells in use: outcome (cell,), predictors (predictor, cell), and row and group of columns of each (cell,)."""

    outcome: Floats
    predictors: Floats
    rows: NDArray[np.integer]
    columns: NDArray[np.integer]

    @cached_property
    def baseline(self) -> Floats:
        """Mean outcome of the other training sets, (cell,)."""
        return leave_group_out(np.zeros_like(self.outcome), self.outcome, self.rows)

    @cached_property
    def predictions(self) -> Floats:
        """Outcome by the monotone fit to the other training sets, (predictor, cell)."""
        return np.array([leave_group_out(values, self.outcome, self.rows) for values in self.predictors])


def _resampled(cells: _CellValues, subset: CellSubset) -> tuple[Floats, Floats, Floats]:
    """Return ρ, (predictor,); and of every resample ρ and left-out R², (predictor, resample)."""
    spearman = WeightedSpearman(cells.predictors, cells.outcome)
    errors = np.array([(cells.outcome - predicted) ** 2 for predicted in (cells.baseline, *cells.predictions)])
    drawn, sums = [], []
    for weight in two_way_bootstrap_weights(cells.rows, cells.columns, subset.resamples, subset.stream):
        drawn.append(spearman(weight))
        sums.append(errors @ weight.T)
    whole, *rest = np.concatenate(sums, axis=1)
    ratios = [np.divide(one, whole, out=np.full(whole.shape, np.nan), where=whole > 0) for one in rest]
    return spearman(np.ones((1, cells.outcome.size)))[:, 0], np.concatenate(drawn, axis=1), 1 - np.array(ratios)


def _explained(cells: _CellValues, index: int) -> dict[str, float]:
    """Return how much of the outcome one predictor explains, fitted to all cells and to the other training sets."""
    outcome, values, predicted = cells.outcome, cells.predictors[index], cells.predictions[index]
    mean = np.full_like(outcome, outcome.mean())
    return {
        "isotonic_r2": r_squared(outcome, fit_monotone(values, outcome)(values), mean),
        "left_out_r2": r_squared(outcome, predicted, cells.baseline),
        "left_out_rmse": float(np.sqrt(np.mean((outcome - predicted) ** 2))),
    }

"""Scores of predictors on measured outcomes: rank correlation, monotone fit, and prediction of what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.isotonic import fit_monotone, leave_group_out, r_squared
from hrtem_ood.analysis.ranking.weighted_spearman import WeightedSpearman

Floats = NDArray[np.float64]

FEWEST = 3
"""Fewer cells than this get no scores."""


@dataclass(frozen=True)
class CellSubset:
    """What all predictors of a table are scored on.

    Attributes
    ----------
    outcome : float64 array, (training_set, condition)
        Larger is better, whatever the score.
    use : bool array, (training_set, condition)
    columns : int array, (condition,)
        Which test condition each dataset has: those of one condition are drawn together.
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


def score_predictors(contest: CellSubset, predictors: Mapping[str, Floats], reference: str) -> pd.DataFrame:
    """Score predictors over the cells of a contest.

    Parameters
    ----------
    contest : CellSubset
    predictors : mapping of str to float64 array, (training_set, condition)
        Turned so that larger means nearer to the training, hence a better outcome. No direction is looked for, and
        nothing is fitted to the cells that are predicted: ``left_out_*`` predict each training set from the others.
    reference : str
        The predictor that the others are compared with.

    Returns
    -------
    pandas.DataFrame
        One row per predictor, the best ρ first: ``predictor``; ``rho`` (Spearman), ``rho_low``, ``rho_high``;
        ``rho_gain`` over the reference with ``gain_low``, ``gain_high``; ``isotonic_r2`` (of the fit to all cells: what a
        monotone function could explain at best); ``left_out_r2`` (against the mean of the other training sets) with
        ``left_out_low``, ``left_out_high``; ``left_out_rmse``; ``n``. Empty with fewer than :data:`FEWEST` cells. Cells
        where any predictor or the outcome is not finite are used for none.
    """
    use = contest.use & np.isfinite(contest.outcome)
    for values in predictors.values():
        use = use & np.isfinite(values)
    row, column = np.nonzero(use)
    if row.size < FEWEST:
        return pd.DataFrame()
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, contest.columns[column]))
    outcome = contest.outcome[use]
    names, inside = list(predictors), np.array([values[use] for values in predictors.values()])
    fits = np.array([leave_group_out(values, outcome, rows) for values in inside])
    baseline = leave_group_out(np.zeros_like(outcome), outcome, rows)
    errors = np.array([(outcome - predicted) ** 2 for predicted in (baseline, *fits)])
    spearman, drawn, left = WeightedSpearman(inside, outcome), [], []
    for weight in two_way_bootstrap_weights(rows, columns, contest.resamples, contest.stream):
        drawn.append(spearman(weight))
        left.append(errors @ weight.T)
    rho = spearman(np.ones((1, outcome.size)))[:, 0]
    resampled, (whole, *lost) = np.concatenate(drawn, axis=1), np.concatenate(left, axis=1)
    place = names.index(reference)
    mean = np.full_like(outcome, outcome.mean())
    table = []
    for index, name in enumerate(names):
        low, high = _interval(resampled[index], contest.level)
        gain_low, gain_high = _interval(resampled[index] - resampled[place], contest.level)
        ratio = np.divide(lost[index], whole, out=np.full(whole.shape, np.nan), where=whole > 0)
        left_low, left_high = _interval(1 - ratio, contest.level)
        table.append(
            {
                "predictor": name,
                "rho": float(rho[index]),
                "rho_low": low,
                "rho_high": high,
                "rho_gain": float(rho[index] - rho[place]),
                "gain_low": gain_low,
                "gain_high": gain_high,
                "isotonic_r2": r_squared(outcome, fit_monotone(inside[index], outcome)(inside[index]), mean),
                "left_out_r2": r_squared(outcome, fits[index], baseline),
                "left_out_low": left_low,
                "left_out_high": left_high,
                "left_out_rmse": float(np.sqrt(np.mean((outcome - fits[index]) ** 2))),
                "n": outcome.size,
            }
        )
    return pd.DataFrame(table).sort_values("rho", ascending=False, ignore_index=True)


def _interval(values: Floats, level: float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

"""Scores of predictors on measured outcomes: rank correlation, monotone fit, and prediction of what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.analysis.league.bootstrap import weighted_spearman, weights
from hrtem_ood.analysis.league.monotone import fit_monotone, r_squared

Floats = NDArray[np.float64]

FEWEST = 3
"""Fewer cells than this get no scores."""


@dataclass(frozen=True)
class Contest:
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


def score(contest: Contest, predictors: Mapping[str, Floats], reference: str) -> pd.DataFrame:
    """Score predictors over the cells of a contest.

    Parameters
    ----------
    contest : Contest
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
    inside = {name: values[use] for name, values in predictors.items()}
    fits = {name: _left_out(values, outcome, rows) for name, values in inside.items()}
    baseline = _left_out(np.zeros_like(outcome), outcome, rows)
    drawn: dict[str, list[Floats]] = {name: [] for name in inside}
    errors: dict[str, list[Floats]] = {name: [] for name in inside}
    for weight in weights(rows, columns, contest.resamples, contest.stream):
        whole = weight @ (outcome - baseline) ** 2
        for name, values in inside.items():
            drawn[name].append(weighted_spearman(values, outcome, weight))
            left = weight @ (outcome - fits[name]) ** 2
            errors[name].append(np.divide(left, whole, out=np.full(len(whole), np.nan), where=whole > 0))
    one = np.ones((1, outcome.size))
    rho = {name: float(weighted_spearman(values, outcome, one)[0]) for name, values in inside.items()}
    resampled = {name: np.concatenate(parts) for name, parts in drawn.items()}
    table = []
    for name, values in inside.items():
        mean = np.full_like(outcome, outcome.mean())
        low, high = _interval(resampled[name], contest.level)
        gain_low, gain_high = _interval(resampled[name] - resampled[reference], contest.level)
        left_low, left_high = _interval(1 - np.concatenate(errors[name]), contest.level)
        table.append(
            {
                "predictor": name,
                "rho": rho[name],
                "rho_low": low,
                "rho_high": high,
                "rho_gain": rho[name] - rho[reference],
                "gain_low": gain_low,
                "gain_high": gain_high,
                "isotonic_r2": r_squared(outcome, fit_monotone(values, outcome)(values), mean),
                "left_out_r2": r_squared(outcome, fits[name], baseline),
                "left_out_low": left_low,
                "left_out_high": left_high,
                "left_out_rmse": float(np.sqrt(np.mean((outcome - fits[name]) ** 2))),
                "n": outcome.size,
            }
        )
    return pd.DataFrame(table).sort_values("rho", ascending=False, ignore_index=True)


def _left_out(values: Floats, outcome: Floats, rows: NDArray[np.integer]) -> Floats:
    """Predict the cells of every row by the monotone fit to those of the others."""
    predicted = np.full_like(outcome, np.nan)
    for row in np.unique(rows):
        out = rows == row
        if out.all():
            return np.full_like(outcome, outcome.mean())  # one training set: nothing to predict it from
        predicted[out] = fit_monotone(values[~out], outcome[~out])(values[out])
    return predicted


def _interval(values: Floats, level: float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

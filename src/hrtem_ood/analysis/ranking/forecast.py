"""Forecast of scores under conditions outside the training set, with intervals of nominal coverage."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.isotonic import fit_monotone
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.transfer.forecast.cross_validation import Bounds, clipped

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """Cross-validated forecasts.

    Attributes
    ----------
    predicted, low, high : float64 array, (training_set, condition)
        NaN where there is none.
    coverage : float
        Share of the forecast cells whose score lies within [low, high]; NaN where there are none.
    rmse : float
    n : int
        Cells forecast.
    """

    predicted: Floats
    low: Floats
    high: Floats
    coverage: float
    rmse: float
    n: int


def forecast(
    score: Floats,
    in_domain_score: Floats,
    predictor: Floats,
    use: NDArray[np.bool_],
    columns: NDArray[np.integer],
    *,
    folds: int,
    level: float,
    stream: str,
    bounds: Bounds = (None, None),
) -> Forecast:
    """Forecast every cell from cells of other training sets under other test conditions.

    The forecast is a training set's in-domain score plus a monotone function of the predictor, fitted to the gaps of cells
    that share neither group of rows nor group of columns with it. Its interval adds the quantile ⌈(n + 1) · level⌉ of
    the absolute errors of n such cells, each forecast likewise: split conformal prediction (Vovk, Gammerman & Shafer
    2005, ch. 4; Barber et al., Annals of Statistics 49 (2021) 486) with folds that are crossed, as cells of one row or
    column resemble one another. For exchangeable training sets and conditions its coverage is ``level``, less the
    loss by the folds. The coverage is counted on cells that took no part in the fit and in the quantile of their own forecast.

    Parameters
    ----------
    score : float array, (training_set, condition), [1]
    in_domain_score : float array, (training_set,), [1]
    predictor : float array, (training_set, condition)
        Larger where the score is.
    use : bool array, (training_set, condition)
        Off-domain cells.
    columns : int array, (condition,)
        Groups of columns that are left out together.
    folds : int
        Largest number of groups of rows, and of columns.
    level : float
    stream : str
        Names the random stream that deals rows and columns into groups.
    bounds : tuple of float or None
        What scores can be at least and at most; forecasts and their intervals are clipped to it.

    Returns
    -------
    Forecast
    """
    use = use & np.isfinite(score) & np.isfinite(predictor) & np.isfinite(in_domain_score)[:, None]
    gap = score - in_domain_score[:, None]
    rng = np.random.default_rng(seed_sequence(stream))
    of_row = _deal(np.arange(len(score)), folds, rng)
    of_column = _deal(np.unique(columns, return_inverse=True)[1], folds, rng)
    predicted = np.full(score.shape, np.nan)
    blocks = [(i, j) for i in range(int(of_row.max()) + 1) for j in range(int(of_column.max()) + 1)]
    others = {(i, j): use & (of_row != i)[:, None] & (of_column != j)[None, :] for i, j in blocks}
    inside = {(i, j): use & (of_row == i)[:, None] & (of_column == j)[None, :] for i, j in blocks}
    for block in blocks:
        fitting, cells = others[block], inside[block]
        if fitting.sum() > 1 and cells.any():
            fitted = fit_monotone(predictor[fitting], gap[fitting])
            predicted[cells] = (in_domain_score[:, None] + fitted(predictor))[cells]
    error = np.abs(score - predicted)
    reach = np.full(score.shape, np.nan)
    for block in blocks:
        errors = np.sort(error[others[block] & np.isfinite(error)])
        rank = math.ceil((errors.size + 1) * level)
        if rank <= errors.size:
            reach[inside[block]] = errors[rank - 1]
    complete = np.isfinite(predicted) & np.isfinite(reach)
    hit = error[complete] <= reach[complete]
    found = clipped(predicted, reach, bounds)
    return Forecast(
        found.predicted,
        found.low,
        found.high,
        coverage=float(hit.mean()) if hit.size else float("nan"),
        rmse=float(np.sqrt(np.mean((score - found.predicted)[complete] ** 2))) if hit.size else float("nan"),
        n=int(complete.sum()),
    )


def _deal(groups: NDArray[np.integer], folds: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Deal groups into folds whose sizes differ by at most one."""
    number = int(groups.max()) + 1
    dealt: NDArray[np.integer] = (rng.permutation(number) % min(folds, number))[groups]
    return dealt

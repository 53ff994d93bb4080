"""Forecasts of cells by models that were fitted to other cells, with intervals from other cells, too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.cells import FOLDS, Block, Cells, crossed_blocks
from hrtem_ood.transfer.forecast.conformal import (
    ErrorSize,
    conformal_quantile,
    fewest_errors,
    fit_error_size,
    level_of_cells,
)
from hrtem_ood.transfer.forecast.domain import Domain
from hrtem_ood.transfer.forecast.ridge import CONTRAST, Features, fit_quadratic

Floats = NDArray[np.float64]
Bounds = tuple[float | None, float | None]

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Levels of intervals."""

LEVEL = 0.9
"""Every forecaster has intervals of this level."""

CELLS_PER_TERM = 2
"""A fit needs at least so many cells for each term."""


def metric_bounds(metric: str) -> Bounds:
    """Return what a score can be at least and at most."""
    return (0.0, None) if metric == "cross_entropy" else (0.0, 1.0)


@dataclass(frozen=True)
class Forecasts:
    """Forecast scores with intervals.

    Attributes
    ----------
    predicted, low, high : float64 array, (cell,)
        NaN where there is no forecast, or no interval.
    """

    predicted: Floats
    low: Floats
    high: Floats

    def coverage(self, score: Floats) -> float:
        """Return the share of scores (cell,) within their intervals, [1]; NaN without intervals."""
        some = np.isfinite(self.low) & np.isfinite(score)
        held = (score >= self.low) & (score <= self.high)
        return float(held[some].mean()) if some.any() else float("nan")


@dataclass(frozen=True)
class OutOfFold:
    """Forecasts of cells that share no condition with the cells that they are made from.

    Attributes
    ----------
    predicted : float64 array, (cell,)
        NaN where fewer cells are left than a fit needs.
    size : float64 array, (cell,)
        Expected size of the error up to a factor, in the unit of the score.
    factor : dict of float to float64 array, (cell,), [1]
        By level, what the size is multiplied by.
    """

    predicted: Floats
    size: Floats
    factor: dict[float, Floats]

    def at(self, level: float, bounds: Bounds = (None, None)) -> Forecasts:
        """Return the forecasts with intervals of a level, clipped to what scores can be."""
        return clipped(self.predicted, self.factor[level] * self.size, bounds)


def clipped(predicted: Floats, reach: Floats, bounds: Bounds) -> Forecasts:
    """Return forecasts ± reach, each clipped to bounds; what is cut off cannot be a score, so that no coverage is lost."""
    return Forecasts(*(_clip(each, bounds) for each in (predicted, predicted - reach, predicted + reach)))


def _clip(values: Floats, bounds: Bounds) -> Floats:
    low, high = bounds
    return np.clip(values, -np.inf if low is None else low, np.inf if high is None else high)


def fewest_cells(features: Features) -> int:
    """Return how many cells a fit needs."""
    return CELLS_PER_TERM * features.n_terms


def cross_validate(cells: Cells, features: Features, *, folds: int = FOLDS) -> OutOfFold:
    """Forecast every cell from cells that share none of its conditions; see :func:`crossed_blocks`.

    Errors of cells, each forecast likewise, give sizes and factors of intervals. Those of a cell's own block, and of all
    others that share a condition with it, have no part in its own interval. A cell outside the domain of the fit that it
    is forecast by, as those of a campaign's outermost conditions are, is forecast as if it were at the edge of that domain: a
    quadratic function must not be extrapolated, and a forecast without these cells would look better than it is.

    Parameters
    ----------
    cells : Cells
    features : Features
        Of the model of the score. The size of errors is a function of those of :data:`CONTRAST`.
    folds : int
        Of conditions, at most.

    Returns
    -------
    OutOfFold
    """
    from threadpoolctl import threadpool_limits  # scikit-learn brings it; only fits need it

    # thousands of small decompositions: threads would wait for one another, the more where other jobs run
    with threadpool_limits(1):
        return _cross_validate(cells, features, list(crossed_blocks(cells, folds)))


def _cross_validate(cells: Cells, features: Features, blocks: list[Block]) -> OutOfFold:
    predicted = np.full(len(cells), np.nan)
    for block in blocks:
        if block.others.sum() >= fewest_cells(features):
            fitted = fit_quadratic(features, cells.descriptors[block.others], cells.score[block.others])
            domain = Domain.of(features, cells.descriptors[block.others])
            predicted[block.inside] = fitted(domain.clip(cells.descriptors[block.inside]))
    error = np.abs(cells.score - predicted)
    size = np.full(len(cells), np.nan)
    factor = {level: np.full(len(cells), np.nan) for level in LEVELS}
    for block in blocks:
        fitted_size, factors = _intervals(cells, error, block)
        if fitted_size is not None:
            size[block.inside] = fitted_size(cells.descriptors[block.inside])
            for level, value in factors.items():
                factor[level][block.inside] = value
    return OutOfFold(predicted, size, factor)


def _intervals(cells: Cells, error: Floats, block: Block) -> tuple[ErrorSize | None, dict[float, float]]:
    use = block.others & np.isfinite(error)
    return interval_model(cells.descriptors[use], error[use], int(cells.touched[use].any(axis=0).sum()))


def interval_model(descriptors: Floats, error: Floats, conditions: int) -> tuple[ErrorSize | None, dict[float, float]]:
    """Fit the size of errors, and the factors of intervals by their level.

    Parameters
    ----------
    descriptors : float64 array, (cell, descriptor)
    error : float64 array, (cell,)
        Absolute errors of forecasts out of fold.
    conditions : int
        Of training and test, that these cells have.

    Returns
    -------
    size : ErrorSize or None
        None of too few errors.
    factor : dict of float to float, [1]
        Of the levels that so many errors have an interval for.
    """
    if error.size < fewest_cells(CONTRAST):
        return None, {}
    size = fit_error_size(CONTRAST, descriptors, error)
    scaled = error / size(descriptors)
    return size, {
        level: conformal_quantile(scaled, level_of_cells(level, conditions))
        for level in LEVELS
        if enough_errors(level, error.size, conditions)
    }


def enough_errors(level: float, errors: int, conditions: int) -> bool:
    """Return whether errors of cells under so many conditions have an interval of a level."""
    of_cells = level_of_cells(level, max(1, conditions))
    return round(of_cells, 9) < 1 and errors >= fewest_errors(of_cells)

"""How a forecaster did on cells that it was not fitted to: errors and coverage, overall and in bins of the forecast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.cross_validation import LEVEL, Forecasts

Floats = NDArray[np.float64]

BINS = 5
"""Bins of the forecast, of equally many cells."""

SHORT = 0.05
"""A bin whose coverage falls short of the level by more than this is named where forecasts of that size are."""


@dataclass(frozen=True)
class ForecastBin:
    """Cells whose forecasts lie between two values.

    Attributes
    ----------
    least, most : float
        Forecasts of the bin.
    n : int
        Number of cells.
    coverage : float, [1]
        Share of their scores within their intervals.
    bias : float
        Mean of forecast less score: above 0, forecasts are too high.
    width : float
        Median width of the intervals.
    rmse : float
    """

    least: float
    most: float
    n: int
    coverage: float
    bias: float
    width: float
    rmse: float


@dataclass(frozen=True)
class Performance:
    """How a forecaster did on cells of its campaign, each forecast from cells that share no condition with it.

    Attributes
    ----------
    n_cells, n_conditions : int
        Cells fitted to, and conditions of training and test among them.
    n_forecast : int
        Cells that were forecast with an interval and count here: of a campaign, those under an imaging shift.
    rmse : float
        In the unit of the score.
    coverage : float, [1]
        Of the intervals of :data:`hrtem_ood.transfer.forecast.cross_validation.LEVEL`.
    width : float
        Their median width.
    bins : tuple of ForecastBin
        Ascending; empty of forecasters that were written before bins were kept.
    """

    n_cells: int
    n_conditions: int
    n_forecast: int
    rmse: float
    coverage: float
    width: float
    bins: tuple[ForecastBin, ...] = ()

    def bin_of(self, forecast: float) -> ForecastBin | None:
        """Return the bin of a forecast, the outermost one beyond them; None without bins."""
        return next((each for each in self.bins if forecast <= each.most), self.bins[-1] if self.bins else None)

    def weak_bins(self, forecasts: Sequence[float]) -> tuple[ForecastBin, ...]:
        """Return the bins of some forecasts whose coverage falls short of the level by more than :data:`SHORT`, each once."""
        found = (self.bin_of(each) for each in forecasts)
        return tuple(dict.fromkeys(each for each in found if each is not None and each.coverage < LEVEL - SHORT))


def forecast_bins(forecasts: Forecasts, score: Floats, bins: int = BINS) -> tuple[ForecastBin, ...]:
    """Divide forecasts into bins of equally many cells, and count the scores within their intervals.

    Parameters
    ----------
    forecasts : Forecasts
        Arrays (cell,). Those without an interval are left out.
    score : float64 array, (cell,)
        Likewise where it is NaN.
    bins : int

    Returns
    -------
    tuple of ForecastBin
        Ascending.
    """
    use = np.isfinite(forecasts.low) & np.isfinite(score)
    predicted, low, high, measured = (each[use] for each in (forecasts.predicted, forecasts.low, forecasts.high, score))
    found = []
    for part in np.array_split(np.argsort(predicted, kind="stable"), min(bins, predicted.size) or 1):
        if part.size:
            held = (measured[part] >= low[part]) & (measured[part] <= high[part])
            error = predicted[part] - measured[part]
            found.append(
                ForecastBin(
                    least=float(predicted[part].min()),
                    most=float(predicted[part].max()),
                    n=int(part.size),
                    coverage=float(held.mean()),
                    bias=float(error.mean()),
                    width=float(np.median(high[part] - low[part])),
                    rmse=float(np.sqrt(np.mean(error**2))),
                )
            )
    return tuple(found)

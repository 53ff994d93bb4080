"""The F1 to expect of a network under a condition: one number, by the best evidence that there is."""

import math
from dataclasses import dataclass
from typing import Literal

from hrtem_ood.learning.inference.condition_forecast import ConditionForecast
from hrtem_ood.learning.inference.measured_f1 import ExpectedF1

Source = Literal["measured", "forecast", "nearest in σ", "none"]


@dataclass(frozen=True)
class Expectation:
    """The F1 to expect.

    Attributes
    ----------
    source : {"measured", "forecast", "nearest in σ", "none"}
        Scores of this very network under this and near conditions; the forecast from information transfer; scores of this
        network under the conditions that are nearest in σ; nothing.
    value, low, high : float, [1]
        NaN where there is none.
    """

    source: Source
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def has_range(self) -> bool:
        """Whether it is known how far F1 may lie from it."""
        return not math.isnan(self.low)


def expect_f1(measured: ExpectedF1 | None, forecast: ConditionForecast | None) -> Expectation:
    """Choose the F1 to expect.

    What was measured near the condition counts first: it is of this very network. Then the forecast, which knows networks of
    such a training set only. Scores under conditions that are near in σ alone come last: σ leaves out how much a condition
    transfers and its dose, and the confirmatory study refuted it as a measure of the loss.

    Parameters
    ----------
    measured : ExpectedF1 or None
    forecast : ConditionForecast or None

    Returns
    -------
    Expectation
    """
    if measured is not None and measured.near:
        if measured.points.label.nunique() > 1:
            return Expectation("measured", measured.median, measured.low, measured.high)
        return Expectation("measured", measured.at_condition)
    if forecast is not None and not math.isnan(forecast.predicted):
        return Expectation("forecast", forecast.predicted, forecast.low, forecast.high)
    if measured is not None:
        return Expectation("nearest in σ", measured.median, measured.low, measured.high)
    return Expectation("none")

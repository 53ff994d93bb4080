"""Monotone regression: the best increasing function of one predictor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Monotone:
    """An increasing function, linear between its points and constant beyond them.

    Attributes
    ----------
    x, y : float64 array, (point,)
    """

    x: Floats
    y: Floats

    def __call__(self, x: Floats) -> Floats:
        """Evaluate."""
        return np.interp(x, self.x, self.y)


def fit_monotone(x: Floats, y: Floats) -> Monotone:
    """Fit the increasing function of least squares (pool adjacent violators; Barlow et al. 1972).

    Parameters
    ----------
    x, y : float array, (sample,)
        Finite; at least one. Equal x get one value.

    Returns
    -------
    Monotone
    """
    points, place, count = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, y) / count
    return Monotone(points, np.asarray(isotonic_regression(means, weights=count).x))


def r_squared(y: Floats, predicted: Floats, baseline: Floats, weight: Floats | None = None) -> float:
    """Return 1 − Σ w (y − predicted)² / Σ w (y − baseline)²; NaN where nothing varies."""
    weight = np.ones_like(y) if weight is None else weight
    whole = weight @ (y - baseline) ** 2
    return float(1 - weight @ (y - predicted) ** 2 / whole) if whole > 0 else float("nan")

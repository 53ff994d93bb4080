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
    return _fit(points, np.bincount(place, y), count)


def _fit(points: Floats, sums: NDArray[np.floating | np.integer], count: NDArray[np.integer]) -> Monotone:
    """Fit to sums of ``count`` values at distinct, ascending points."""
    return Monotone(points, np.asarray(isotonic_regression(sums / count, weights=count).x))


def leave_group_out(x: Floats, y: Floats, groups: NDArray[np.integer]) -> Floats:
    """Predict the values of every group by the fit to those of all others.

    Parameters
    ----------
    x, y : float array, (sample,)
    groups : int array, (sample,)

    Returns
    -------
    float64 array, (sample,)
        The mean of all if there is only one group.
    """
    points, place, count = np.unique(x, return_inverse=True, return_counts=True)
    sums = np.bincount(place, y)
    predicted = np.full(y.shape, y.mean())
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    for out in parts if len(parts) > 1 else ():
        # subtract the group at each point: sorting the others again would take most of the time
        left = count - np.bincount(place[out], minlength=len(points))
        present = left > 0
        rest = (sums - np.bincount(place[out], y[out], minlength=len(points)))[present]
        predicted[out] = _fit(points[present], rest, left[present])(x[out])
    return predicted


def r_squared(y: Floats, predicted: Floats, baseline: Floats, weight: Floats | None = None) -> float:
    """Return 1 − Σ w (y − predicted)² / Σ w (y − baseline)²; NaN where nothing varies."""
    weight = np.ones_like(y) if weight is None else weight
    whole = weight @ (y - baseline) ** 2
    return float(1 - weight @ (y - predicted) ** 2 / whole) if whole > 0 else float("nan")

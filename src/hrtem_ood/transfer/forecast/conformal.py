"""Intervals that adapt to the cell: locally weighted conformal prediction from errors of forecasts of cells not fitted to."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.ridge import Features, Quadratic, fit_quadratic

Floats = NDArray[np.float64]

FLOOR = 0.01
"""Share of the median error that is added to errors before their logarithm is taken: hits by chance must not count."""

CLIPPED = (0.05, 0.95)
"""The size of errors is not extrapolated beyond these quantiles of its fitted values."""


@dataclass(frozen=True)
class ErrorSize:
    """How large errors are, up to a factor, as a function of the descriptors.

    Attributes
    ----------
    logarithm : Quadratic
        Expected ln of the size.
    least, most : float
        Between these it is clipped.
    """

    logarithm: Quadratic
    least: float
    most: float

    def __call__(self, descriptors: Floats) -> Floats:
        """Return the size (cell,) for descriptors (cell, descriptor), in the unit of the score."""
        return np.clip(np.exp(np.clip(self.logarithm(descriptors), -50, 50)), self.least, self.most)


def fit_error_size(features: Features, descriptors: Floats, errors: Floats) -> ErrorSize:
    """Fit the size of errors: ridge regression of their logarithm.

    Parameters
    ----------
    features : Features
    descriptors : float64 array, (cell, descriptor)
    errors : float64 array, (cell,)
        Absolute errors of forecasts of cells that they were not fitted to.

    Returns
    -------
    ErrorSize
    """
    floor = max(FLOOR * float(np.median(errors)), 1e-9)
    logarithm = fit_quadratic(features, descriptors, np.log(errors + floor))
    least, most = np.exp(np.quantile(logarithm(descriptors), CLIPPED))
    return ErrorSize(logarithm, float(least), float(most))


def fewest_errors(level: float) -> int:
    """Return how many errors an interval of a level needs: the least n with ⌈(n + 1) · level⌉ ≤ n.

    Parameters
    ----------
    level : float, [1]
        Below 1.

    Returns
    -------
    int

    Examples
    --------
    >>> fewest_errors(0.9), fewest_errors(0.95), fewest_errors(0.5)
    (9, 19, 1)
    """
    return math.ceil(round(level / (1 - level), 9))


def level_of_cells(level: float, conditions: int) -> float:
    """Return the level at which errors of cells are read, so that intervals of new conditions have the nominal level.

    Cells of one condition err alike: exchangeable are m conditions, not n ≫ m cells. Of m exchangeable errors, the
    ⌈(m + 1) · level⌉-th is taken, which is the quantile (1 + 1/m) · level of them; here it is that of the cells.

    Parameters
    ----------
    level : float, [1]
    conditions : int
        m, of training and test, at least 1.

    Returns
    -------
    float, [1]
        1 or above where there are too few conditions for the level.

    Examples
    --------
    >>> round(level_of_cells(0.9, 30), 3), round(level_of_cells(0.9, 9), 3)
    (0.93, 1.0)
    """
    return level * (1 + 1 / conditions)


def conformal_quantile(scaled_errors: Floats, level: float) -> float:
    """Return the ⌈(n + 1) · level⌉-th smallest of n errors, which are divided by their sizes.

    The interval forecast ± quantile · size holds ``level`` of the scores of exchangeable cells (Vovk, Gammerman & Shafer,
    Algorithmic Learning in a Random World (2005), ch. 4; with sizes: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman, J.
    American Statistical Association 113 (2018) 1094, Sec. 5.2; for errors of cross-validation: Barber, Candès, Ramdas &
    Tibshirani, Annals of Statistics 49 (2021) 486). Conformalised quantile regression (Romano, Patterson & Candès, NeurIPS
    2019) adapts likewise, but has two more models to fit and to keep.

    Parameters
    ----------
    scaled_errors : float64 array, (cell,), [1]
    level : float, [1]

    Returns
    -------
    float, [1]
        NaN of fewer than :func:`fewest_errors` errors.
    """
    rank = math.ceil(round((scaled_errors.size + 1) * level, 9))
    return float(np.partition(scaled_errors, rank - 1)[rank - 1]) if rank <= scaled_errors.size else float("nan")

"""Spearman's rank correlation of cells with weights, for many predictors and thousands of resamples."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class WeightedSpearman:
    """Spearman's ρ of each predictor with an outcome, for any weights; equal values share their mean rank.

    Parameters
    ----------
    predictors : float64 array, (predictor, cell)
    outcome : float64 array, (cell,)
    """

    def __init__(self, predictors: Floats, outcome: Floats) -> None:
        self._predictors, self._outcome = _ordered(predictors), _ordered(outcome[None])

    def __call__(self, weight: Floats) -> Floats:
        """Correlate in every resample.

        Parameters
        ----------
        weight : float64 array, (resample, cell)
            How often each cell occurs.

        Returns
        -------
        float64 array, (predictor, resample)
            NaN where either does not vary.
        """
        rho = np.empty((len(self._predictors[0]), len(weight)))
        _correlate(*self._predictors, *self._outcome, weight, rho)
        return rho


def _ordered(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sort rows: return the places of their values, and which of them, in this order, are the last of equal ones."""
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=1)
    last = np.ones(values.shape, np.bool_)
    last[:, :-1] = ascending[:, 1:] != ascending[:, :-1]
    return order, last


@njit(cache=True)
def _correlate(
    orders: np.ndarray,
    lasts: np.ndarray,
    outcome_order: np.ndarray,
    outcome_last: np.ndarray,
    weight: np.ndarray,
    rho: np.ndarray,
) -> None:
    """Fill ``rho``, (predictor, resample): one pass over the cells, in the predictor's order, for each of them."""
    cells = weight.shape[1]
    # adjacent in memory, as they are read together: the weight of a cell, and that times its rank by outcome
    both = np.empty((cells, 2))
    for resample in range(weight.shape[0]):
        total = weight[resample].sum()
        below, equal, first, outcome_power = 0.0, 0.0, 0, 0.0
        for k in range(cells):
            equal += weight[resample, outcome_order[0, k]]
            if outcome_last[0, k]:
                rank = below + equal / 2 - total / 2  # the mean of all ranks is half of the whole
                for i in range(first, k + 1):
                    cell = outcome_order[0, i]
                    both[cell, 0] = weight[resample, cell]
                    both[cell, 1] = weight[resample, cell] * rank
                outcome_power += equal * rank * rank
                below, equal, first = below + equal, 0.0, k + 1
        # rounding of ranks that do not vary
        least = 1e-9 * max(1.0, total**3)
        for predictor in range(orders.shape[0]):
            order, last = orders[predictor], lasts[predictor]
            below, equal, outcome_sum, power, shared = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(cells):
                cell = order[k]
                equal += both[cell, 0]
                outcome_sum += both[cell, 1]
                if last[k]:
                    rank = below + equal / 2 - total / 2
                    power += equal * rank * rank
                    shared += outcome_sum * rank
                    below, equal, outcome_sum = below + equal, 0.0, 0.0
            whole = np.sqrt(power * outcome_power)
            rho[predictor, resample] = shared / whole if whole > least else np.nan

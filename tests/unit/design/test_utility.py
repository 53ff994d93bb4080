"""Predictors as utilities of training conditions."""

import numpy as np
import pytest

from hrtem_ood.design.utility import utility_matrix
from hrtem_ood.transfer.predictors.registry import PREDICTORS


@pytest.mark.parametrize("predictor", ["wiener_excess", "signed_sigma", "sigma"])
def test_utility_is_largest_where_the_target_is_nearest_and_never_below_zero(predictor):
    values = np.array([[-0.5, 0.2], [0.9, 0.0]])
    utility = utility_matrix(values, predictor)
    assert utility.min() == 0
    nearest = np.argmax if PREDICTORS[predictor].direction == "larger" else np.argmin
    assert utility.argmax() == nearest(values)

"""Naive predictors: distances between training and test condition by their parameters, without the optics."""

import numpy as np

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.predictors.inputs import Dataset


def abs_delta_defocus(train: Condition, test: Condition) -> float:
    """Difference |Δf − Δf′| of the defoci [Å]."""
    return abs(train.defocus_A - test.defocus_A)


def delta_abs_defocus(train: Condition, test: Condition) -> float:
    """Difference ||Δf| − |Δf′|| of the absolute defoci [Å]: defoci of either sign are equal."""
    return abs(abs(train.defocus_A) - abs(test.defocus_A))


def delta_log_dose(train: Condition, test: Condition) -> float:
    """Difference |ln(D′/D)| of the logarithms of the doses [1]."""
    return abs(float(np.log(test.dose_e_per_A2 / train.dose_e_per_A2)))


def parameter_distance(train: Dataset, test: Dataset) -> float:
    """Euclidean distance in the unit cube of the parameters that vary within the campaign [1]."""
    return float(np.linalg.norm(train.coordinates - test.coordinates))


def test_log_dose(train: Condition, test: Condition) -> float:  # noqa: ARG001  # predictors take both
    """Logarithm ln D′ of the test dose [1]: how much of a score follows from the noise of the test images alone."""
    return float(np.log(test.dose_e_per_A2))

"""Naive predictors: distances between conditions as they are written. Of a mixture, the nearest of its conditions."""

import numpy as np

from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet


def abs_delta_defocus(train: TrainingSet, test: Dataset) -> float:
    """Return |Δf − Δf′| [Å]."""
    return min(abs(condition.defocus_A - test.condition.defocus_A) for condition in train.conditions)


def delta_abs_defocus(train: TrainingSet, test: Dataset) -> float:
    """Return ||Δf| − |Δf′|| [Å], for which defoci of either sign are alike."""
    return min(abs(abs(condition.defocus_A) - abs(test.condition.defocus_A)) for condition in train.conditions)


def delta_log_dose(train: TrainingSet, test: Dataset) -> float:
    """Return |Δ ln dose|."""
    dose = test.condition.dose_e_per_A2
    return min(abs(float(np.log(dose / condition.dose_e_per_A2))) for condition in train.conditions)


def parameter_distance(train: TrainingSet, test: Dataset) -> float:
    """Return the Euclidean distance in the unit cube of the parameters that vary within the campaign."""
    return min(float(np.linalg.norm(each.coordinates - test.coordinates)) for each in train.datasets)


def test_log_dose(train: TrainingSet, test: Dataset) -> float:  # noqa: ARG001
    """Return ln dose of the test alone: how much of a score the test's own noise explains, whatever the training."""
    return float(np.log(test.condition.dose_e_per_A2))

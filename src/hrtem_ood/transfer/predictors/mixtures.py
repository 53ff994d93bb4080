"""Predictors from information transfer. Of a mixture, the nearest of its conditions, or the weighted union of them."""

from collections.abc import Callable

import numpy as np

from hrtem_ood.transfer import texture_detector
from hrtem_ood.transfer.image_spectrum import mixture_spectra
from hrtem_ood.transfer.information import information, log_cnr
from hrtem_ood.transfer.measure_registry import Measure
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet

Function = Callable[[TrainingSet, Dataset], float]


def for_nearest_condition(measure: Measure) -> Function:
    """Make a predictor of a measure: the value for the nearest of the training set's datasets."""
    best = max if measure.direction == "larger" else min
    return lambda train, test: best(measure.function(each.seen, test.seen) for each in train.datasets)


def for_mixture(measure: Measure) -> Function:
    """Make a predictor of a measure: the value for what the training set shows as a whole."""

    def value(train: TrainingSet, test: Dataset) -> float:
        whole = (
            mixture_spectra([each.seen for each in train.datasets], train.images) if len(train.datasets) > 1 else None
        )
        return measure.function(train.datasets[0].seen if whole is None else whole, test.seen)

    return value


def _accuracy(train: TrainingSet, test: Dataset) -> float:
    return max(texture_detector.accuracy(each.seen, test.seen) for each in train.datasets)


def texture_gap(train: TrainingSet, test: Dataset) -> float:
    """Return the texture accuracy on the test less that in-domain, the mean over the training set's own datasets.

    What a gap of scores is, of the idealised detector of :mod:`hrtem_ood.transfer.texture_detector`.
    """
    own = [_accuracy(train, each) for each in train.datasets]
    return _accuracy(train, test) - float(np.average(own, weights=train.images))


def texture_regret(train: TrainingSet, test: Dataset) -> float:
    """Return the texture accuracy on the test less that of the detector that was learnt there: 0 or below."""
    return _accuracy(train, test) - texture_detector.accuracy(test.seen, test.seen)


def object_overlap(train: TrainingSet, test: Dataset) -> float:
    """Return the largest overlap ∫∫√(W W′)d²q / √(∫∫W d²q ∫∫W′ d²q) of particles' spectra: 1 for the same recipe."""
    here = test.seen.particle
    values = []
    for each in train.datasets:
        there = each.seen.particle
        whole = np.sqrt(test.seen.band_integral(here) * test.seen.band_integral(there))
        values.append(test.seen.band_integral(np.sqrt(here * there)) / whole)
    return float(min(1.0, max(values)))


def test_information(train: TrainingSet, test: Dataset) -> float:  # noqa: ARG001
    """Return the information of the test images alone [bit/Å²]."""
    return information(test.seen)


def test_log_cnr(train: TrainingSet, test: Dataset) -> float:  # noqa: ARG001
    """Return ln CNR of the test images alone."""
    return log_cnr(test.seen)

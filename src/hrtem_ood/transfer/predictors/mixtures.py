"""Predictors of training sets from measures of two datasets: for the nearest dataset of a mixture, or for the mixture itself."""

from collections.abc import Callable
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer import information, texture_detector
from hrtem_ood.transfer.image_spectrum import ImageSpectra, mixture_spectra
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet

Direction = Literal["larger", "smaller"]
SpectralMeasure = Callable[[ImageSpectra, ImageSpectra], float]
ConditionMeasure = Callable[[Condition, Condition], float]
DatasetMeasure = Callable[[Dataset, Dataset], float]
PredictorFunction = Callable[[TrainingSet, Dataset], float]


def remembered(measure: DatasetMeasure) -> DatasetMeasure:
    """Return a measure that is computed once for each two datasets: mixtures share their members."""
    known: WeakKeyDictionary[Dataset, WeakKeyDictionary[Dataset, float]] = WeakKeyDictionary()

    def value(train: Dataset, test: Dataset) -> float:
        of_train = known.setdefault(train, WeakKeyDictionary())
        if test not in of_train:
            of_train[test] = measure(train, test)
        return of_train[test]

    return value


def for_nearest_dataset(measure: DatasetMeasure, direction: Direction) -> PredictorFunction:
    """Make a predictor from a measure of two datasets: its value for the nearest dataset of the training set.

    Parameters
    ----------
    measure : callable
        Of a training and the test :class:`~hrtem_ood.transfer.predictors.inputs.Dataset`.
    direction : {"larger", "smaller"}
        Which values mean that the test is nearer to the training.

    Returns
    -------
    callable
        Of a :class:`~hrtem_ood.transfer.predictors.inputs.TrainingSet` and the test dataset.
    """
    nearest, once = max if direction == "larger" else min, remembered(measure)
    return lambda train, test: nearest(once(each, test) for each in train.datasets)


def for_nearest_condition(measure: ConditionMeasure, direction: Direction) -> PredictorFunction:
    """Make a predictor from a measure of two conditions; see :func:`for_nearest_dataset`."""
    return for_nearest_dataset(lambda train, test: measure(train.condition, test.condition), direction)


def for_nearest_spectra(measure: SpectralMeasure, direction: Direction) -> PredictorFunction:
    """Make a predictor from a measure of the spectra of two datasets; see :func:`for_nearest_dataset`."""
    return for_nearest_dataset(lambda train, test: measure(train.image_spectra, test.image_spectra), direction)


def for_mixture(measure: SpectralMeasure) -> PredictorFunction:
    """Make a predictor from a measure of image spectra: its value for the weighted mean spectra of the training set.

    Parameters
    ----------
    measure : callable
        Of training and test :class:`~hrtem_ood.transfer.image_spectrum.ImageSpectra`.

    Returns
    -------
    callable
        Of a training set and the test dataset. See :func:`hrtem_ood.transfer.image_spectrum.mixture_spectra`.
    """

    def value(train: TrainingSet, test: Dataset) -> float:
        return measure(_mean_spectra(train), test.image_spectra)

    return value


_MEAN_SPECTRA: "WeakKeyDictionary[TrainingSet, ImageSpectra]" = WeakKeyDictionary()


def _mean_spectra(train: TrainingSet) -> ImageSpectra:
    """Return the weighted mean spectra of a training set, computed once."""
    if train not in _MEAN_SPECTRA:
        parts = [each.image_spectra for each in train.datasets]
        _MEAN_SPECTRA[train] = parts[0] if len(parts) == 1 else mixture_spectra(parts, train.n_images)
    return _MEAN_SPECTRA[train]


_texture_accuracy = for_nearest_spectra(texture_detector.accuracy, "larger")


def texture_gap(train: TrainingSet, test: Dataset) -> float:
    """Texture accuracy on the test less that in-domain, the weighted mean over the training set's own datasets [1].

    It is the gap of the score of the idealised detector of :mod:`hrtem_ood.transfer.texture_detector`.
    """
    in_domain = [_texture_accuracy(train, each) for each in train.datasets]
    return _texture_accuracy(train, test) - float(np.average(in_domain, weights=train.n_images))


def texture_regret(train: TrainingSet, test: Dataset) -> float:
    """Texture accuracy on the test less that of the detector trained under the test condition [1]: 0 or below."""
    return _texture_accuracy(train, test) - texture_detector.accuracy(test.image_spectra, test.image_spectra)


def object_overlap(train: Dataset, test: Dataset) -> float:
    """Overlap ∫∫√(W_p W′_p)d²q / √(∫∫W_p d²q ∫∫W′_p d²q) of the particles' spectra [1]: 1 for the same recipe."""
    spectra, other = test.image_spectra, train.image_spectra
    norm = np.sqrt(spectra.band_integral(spectra.particle) * spectra.band_integral(other.particle))
    return min(1.0, float(spectra.band_integral(np.sqrt(spectra.particle * other.particle)) / norm))


def test_information(train: Dataset, test: Dataset) -> float:  # noqa: ARG001  # predictors take both
    """Shannon information ½∫∫ log₂(1 + ρ′) d²q of the test images alone [bit/Å²]."""
    return information.information(test.image_spectra)


def test_log_cnr(train: Dataset, test: Dataset) -> float:  # noqa: ARG001  # predictors take both
    """Logarithm ln CNR′ of the contrast-to-noise ratio of the test images alone [1]."""
    return information.log_cnr(test.image_spectra)

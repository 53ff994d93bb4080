"""Descriptors of a training set and a test dataset, from which the forecast is made: numbers known before any training.

How much each of the two transfers counts, and in which direction one goes from one to the other; a distance of the two alone
is not enough. A mixture is described by its *hull*: where a number belongs to the training conditions alone, the mixture has
the value of the test, clipped into the interval that its members span. What this leaves out, that a member has only its share
of the images, is left to one descriptor, :data:`mixture_entropy <NAMES>`, whose effect is fitted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer import texture_detector
from hrtem_ood.transfer.ctf_overlap import signed_ctf_overlap
from hrtem_ood.transfer.image_spectrum import ImageSpectra
from hrtem_ood.transfer.information import log_cnr, snr_overlap
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Descriptor:
    """One descriptor.

    Attributes
    ----------
    name : str
    symbol : str
        For axes.
    meaning : str
        For tables; of a mixture, too.
    """

    name: str
    symbol: str
    meaning: str


ROWS = (
    Descriptor("train_log_cnr", "ln CNR of training", "ln CNR of the training images; of a mixture, that of its hull."),
    Descriptor("test_log_cnr", "ln CNR of the test", "ln CNR′ of the test images."),
    Descriptor("log_cnr_change", "Δ ln CNR", "ln CNR′ − ln CNR: the direction from training to test."),
    Descriptor("log_cnr_distance", "|Δ ln CNR|", "|ln CNR′ − ln CNR|; 0 within the hull of a mixture."),
    Descriptor(
        "mixture_entropy", "ln effective members", "−Σ s ln s of the shares s of images: 0, or ln k for k equal members."
    ),
    Descriptor("log_n_images", "ln n", "ln of the number of training images, of all members."),
    Descriptor("texture_accuracy", "a", "Texture accuracy on the test; of a mixture, that of the nearest member."),
    Descriptor(
        "train_texture_accuracy", "a in-domain", "Texture accuracy under the training condition; of a mixture, the mean."
    ),
    Descriptor("test_texture_accuracy", "a′ in-domain", "Texture accuracy of a detector trained under the test condition."),
    Descriptor(
        "train_film_to_noise", "film/noise of training", "ln(1 + film/noise) of the training; of a mixture, of its hull."
    ),
    Descriptor("test_film_to_noise", "film/noise of the test", "ln(1 + film/noise) of the test."),
    Descriptor("train_centroid", "centroid of training", "Spectral centroid of the training; of a mixture, of its hull."),
    Descriptor("test_centroid", "centroid of the test", "Spectral centroid of the test."),
    Descriptor("texture_divergence", "ln(1 + divergence)", "ln(1 + texture divergence) in nat/Å²; of the nearest member."),
    Descriptor("snr_sigma", "overlap of SNR", "Overlap of the signal-to-noise ratios; of the nearest member."),
    Descriptor("signed_sigma", "signed σ", "Signed overlap of contrast transfer: −1 where contrast is reversed; nearest."),
)  # fmt: skip
"""All descriptors, in the order of arrays; each is a number [1]."""

NAMES = tuple(row.name for row in ROWS)
"""Their names."""

PLACE = {name: place for place, name in enumerate(NAMES)}
"""Place of each in arrays."""


class _Summary(NamedTuple):
    """What is known of one dataset alone."""

    log_cnr: float
    texture_accuracy: float
    film_to_noise: float
    centroid: float


_SUMMARIES: "WeakKeyDictionary[Dataset, _Summary]" = WeakKeyDictionary()


def film_to_noise(spectra: ImageSpectra) -> float:
    """Return ln(1 + ⟨4 T² W_f / N⟩), the mean over the band's area of the film's contrast over counting noise [1].

    N is :attr:`hrtem_ood.transfer.image_spectrum.ImageSpectra.noise`. 0 without a film, or without transfer.
    """
    contrast = spectra.band_integral(4 * spectra.transfer**2 * spectra.film / spectra.noise)
    return float(np.log1p(contrast / spectra.area.sum()))


def centroid(spectra: ImageSpectra) -> float:
    """Return the spectral centroid of the signal-to-noise ratio, ∫∫ x ρ d²q / ∫∫ ρ d²q [1].

    x is the share of the band's area that lies at lower frequencies, so that the centroid is ½ for a white ρ, whatever the
    band. Where nothing is transferred it is ½, too.
    """
    x = (np.cumsum(spectra.area) - spectra.area / 2) / spectra.area.sum()
    whole = spectra.band_integral(spectra.snr)
    return spectra.band_integral(x[:, None] * spectra.snr) / whole if whole > 0 else 0.5


def hull_value(members: Floats, value: float) -> float:
    """Return the value of a mixture for a test: that of the test, clipped into the interval that the members span.

    Parameters
    ----------
    members : float array, (member,)
    value : float
        Of the test.

    Returns
    -------
    float
        Of one member, its own value.

    Examples
    --------
    >>> hull_value(np.array([-0.1, 1.9]), 1.2), hull_value(np.array([-0.1, 1.9]), 2.5)
    (1.2, 1.9)
    """
    return float(np.clip(value, np.min(members), np.max(members)))


class Pair(NamedTuple):
    """What is known of one training dataset and one test dataset."""

    texture_accuracy: float
    texture_divergence: float
    snr_sigma: float
    signed_sigma: float


def describe_pair(train: Dataset, test: Dataset) -> Pair:
    """Compare the image spectra of two datasets."""
    both = (train.image_spectra, test.image_spectra)
    return Pair(
        texture_detector.accuracy(*both),
        texture_detector.divergence(*both),
        snr_overlap(*both),
        signed_ctf_overlap(*both),
    )


def describe(train: TrainingSet, test: Dataset, compare: Callable[[Dataset, Dataset], Pair] = describe_pair) -> Floats:
    """Describe a training set and a test dataset.

    A member that is named several times is one member, which has the images of all: it makes no training set more mixed.

    Parameters
    ----------
    train : TrainingSet
        Its members are told apart by structure set and condition.
    test : Dataset
    compare : callable
        :func:`describe_pair`, or one that remembers its results.

    Returns
    -------
    float64 array, (descriptor,), [1]
        In the order of :data:`NAMES`.
    """
    datasets, images = _distinct(train)
    members, own = np.array([summarise(each) for each in datasets]), summarise(test)
    share = np.asarray(images, float) / np.sum(images)
    pairs = [compare(each, test) for each in datasets]
    effective = hull_value(members[:, 0], own.log_cnr)
    values = {
        "train_log_cnr": effective,
        "test_log_cnr": own.log_cnr,
        "log_cnr_change": own.log_cnr - effective,
        "log_cnr_distance": abs(own.log_cnr - effective),
        "mixture_entropy": float(-np.sum(share * np.log(share, where=share > 0, out=np.zeros_like(share)))),
        "log_n_images": float(np.log(np.sum(images))),
        "texture_accuracy": max(pair.texture_accuracy for pair in pairs),
        "train_texture_accuracy": float(share @ members[:, 1]),
        "test_texture_accuracy": own.texture_accuracy,
        "train_film_to_noise": hull_value(members[:, 2], own.film_to_noise),
        "test_film_to_noise": own.film_to_noise,
        "train_centroid": hull_value(members[:, 3], own.centroid),
        "test_centroid": own.centroid,
        "texture_divergence": float(np.log1p(min(pair.texture_divergence for pair in pairs))),
        "snr_sigma": max(pair.snr_sigma for pair in pairs),
        "signed_sigma": max(pair.signed_sigma for pair in pairs),
    }
    return np.array([values[name] for name in NAMES])


def _distinct(train: TrainingSet) -> tuple[list[Dataset], list[int]]:
    """Return the members of a training set, each once, and the number of images of each."""
    first: dict[tuple[str, Condition], Dataset] = {}
    images: dict[tuple[str, Condition], int] = {}
    for dataset, number in zip(train.datasets, train.n_images, strict=True):
        key = (dataset.structure_set, dataset.condition)
        first.setdefault(key, dataset)
        images[key] = images.get(key, 0) + number
    return list(first.values()), list(images.values())


def describe_all(training_sets: Sequence[TrainingSet], tests: Sequence[Dataset]) -> Floats:
    """Describe every training set with every test dataset.

    Parameters
    ----------
    training_sets : sequence of TrainingSet
    tests : sequence of Dataset

    Returns
    -------
    float64 array, (training_set, condition, descriptor), [1]
        In the order of :data:`NAMES`.
    """
    compare = cache(describe_pair)  # mixtures share their members
    values = [[describe(train, test, compare) for test in tests] for train in training_sets]
    return np.array(values, float).reshape(len(training_sets), len(tests), len(NAMES))


def summarise(dataset: Dataset) -> _Summary:
    """Return what is known of one dataset alone: ln CNR, texture accuracy in-domain, film to noise, spectral centroid [1]."""
    if dataset not in _SUMMARIES:
        spectra = dataset.image_spectra
        accuracy = texture_detector.accuracy(spectra, spectra)
        _SUMMARIES[dataset] = _Summary(log_cnr(spectra), accuracy, film_to_noise(spectra), centroid(spectra))
    return _SUMMARIES[dataset]

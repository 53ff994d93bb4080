"""Predictors from images, without a network. Of a mixture, the nearest of its datasets."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet

Floats = NDArray[np.float64]

BINS = 16
"""Most rings of the power spectrum, equally wide from 0 to the Nyquist frequency; fewer where images are small."""

PATCHES = 2
"""Images are cut into this many patches along each side."""


class _Described(NamedTuple):
    """What is kept of a dataset's images: features, and the logarithm of their mean power spectrum."""

    features: Floats
    log_spectrum: Floats


_DESCRIBED: "WeakKeyDictionary[Dataset, _Described]" = WeakKeyDictionary()


def radial_power_spectrum(images: NDArray[np.floating]) -> Floats:
    """Power of standardised images in rings of spatial frequency.

    Parameters
    ----------
    images : float array, (image, y, x), [1]
        Square.

    Returns
    -------
    float64 array, (image, ring), [1]
        Mean |F|² per coefficient, 1 for white images of unit variance.
    """
    size = images.shape[-1]
    rings = max(1, min(BINS, size // 4))  # at least two cycles per image wide
    power = np.abs(np.fft.fft2(images)) ** 2 / size**2
    cycles = np.fft.fftfreq(size)
    ring = (np.hypot(cycles[:, None], cycles[None, :]) * 2 * rings).astype(int)
    ring[0, 0] = rings  # the mean, which standardisation removes
    kept = ring < rings
    count = np.bincount(ring[kept], minlength=rings)
    return np.stack([np.bincount(ring[kept], each[kept], rings) / count for each in power])


def features(images: NDArray[np.floating]) -> Floats:
    """Describe patches of images without a network.

    Parameters
    ----------
    images : float array, (image, y, x), [1]
        Standardised.

    Returns
    -------
    float64 array, (patch, feature), [1]
        ln of :func:`radial_power_spectrum`; skewness and excess kurtosis; quartiles of ln of the local variance over 5 × 5 px.
    """
    side = images.shape[-1] // PATCHES
    cut = images[:, : side * PATCHES, : side * PATCHES].reshape(-1, PATCHES, side, PATCHES, side)
    patches = cut.transpose(0, 1, 3, 2, 4).reshape(-1, side, side).astype(np.float64)
    centred = patches - patches.mean(axis=(1, 2), keepdims=True)
    spread = np.maximum(centred.std(axis=(1, 2)), 1e-9)
    third, fourth = ((centred**n).mean(axis=(1, 2)) / spread**n for n in (3, 4))
    local = uniform_filter(centred**2, (0, 5, 5)) - uniform_filter(centred, (0, 5, 5)) ** 2
    quartiles = np.quantile(np.log(np.maximum(local, 1e-9)).reshape(len(patches), -1), [0.25, 0.5, 0.75], axis=1).T
    return np.column_stack([np.log(np.maximum(radial_power_spectrum(centred), 1e-9)), third, fourth - 3, quartiles])


def frechet(one: Floats, two: Floats) -> float:
    """Return the squared Fréchet distance of two sets of features, each taken as normally distributed.

    |μ − μ′|² + tr[Σ + Σ′ − 2(ΣΣ′)^½] (Dowson & Landau, J. Multivariate Analysis 12 (1982) 450).

    Parameters
    ----------
    one, two : float array, (sample, feature)

    Returns
    -------
    float
    """
    sigma, other = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (one, two))
    values, vectors = np.linalg.eigh(sigma)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # the eigenvalues of √Σ Σ′ √Σ are those of ΣΣ′
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    means = one.mean(axis=0) - two.mean(axis=0)
    return float(max(0.0, means @ means + np.trace(sigma) + np.trace(other) - 2 * shared))


def mmd(one: Floats, two: Floats) -> float:
    """Return the squared maximum mean discrepancy of two sets of features, unbiased; it may lie below 0.

    Kernel exp(−|x − y|²/n) for n features (Gretton et al., J. Machine Learning Research 13 (2012) 723, Eq. 3).

    Parameters
    ----------
    one, two : float array, (sample, feature)

    Returns
    -------
    float
    """

    def kernel(a: Floats, b: Floats) -> Floats:
        distance = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
        return np.asarray(np.exp(-np.maximum(distance, 0) / a.shape[1]))

    def within(a: Floats) -> float:
        number = len(a)
        return float((kernel(a, a).sum() - number) / (number * (number - 1)))

    return within(one) + within(two) - 2 * float(kernel(one, two).mean())


def _described(dataset: Dataset) -> _Described:
    if dataset not in _DESCRIBED:
        images = dataset.images
        spectrum = np.log(np.maximum(radial_power_spectrum(images).mean(axis=0), 1e-9))
        _DESCRIBED[dataset] = _Described(features(images), spectrum)
    return _DESCRIBED[dataset]


def log_spectrum(train: TrainingSet, test: Dataset) -> float:
    """Return the root-mean-square difference of the logarithms of mean power spectra, over rings."""
    here = _described(test).log_spectrum
    return min(float(np.sqrt(np.mean((_described(each).log_spectrum - here) ** 2))) for each in train.datasets)


def frechet_distance(train: TrainingSet, test: Dataset) -> float:
    """Return :func:`frechet` of the features of images."""
    return min(frechet(_described(each).features, _described(test).features) for each in train.datasets)


def mmd_distance(train: TrainingSet, test: Dataset) -> float:
    """Return :func:`mmd` of the features of images."""
    return min(mmd(_described(each).features, _described(test).features) for each in train.datasets)

"""Predictors from training and test images, without a network."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.predictors.inputs import Dataset

Floats = NDArray[np.float64]

BINS = 16
"""Rings of the power spectrum, equally wide from 0 to the Nyquist frequency; fewer for small images."""

PATCHES = 2
"""Patches along each side of an image."""


class _Summary(NamedTuple):
    """Summary of the images of a dataset: features (patch, feature), logarithm of their mean power spectrum (ring,)."""

    features: Floats
    log_spectrum: Floats


_SUMMARIES: "WeakKeyDictionary[Dataset, _Summary]" = WeakKeyDictionary()


def radial_power_spectrum(images: NDArray[np.floating]) -> Floats:
    """Compute the power of standardised images in rings of spatial frequency.

    Parameters
    ----------
    images : float array, (image, y, x), [1]
        Square images.

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
    inside = ring < rings
    count = np.bincount(ring[inside], minlength=rings)
    return np.stack([np.bincount(ring[inside], each[inside], rings) / count for each in power])


def features(images: NDArray[np.floating]) -> Floats:
    """Compute features of patches of images.

    Parameters
    ----------
    images : float array, (image, y, x), [1]
        Standardised images.

    Returns
    -------
    float64 array, (patch, feature), [1]
        ln of :func:`radial_power_spectrum`; skewness and excess kurtosis; quartiles of ln of the local variance over 5 × 5 px.
    """
    from scipy.ndimage import uniform_filter  # configurations are checked without SciPy's image filters

    side = images.shape[-1] // PATCHES
    cut = images[:, : side * PATCHES, : side * PATCHES].reshape(-1, PATCHES, side, PATCHES, side)
    patches = cut.transpose(0, 1, 3, 2, 4).reshape(-1, side, side).astype(np.float64)
    centred = patches - patches.mean(axis=(1, 2), keepdims=True)
    deviation = np.maximum(centred.std(axis=(1, 2)), 1e-9)
    third, fourth = ((centred**n).mean(axis=(1, 2)) / deviation**n for n in (3, 4))
    local = uniform_filter(centred**2, (0, 5, 5)) - uniform_filter(centred, (0, 5, 5)) ** 2
    quartiles = np.quantile(np.log(np.maximum(local, 1e-9)).reshape(len(patches), -1), [0.25, 0.5, 0.75], axis=1).T
    return np.column_stack([np.log(np.maximum(radial_power_spectrum(centred), 1e-9)), third, fourth - 3, quartiles])


def frechet(one: Floats, two: Floats) -> float:
    """Compute the squared Fréchet distance of two sets of features, each taken as normally distributed.

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
    """Compute the unbiased estimate of the squared maximum mean discrepancy of two sets of features; it may be below 0.

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


def _summary(dataset: Dataset) -> _Summary:
    if dataset not in _SUMMARIES:
        images = dataset.images
        spectrum = np.log(np.maximum(radial_power_spectrum(images).mean(axis=0), 1e-9))
        _SUMMARIES[dataset] = _Summary(features(images), spectrum)
    return _SUMMARIES[dataset]


def log_spectrum(train: Dataset, test: Dataset) -> float:
    """Root mean square over rings of the difference of ln P, P the mean power spectrum of the images [1]."""
    return float(np.sqrt(np.mean((_summary(train).log_spectrum - _summary(test).log_spectrum) ** 2)))


def frechet_distance(train: Dataset, test: Dataset) -> float:
    """Squared Fréchet distance |μ − μ′|² + tr[Σ + Σ′ − 2(ΣΣ′)^½] of features of image patches [1]."""
    return frechet(_summary(train).features, _summary(test).features)


def mmd_distance(train: Dataset, test: Dataset) -> float:
    """Squared maximum mean discrepancy of features of image patches, unbiased [1]."""
    return mmd(_summary(train).features, _summary(test).features)

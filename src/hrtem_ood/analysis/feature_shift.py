"""How far a network's features of test images lie from those that it has in-domain: numbers that need no labels.

The features of an image are the input of the network's last convolution, averaged over the image's pixels
(:mod:`hrtem_ood.learning.evaluation.feature_hook`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SINGULAR = 1e-12
"""A covariance counts as singular if its smallest eigenvalue is at most this share of its largest."""

BLOCK_SIZE = 2**22
"""Largest number of products of pairs of images in memory at a time."""


class FeatureShift(NamedTuple):
    """Of one network under all test conditions, each a float64 array, (condition,), [1].

    Attributes
    ----------
    mahalanobis : mean over the images of the squared distance from the in-domain Gaussian
    feature_cka : linear CKA with the in-domain features of the same structures; of several, the largest
    """

    mahalanobis: Floats
    feature_cka: Floats


MEASURES = {
    "mahalanobis": "squared Mahalanobis distance of features from in-domain, mean over images",
    "feature_cka": "linear CKA of features with those in-domain",
}
"""Long names."""
assert tuple(MEASURES) == FeatureShift._fields


def feature_shift(
    feature: NDArray[np.floating], in_domain: NDArray[np.bool_], structures: Sequence[tuple[NDArray[np.integer], int]]
) -> FeatureShift:
    """Compare a network's features of all test images with those in-domain.

    Mahalanobis: ⟨(f − μ)ᵀ Σ⁻¹ (f − μ)⟩ over the images f of a dataset, with μ and Σ of all in-domain images (Lee et al.,
    NeurIPS 2018, arXiv:1807.03888, Eq. 2, with one class); Σ by :func:`ledoit_wolf`.

    Parameters
    ----------
    feature : float array, (condition, image, channel), [1]
        Values beyond the number of images of a dataset are ignored.
    in_domain : bool array, (condition,)
        Of the network's training set, from :func:`hrtem_ood.campaign.domain.in_domain`.
    structures : sequence of (int array, int)
        Test datasets of the same structures, image by image, and their number of images: a partition.

    Returns
    -------
    FeatureShift
        NaN without an in-domain dataset, where the reference has no spread or features are not finite, and for CKA
        where no in-domain dataset is of the same structures.
    """
    result = FeatureShift(*(np.full(len(in_domain), np.nan) for _ in FeatureShift._fields))
    if not in_domain.any() or not feature.shape[-1]:
        return result
    feature = feature.astype(np.float32)
    parts = [feature[columns[in_domain[columns]], :images] for columns, images in structures]
    inside = np.concatenate([part.reshape(-1, feature.shape[-1]) for part in parts]).astype(np.float64)
    if not np.isfinite(inside).all():
        return result
    mean = inside.mean(axis=0)
    whitening = _whitening(ledoit_wolf(inside - mean))
    for group, images in structures:
        columns = group[np.isfinite(feature[group, :images]).all(axis=(1, 2))]
        values = feature[columns, :images]
        values -= mean.astype(np.float32)
        if whitening is not None:
            white = values @ whitening.astype(np.float32)
            result.mahalanobis[columns] = np.einsum("cik,cik->c", white, white) / images
        if in_domain[columns].any():
            result.feature_cka[columns] = largest_cka(values - values.mean(axis=1, keepdims=True), in_domain[columns])
    return result


def ledoit_wolf(centred: Floats) -> Floats:
    """Estimate a covariance, shrunk to a multiple of the identity so far that the expected squared error is least.

    Σ = (1 − s) S + s m I with S = ⟨x xᵀ⟩, m = tr S / p, d² = |S − m I|², b² = min(d², Σ_k |x_k x_kᵀ − S|² / n²) and
    s = b² / d² (O. Ledoit & M. Wolf, J. Multivariate Analysis 88 (2004) 365, Sec. 3.2–3.3).

    Parameters
    ----------
    centred : float64 array, (sample, feature)
        Less its mean.

    Returns
    -------
    float64 array, (feature, feature)
    """
    number, features = centred.shape
    covariance = centred.T @ centred / number
    scale = np.trace(covariance) / features
    spread = np.sum((covariance - scale * np.eye(features)) ** 2)
    # Σ_k |x_k x_kᵀ − S|² = Σ_k |x_k|⁴ − n |S|²
    error = (np.mean(np.sum(centred**2, axis=1) ** 2) - np.sum(covariance**2)) / number
    shrinkage = min(max(error, 0.0) / spread, 1.0) if spread > 0 else 0.0
    shrunk: Floats = (1 - shrinkage) * covariance + shrinkage * scale * np.eye(features)
    return shrunk


def _whitening(covariance: Floats) -> Floats | None:
    """Return W with W Wᵀ = Σ⁻¹, (feature, feature); None for a singular Σ."""
    values, vectors = np.linalg.eigh(covariance)
    if values[0] <= SINGULAR * values[-1]:
        return None
    whitening: Floats = vectors / np.sqrt(values)
    return whitening


def largest_cka(centred: NDArray[np.floating], in_domain: NDArray[np.bool_]) -> Floats:
    """Compare every dataset with those in-domain by linear centred kernel alignment, |XᵀY|² / (|XᵀX| |YᵀY|).

    S. Kornblith et al., ICML 2019 (arXiv:1905.00414), Table 1; |·| is Frobenius' norm.

    Parameters
    ----------
    centred : float array, (condition, image, channel)
        Features of the same images in all datasets, less their mean over images.
    in_domain : bool array, (condition,)

    Returns
    -------
    float64 array, (condition,), [1]
        Of several datasets in-domain, the largest: 0 to 1; NaN where one of the two does not vary.
    """
    _, images, channels = centred.shape
    references = np.flatnonzero(in_domain)
    # |XᵀY|² is also the sum over all pairs of images of XXᵀ times YYᵀ, whose cost does not grow with the references
    products = _by_images if images <= channels * (len(references) + 1) else _by_channels
    shared, squares = products(centred, references)
    norm = np.sqrt(squares[references, None] * squares)
    value = np.divide(shared, norm, out=np.full(shared.shape, np.nan), where=norm > 0)
    return np.asarray(np.fmax.reduce(value, axis=0))


def _by_images(centred: NDArray[np.floating], references: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Return |XᵀY|², (reference, condition), and |XᵀX|², (condition,), by products of images."""
    conditions, images, _ = centred.shape
    shared, squares = np.zeros((len(references), conditions)), np.zeros(conditions)
    step = max(1, BLOCK_SIZE // (conditions * images))
    for start in range(0, images, step):
        gram = (centred[:, start : start + step] @ centred.transpose(0, 2, 1)).reshape(conditions, -1)
        shared += gram[references] @ gram.T
        squares += np.einsum("cx,cx->c", gram, gram)
    return shared, squares


def _by_channels(centred: NDArray[np.floating], references: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Return the same by products of channels."""
    shared = np.empty((len(references), len(centred)))
    for row, reference in enumerate(references):
        shared[row] = _squared(centred[reference].T @ centred)
    return shared, _squared(centred.transpose(0, 2, 1) @ centred)


def _squared(matrices: NDArray[np.floating]) -> Floats:
    """Squared Frobenius norm of each matrix."""
    return np.asarray(np.einsum("cij,cij->c", matrices, matrices), np.float64)

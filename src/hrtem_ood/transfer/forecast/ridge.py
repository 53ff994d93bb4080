"""Quadratic ridge regression on descriptors, kept as numbers: fitted by scikit-learn, evaluated by NumPy alone."""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.descriptors import PLACE

Floats = NDArray[np.float64]

PENALTIES = tuple(10.0 ** np.arange(-3, 4.5, 0.5))
"""Ridge penalties from which generalised cross-validation chooses, for terms of unit variance."""


@dataclass(frozen=True)
class Features:
    """Which descriptors a model uses.

    Attributes
    ----------
    name : str
    quadratic : tuple of str
        Descriptors with their squares and products.
    linear : tuple of str
        Descriptors that count linearly.
    without : tuple of (str, str)
        Products of two quadratic descriptors that are left out, as they are sums of other terms.
    """

    name: str
    quadratic: tuple[str, ...]
    linear: tuple[str, ...] = ()
    without: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All descriptors of the model, in the order of its arrays."""
        return self.quadratic + self.linear

    @property
    def n_terms(self) -> int:
        """Number of terms, without the constant."""
        return len(self.names) + len(self.products)

    @property
    def products(self) -> tuple[tuple[int, int], ...]:
        """Places of the factors of every square and product."""
        pairs = combinations_with_replacement(range(len(self.quadratic)), 2)
        return tuple((i, j) for i, j in pairs if (self.quadratic[i], self.quadratic[j]) not in self.without)

    def columns(self, descriptors: Floats) -> Floats:
        """Return the model's descriptors (cell, feature) out of all (cell, descriptor)."""
        return descriptors[:, [PLACE[name] for name in self.names]]

    def terms(self, standardised: Floats) -> Floats:
        """Return the terms (cell, term) of standardised features (cell, feature): these, then squares and products."""
        return np.column_stack([standardised, *(standardised[:, i] * standardised[:, j] for i, j in self.products)])


CONTRAST = Features(
    "contrast",
    ("train_log_cnr", "test_log_cnr", "log_cnr_distance"),
    ("mixture_entropy",),
    without=(("log_cnr_distance", "log_cnr_distance"),),
)
"""How much training and test transfer, how far apart they are, and how many conditions share the images. The change ln CNR′ −
ln CNR is a sum of the first two, and the square of the distance one of their squares and product."""

TRANSFER = Features(
    "transfer",
    CONTRAST.quadratic,
    (
        *CONTRAST.linear,
        *("texture_accuracy", "train_texture_accuracy", "test_texture_accuracy", "train_film_to_noise"),
        *("test_film_to_noise", "train_centroid", "test_centroid", "texture_divergence", "snr_sigma", "signed_sigma"),
    ),
    CONTRAST.without,
)
"""These, and all other descriptors of spectra, linearly."""

MODELS = {each.name: each for each in (CONTRAST, TRANSFER)}
"""The models by name."""


@dataclass(frozen=True)
class Quadratic:
    """A quadratic function of descriptors: constant + Σ coefficient · term, of standardised descriptors.

    Attributes
    ----------
    features : Features
    centre, scale : float64 array, (feature,)
        Mean and standard deviation of the descriptors; 1 where a descriptor does not vary.
    coefficients : float64 array, (term,)
    constant : float
    """

    features: Features
    centre: Floats
    scale: Floats
    coefficients: Floats
    constant: float

    def __call__(self, descriptors: Floats) -> Floats:
        """Evaluate.

        Parameters
        ----------
        descriptors : float64 array, (cell, descriptor)

        Returns
        -------
        float64 array, (cell,)
        """
        standardised = (self.features.columns(descriptors) - self.centre) / self.scale
        return np.asarray(self.features.terms(standardised) @ self.coefficients + self.constant)


def fit_quadratic(features: Features, descriptors: Floats, values: Floats) -> Quadratic:
    """Fit by ridge regression.

    The terms are scaled to unit variance, so that one penalty suits all, and the constant is not penalised. The penalty is
    one of :data:`PENALTIES`, by generalised cross-validation (Golub, Heath & Wahba, Technometrics 21 (1979) 215), on the
    cells of this fit alone.

    Parameters
    ----------
    features : Features
    descriptors : float64 array, (cell, descriptor)
    values : float64 array, (cell,)

    Returns
    -------
    Quadratic
    """
    from sklearn.linear_model import RidgeCV  # takes long to import, and only fits need it

    columns = features.columns(descriptors)
    centre, scale = _standard(columns)
    terms = features.terms((columns - centre) / scale)
    middle, spread = _standard(terms)
    fitted = RidgeCV(alphas=PENALTIES).fit((terms - middle) / spread, values)
    coefficients = fitted.coef_ / spread
    return Quadratic(features, centre, scale, coefficients, float(fitted.intercept_ - coefficients @ middle))


def _standard(columns: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of columns; 1 instead of the latter where it is rounding."""
    mean, deviation = columns.mean(axis=0), columns.std(axis=0)
    return mean, np.where(deviation > 1e-9 * np.maximum(1, np.abs(mean)), deviation, 1.0)

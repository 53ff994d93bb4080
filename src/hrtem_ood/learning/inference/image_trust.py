"""How far a network can be trusted on an image of unknown condition, from what the image alone tells."""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.image_estimates.estimates import CONTRADICTION, OF_HEIGHT_A, ImageEstimates
from hrtem_ood.learning.inference.image_estimates.pixel_size import (
    PixelSuspicion,
    Reflections,
    metals,
    reflections,
    suspect_pixel,
)
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity
from hrtem_ood.learning.inference.measured_f1 import NEAR_DOSE, MeasuredPerformance

BETWEEN_A = 50.0
"""Measured conditions whose |Δf| is nearer to the image's are not ruled out, whatever the uncertainty: they stand for those
between them [Å]."""


@dataclass(frozen=True)
class Domain:
    """A quantity of an image against the training conditions.

    Attributes
    ----------
    quantity : Estimate or Unknown
        What the image tells.
    trained : tuple of float
        Least and largest of the training conditions; of the defocus, moduli.
    is_inside : bool or None
        Whether the image's may be one of them; None where it cannot be told.
    """

    quantity: Quantity
    trained: tuple[float, float]
    is_inside: bool | None


@dataclass(frozen=True)
class ImageTrust:
    """What an image tells of how far a network can be trusted on it.

    Attributes
    ----------
    dose : Domain
        [e/Å²].
    defocus : Domain
        Modulus, [Å].
    possible : pandas.DataFrame or None
        The measured conditions that the image does not rule out, see :class:`MeasuredPerformance`; None where no campaign has
        measured the network.
    measured : MeasuredPerformance or None
    """

    dose: Domain
    defocus: Domain
    possible: pd.DataFrame | None
    measured: MeasuredPerformance | None

    @property
    def narrows(self) -> bool:
        """Whether the image tells anything that rules conditions out."""
        return any(isinstance(each.quantity, Estimate) for each in (self.dose, self.defocus))


def assess_image(
    estimates: ImageEstimates, training_domain: TrainingDomain, measured: MeasuredPerformance | None
) -> ImageTrust:
    """Compare what an image tells with the conditions that a network was trained and tested under.

    Parameters
    ----------
    estimates : ImageEstimates
    training_domain : TrainingDomain
    measured : MeasuredPerformance or None
        From :func:`hrtem_ood.learning.inference.measured_f1.find_measured`.

    Returns
    -------
    ImageTrust
    """
    conditions = [condition for condition, _ in training_domain.conditions]
    doses = np.array([condition.dose_e_per_A2 for condition in conditions])
    moduli_A = np.array([abs(condition.defocus_A) for condition in conditions])
    possible = None
    if measured is not None:
        points = measured.points
        allowed = _allows_dose(estimates.dose_e_per_A2, points.dose_e_per_A2.to_numpy(float))
        allowed &= _allows_defocus(estimates.defocus_A, points.defocus_A.abs().to_numpy(float))
        possible = points[allowed]
    return ImageTrust(
        _domain(estimates.dose_e_per_A2, doses, _allows_dose(estimates.dose_e_per_A2, doses)),
        _domain(estimates.defocus_A, moduli_A, _allows_defocus(estimates.defocus_A, moduli_A)),
        possible,
        measured,
    )


def _domain(quantity: Quantity, trained: NDArray[np.float64], allowed: NDArray[np.bool_]) -> Domain:
    is_inside = bool(allowed.any()) if isinstance(quantity, Estimate) and trained.size else None
    low, high = (float(trained.min()), float(trained.max())) if trained.size else (math.nan, math.nan)
    return Domain(quantity, (low, high), is_inside)


def _allows_dose(quantity: Quantity, doses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which doses an image does not rule out: within a factor, or within the uncertainty where that is more."""
    if not isinstance(quantity, Estimate) or quantity.value <= 0:
        return np.ones(len(doses), np.bool_)
    tolerance = max(math.log(NEAR_DOSE), CONTRADICTION * quantity.uncertainty / quantity.value)
    return np.asarray(np.abs(np.log(doses / quantity.value)) <= tolerance + 1e-9)


def _allows_defocus(quantity: Quantity, moduli_A: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which |Δf| an image does not rule out; the film lies below the particles, to which conditions refer."""
    if not isinstance(quantity, Estimate):
        return np.ones(len(moduli_A), np.bool_)
    tolerance_A = max(BETWEEN_A, CONTRADICTION * math.hypot(quantity.uncertainty, OF_HEIGHT_A))
    return np.asarray(np.abs(moduli_A - quantity.value) <= tolerance_A)


@cache
def _metals() -> dict[str, Reflections]:
    return metals()


def suspected_pixel(images: Iterable[ImageEstimates], measured: MeasuredPerformance | None) -> PixelSuspicion | None:
    """Tell whether the lattice spacings of images make their pixel size doubtful.

    Parameters
    ----------
    images : iterable of ImageEstimates
        Of images that have one pixel size: one image, or those of a run.
    measured : MeasuredPerformance or None
        Whose materials the particles are expected to be of; without any, common metals.

    Returns
    -------
    PixelSuspicion or None
    """
    expected: dict[str, Reflections] = {}
    for name, material in (measured.materials if measured is not None else {}).items():
        with suppress(ConfigError):  # no crystal: the campaign was made by another version
            expected[name] = reflections(material)
    return suspect_pixel((each.spacings for each in images), expected or _metals(), _metals().values())

"""How far what an image tells of its condition lies from the training conditions of networks."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.image_estimates.estimates import estimate_image
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity
from hrtem_ood.learning.inference.micrograph import Micrograph


@dataclass(frozen=True)
class ImageCondition:
    """What an image tells of its condition; NaN where it does not tell.

    Attributes
    ----------
    log_cnr : float, [1]
        Logarithm of the contrast-to-noise ratio of its particles.
    log_dose : float, [1]
        Logarithm of its dose in electrons per Å².
    defocus_A : float, [Å]
        Modulus of the film's defocus.
    """

    log_cnr: float
    log_dose: float
    defocus_A: float


def image_condition(micrograph: Micrograph, dead: NDArray[np.bool_] | None, *, energy_eV: float) -> ImageCondition:
    """Estimate the condition of an image, see :func:`hrtem_ood.learning.inference.image_estimates.estimates.estimate_image`.

    Parameters
    ----------
    micrograph : Micrograph
    dead : bool array, (y, x), optional
        Pixels that do not count.
    energy_eV : float, [eV]

    Returns
    -------
    ImageCondition
    """
    found = estimate_image(
        micrograph.image,
        pixel_size_A=micrograph.pixel_size_A,
        energy_eV=energy_eV,
        zero=micrograph.zero,
        dead=np.zeros(micrograph.image.shape, bool) if dead is None else dead,
    )
    dose = _value(found.dose_e_per_A2)
    return ImageCondition(_value(found.log_cnr), math.log(dose) if dose > 0 else math.nan, abs(_value(found.defocus_A)))


def _value(quantity: Quantity) -> float:
    return quantity.value if isinstance(quantity, Estimate) else math.nan


def dose_gap(image: ImageCondition, domain: TrainingDomain) -> float:
    """Return the least |ln D − ln D′| to a training condition; NaN where the image does not tell its dose."""
    return min((abs(image.log_dose - math.log(each.dose_e_per_A2)) for each, _ in domain.conditions), default=math.nan)


def defocus_gap(image: ImageCondition, domain: TrainingDomain) -> float:
    """Return the least ||Δf| − |Δf′|| to a training condition [Å]; NaN where the image does not tell its defocus."""
    return min((abs(image.defocus_A - abs(each.defocus_A)) for each, _ in domain.conditions), default=math.nan)

"""All that an image tells of its imaging condition, and where that contradicts a stated one."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.errors import ArgumentError
from hrtem_ood.learning.inference.image_estimates.contrast import estimate_log_cnr, find_textures
from hrtem_ood.learning.inference.image_estimates.lattice import find_spacings
from hrtem_ood.learning.inference.image_estimates.noise import estimate_noise, fit_floor
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity, Spacing, Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import cut_tiles
from hrtem_ood.learning.inference.image_estimates.thon_rings import estimate_defocus
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.repair import dead_pixels
from hrtem_ood.physics.optics.condition import Condition

SMALLEST_SIDE_PX = 64
LEAST_LIVE = 0.5
"""Images with a smaller share of pixels that are not dead tell nothing."""

FEWEST_DIFFERENT = 100
"""Pixels that differ from the median; images with fewer tell nothing."""

OF_HEIGHT_A = 25.0
"""Standard deviation of the film's defocus from that of the particles on it [Å], which conditions state: films of 20 to 80 Å lie
20 to 55 Å below."""

CONTRADICTION = 3.0
"""Standard deviations by which a stated parameter contradicts an image."""


@dataclass(frozen=True)
class ImageEstimates:
    """What an image alone tells; each quantity is an estimate, or the reason why there is none.

    Attributes
    ----------
    dose_e_per_A2 : Estimate or Unknown, [e/Å²]
        Detected electrons per area.
    gain : Estimate or Unknown
        Value per electron.
    log_cnr : Estimate or Unknown, [1]
        ln CNR as :func:`hrtem_ood.transfer.information.log_cnr` defines it, of the particles against counting noise, in the band
        from 0.05 1/Å to the Nyquist frequency of the image's own pixel.
    defocus_A : Estimate or Unknown, [Å]
        Modulus of the film's defocus.
    C12_A : Estimate or Unknown, [Å]
        Two-fold astigmatism.
    phi12_rad : Estimate or Unknown, [rad]
        Its azimuth if the film is underfocused; if overfocused, π/2 from it.
    spacings : tuple of Spacing, or Unknown
        Lattice spacings, the strongest peak first.
    """

    dose_e_per_A2: Quantity
    gain: Quantity
    log_cnr: Quantity
    defocus_A: Quantity
    C12_A: Quantity
    phi12_rad: Quantity
    spacings: tuple[Spacing, ...] | Unknown


def estimate_image(
    image: NDArray[np.floating],
    *,
    pixel_size_A: float,
    energy_eV: float,
    zero: float = 0.0,
    dead: NDArray[np.bool_] | None = None,
    C30_A: float = 0.0,
) -> ImageEstimates:
    """Estimate what an image tells of dose, contrast, defocus, astigmatism and lattices.

    Parameters
    ----------
    image : float array, (y, x)
        Electron counts, or any other linear scale.
    pixel_size_A : float, [Å]
    energy_eV : float, [eV]
    zero : float
        Value without electrons; of counts, 0.
    dead : bool array, (y, x), optional
        Pixels that do not count; by default those that
        :func:`hrtem_ood.learning.repair.dead_pixels` finds.
    C30_A : float, [Å]
        Spherical aberration; by default corrected. With it, rings tell over- from underfocus where they differ.

    Returns
    -------
    ImageEstimates

    Raises
    ------
    ArgumentError
        Where the array is no image of finite numbers, or pixel or energy is not above 0.
    """
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ArgumentError(f"image: must be finite numbers (y, x), not an array {image.shape} with NaN or infinity.")
    for name, value in (("pixel_size_A", pixel_size_A), ("energy_eV", energy_eV)):
        if not 0 < value < np.inf:
            raise ArgumentError(f"{name}: must be a number above 0, not {value!r}.")
    if min(image.shape) < SMALLEST_SIDE_PX:
        return _nothing(f"the image has fewer than {SMALLEST_SIDE_PX} px each way")
    live = ~(dead_pixels(image.astype(np.float32)) if dead is None else dead)
    image = image.astype(np.float64)
    if live.mean() < LEAST_LIVE:
        return _nothing("most pixels are dead")
    if np.count_nonzero(image[live] != np.median(image[live])) < FEWEST_DIFFERENT:
        return _nothing("all pixels but a few have one value")
    tiles = cut_tiles(image, live, pixel_size_A=pixel_size_A, zero=zero)
    noise = estimate_noise(image, live, tiles, zero)
    level = noise.level_A2.value if isinstance(noise.level_A2, Estimate) else fit_floor(tiles).level
    rings = estimate_defocus(tiles, energy_eV, C30_A)
    return ImageEstimates(
        noise.dose_e_per_A2,
        noise.gain,
        estimate_log_cnr(tiles, find_textures(tiles, level), noise.level_A2),
        rings.modulus_A,
        rings.C12_A,
        rings.phi12_rad,
        find_spacings(tiles),
    )


def _nothing(reason: str) -> ImageEstimates:
    why = Unknown(reason)
    return ImageEstimates(why, why, why, why, why, why, why)


def estimate_micrograph(
    micrograph: Micrograph,
    *,
    energy_eV: float,
    dead: NDArray[np.bool_] | None = None,
    stated: Condition | None = None,
) -> ImageEstimates:
    """Estimate what a micrograph tells, as it was read.

    Parameters
    ----------
    micrograph : Micrograph
    energy_eV : float, [eV]
    dead : bool array, (y, x), optional
    stated : Condition, optional
        Its spherical aberration is used.

    Returns
    -------
    ImageEstimates
    """
    return estimate_image(
        micrograph.image,
        pixel_size_A=micrograph.pixel_size_A,
        energy_eV=energy_eV,
        zero=micrograph.zero,
        dead=dead,
        C30_A=0.0 if stated is None else stated.C30,
    )


@dataclass(frozen=True)
class Contradiction:
    """A stated parameter that an image contradicts.

    Attributes
    ----------
    parameter : str
        Key of the condition.
    stated : float
        Of the defocus, the modulus.
    estimate : Estimate
    deviations : float
        How far apart they are, in standard deviations.
    """

    parameter: str
    stated: float
    estimate: Estimate
    deviations: float


def find_contradictions(estimates: ImageEstimates, stated: Condition) -> tuple[Contradiction, ...]:
    """Find stated parameters that differ from the image's by more than :data:`CONTRADICTION` standard deviations.

    To the deviation count the estimate's uncertainty, what the condition states to vary from image to image, and of the defocus
    :data:`OF_HEIGHT_A`.

    Parameters
    ----------
    estimates : ImageEstimates
    stated : Condition

    Returns
    -------
    tuple of Contradiction
    """
    compared = (
        ("defocus_A", abs(stated.defocus_A), estimates.defocus_A, math.hypot(stated.defocus_sd_A, OF_HEIGHT_A)),
        ("dose_e_per_A2", stated.dose_e_per_A2, estimates.dose_e_per_A2, stated.dose_sd_e_per_A2),
        ("C12", abs(stated.C12), estimates.C12_A, stated.C12_sd),
    )
    found = (
        Contradiction(name, value, estimate, _deviations(value, estimate, spread))
        for name, value, estimate, spread in compared
        if isinstance(estimate, Estimate)
    )
    return tuple(each for each in found if each.deviations > CONTRADICTION)


def _deviations(value: float, estimate: Estimate, spread: float) -> float:
    distance, deviation = abs(estimate.value - value), math.hypot(estimate.uncertainty, spread)
    return distance / deviation if deviation > 0 else (math.inf if distance else 0.0)

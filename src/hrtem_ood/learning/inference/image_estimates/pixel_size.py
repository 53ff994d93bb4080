"""Whether the lattice spacings of an image fit known crystals only with another pixel size than the stated one."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.learning.inference.image_estimates.quantities import Spacing, Unknown
from hrtem_ood.physics.structures.parameters import Material

Floats = NDArray[np.float64]

METALS = {"Au": 4.0782, "Ag": 4.0853, "Pt": 3.9242, "Pd": 3.8907, "Cu": 3.6149}
"""Lattice constants of common face-centred cubic metals [Å] (W. P. Davey, Phys. Rev. 25 (1925) 753, and later values at 298 K).
Particles may be of them, whatever a network was trained on: spacings that fit one of them with the stated pixel are no reason to
doubt it."""

LEAST_SPACING_A = 1.15
"""Smaller spacings seen do not count: reflections are so many that every one is near."""

LEAST_REFLECTION_A = 0.8
"""Reflections down to this spacing are compared: pixels may be wrong by a third."""

OUTLIERS = 0.3
"""Share of the peaks that are no reflections: sums and differences of frequencies, overlaps of crystals, chance."""

RELATIVE = 0.006
"""Standard deviation of spacings besides their uncertainty, relative: strain, and calibrations that count as right."""

RIGHT, WRONG, LARGEST = 0.03, 0.05, 0.3
"""|ln| of the factor of the pixel size up to which it counts as right, from which as wrong, and that is looked for at most."""

LEAST_ODDS = 6.0
"""ln of how much more likely the spacings must be with another pixel size, for a suspicion."""

FEWEST, DISTINCT = 3, 2
"""Spacings, and different ones among them, that a crystal must explain with the other pixel size."""

WEAK = 0.02
"""Reflections of less than this share of the strongest family do not count."""

DEBYE_WALLER_A2 = 0.6
"""B of exp(−B q² / 2), by which reflections of large q are weaker [Å²]."""


@dataclass(frozen=True)
class PixelSuspicion:
    """Why the stated pixel size may be wrong.

    Attributes
    ----------
    material : str
        Whose reflections fit with another pixel size.
    factor : float
        That pixel size over the stated one.
    log_odds : float
        ln of how much more likely the spacings are with it.
    """

    material: str
    factor: float
    log_odds: float


@dataclass(frozen=True)
class Reflections:
    """Families of reflections of a crystal.

    Attributes
    ----------
    spacing_A : float64 array, (family,), [Å]
    share : float64 array, (family,), [1]
        Of the kinematic intensity of all families.
    """

    spacing_A: Floats
    share: Floats


def reflections(material: Material) -> Reflections:
    """Return the reflections of a material: kinematic intensities |Σ Z exp(2πi h·r)|² of neutral atoms, summed over families.

    Parameters
    ----------
    material : Material

    Returns
    -------
    Reflections
    """
    from hrtem_ood.physics.structures.crystal import unit_cell  # ASE takes a while to import

    cell = unit_cell(material)
    inverse = np.linalg.inv(cell.cell.array)
    reach = [math.ceil(length / LEAST_REFLECTION_A) for length in cell.cell.lengths()]
    grids = np.meshgrid(*(np.arange(-each, each + 1) for each in reach), indexing="ij")
    planes = np.stack(grids, axis=-1).reshape(-1, 3)
    q = np.linalg.norm(planes @ inverse.T, axis=1)
    planes, q = planes[(q > 0) & (q < 1 / LEAST_REFLECTION_A)], q[(q > 0) & (q < 1 / LEAST_REFLECTION_A)]
    amplitude = np.exp(2j * np.pi * planes @ (cell.positions @ inverse).T) @ cell.numbers
    # Z / q² is the scattering of electrons by neutral atoms at large q
    intensity = np.abs(amplitude) ** 2 / q**4 * np.exp(-DEBYE_WALLER_A2 * q**2 / 2)
    spacing, family = np.unique(np.round(1 / q, 4), return_inverse=True)
    share = np.bincount(family.ravel(), weights=intensity)
    kept = share > WEAK * share.max()
    return Reflections(spacing[kept], share[kept] / share[kept].sum())


def metals() -> dict[str, Reflections]:
    """Return the reflections of :data:`METALS`."""
    return {
        name: reflections(Material(formula=name, structure="fcc", a_A=constant_A))
        for name, constant_A in METALS.items()
    }


def suspect_pixel(
    images: Iterable[tuple[Spacing, ...] | Unknown],
    expected: Mapping[str, Reflections],
    others: Iterable[Reflections] = (),
) -> PixelSuspicion | None:
    """Compare the spacings seen with crystals, for the stated pixel size and for others.

    A spacing is a reflection, with a probability as its share of the intensity and a normal error of ln d, or an outlier
    of any ln d. The pixel is suspected where one crystal makes all spacings much more likely with another pixel than any
    crystal does with the stated one. A small crystal has few and wide peaks, so that one image seldom tells; images of
    one pixel tell together.

    Parameters
    ----------
    images : iterable of tuple of Spacing, or of Unknown
        Of images that have one pixel size, right or wrong.
    expected : mapping of str to Reflections
        Of crystals that the particles are expected to be of.
    others : iterable of Reflections
        Of crystals that they may be of besides.

    Returns
    -------
    PixelSuspicion or None
        None where the stated pixel fits, or nothing can be told.
    """
    used = [
        each.spacing_A
        for spacings in images
        if not isinstance(spacings, Unknown)
        for each in spacings
        if each.spacing_A.value > LEAST_SPACING_A
    ]
    if len(used) < FEWEST or not expected:
        return None
    place = np.log([each.value for each in used])
    deviation = np.hypot([each.uncertainty / each.value for each in used], RELATIVE)
    shift = np.arange(-LARGEST, LARGEST + 1e-9, 0.0025)
    right, wrong = np.abs(shift) <= RIGHT, np.abs(shift) >= WRONG
    stated = max(
        float(_log_likelihood(place, deviation, shift[right], each).max()) for each in (*expected.values(), *others)
    )
    best: PixelSuspicion | None = None
    for name, crystal in expected.items():
        likelihood = _log_likelihood(place, deviation, shift[wrong], crystal)
        at = int(likelihood.argmax())
        odds, factor = float(likelihood[at]) - stated, math.exp(shift[wrong][at])
        if odds >= max(LEAST_ODDS, best.log_odds if best else 0) and _explains(
            place + math.log(factor), deviation, crystal
        ):
            best = PixelSuspicion(name, factor, odds)
    return best


def _log_likelihood(place: Floats, deviation: Floats, shift: Floats, crystal: Reflections) -> Floats:
    """Return ln of the likelihood of spacings at ``place`` [ln Å] for each shift of ln d, (shift,)."""
    away = (place[None, :, None] + shift[:, None, None] - np.log(crystal.spacing_A)) / deviation[:, None]
    density = np.exp(-(away**2) / 2) / (math.sqrt(2 * math.pi) * deviation[:, None])
    anywhere = OUTLIERS / math.log(crystal.spacing_A.max() / LEAST_REFLECTION_A)
    return np.asarray(np.log((1 - OUTLIERS) * (density @ crystal.share) + anywhere).sum(axis=1))


def _explains(place: Floats, deviation: Floats, crystal: Reflections) -> bool:
    """Whether a crystal has enough of the spacings, and different ones."""
    away = np.abs(place[:, None] - np.log(crystal.spacing_A))
    nearest = away.argmin(axis=1)
    matched = away.min(axis=1) < 2 * deviation
    return bool(matched.sum() >= FEWEST and len(set(nearest[matched].tolist())) >= DISTINCT)

"""Warnings about aberrations of conditions: details that spread too far, and aberrations without effect."""

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.physics.optics.aberrations import TERMS, aberration_gradient, nonzero_aberrations
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.ctf import envelope
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A

PASSED = 0.1
"""Frequencies with a smaller envelope are ignored."""

UNSEEN_RAD = 1e-3
"""An aberration that changes χ by less than this at the edge of the band has no visible effect [rad]."""


JITTERED = 2
"""Deviation of the aberrations of single images from their means for the spread of details, in standard deviations."""


def delocalisation_A(condition: Condition, wavelength_A: float, q_max_per_A: float) -> float:
    """Distance over which a condition spreads a detail: the largest |∇χ| λ/2π of the frequencies that it passes.

    H. Lichte, Ultramicroscopy 38 (1991) 13; the defocus counts from minimum contrast. The standard deviations of the condition
    are left out. tests/physics/test_delocalisation.py compares with images in larger cells.

    Parameters
    ----------
    condition : Condition
    wavelength_A : float, [Å]
    q_max_per_A : float, [1/Å]

    Returns
    -------
    float, [Å]
    """
    is_round = all(m == 0 for _, m, _, _ in nonzero_aberrations(condition.defocus_A, condition.aberrations))
    q = np.linspace(0, q_max_per_A, 256)[:, None]
    azimuth = np.linspace(0, 2 * np.pi, 1 if is_round else 48, endpoint=False)[None, :]
    passed = envelope(condition, q, azimuth, wavelength_A=wavelength_A, defocus_A=condition.defocus_A) >= PASSED
    slopes = aberration_gradient(
        q, azimuth, wavelength_A=wavelength_A, defocus_A=condition.defocus_A, aberrations=condition.aberrations
    )
    return float(np.max(np.hypot(*slopes), where=passed, initial=0.0)) * wavelength_A / (2 * np.pi)


def _largest_spread_A(condition: Condition, wavelength_A: float, q_max_per_A: float) -> float:
    """Return the spread of details in the images of a condition, nearly all of them where its aberrations vary [Å]."""
    jitter = {name: value for name, value in condition.jitter.items() if name == "defocus_A" or name.startswith("C")}
    if not jitter:
        return delocalisation_A(condition, wavelength_A, q_max_per_A)
    values = {name: getattr(condition, name) for name in jitter}
    further = {name: values[name] + math.copysign(JITTERED * jitter[name], values[name]) for name in jitter}
    opposite = further | {
        "defocus_A": condition.defocus_A - math.copysign(JITTERED, condition.defocus_A) * condition.defocus_sd_A
    }
    images = (condition.model_copy(update=update) for update in (further, opposite))
    return max(delocalisation_A(each, wavelength_A, q_max_per_A) for each in images)


def lens_warnings(campaign: Campaign) -> Iterator[str]:
    """Yield warnings about conditions that spread details beyond the cell, and aberrations without effect (wrong units)."""
    config = campaign.config
    wavelength_A = electron_wavelength_A(config.simulation.energy_eV)
    imaging = config.imaging
    q_max_per_A = min(imaging.oversampling / (2 * imaging.pixel_size_A), 2 / 3 / (2 * config.simulation.sampling_A))
    cells_A: dict[Condition, float] = {}
    for id_, dataset in campaign.datasets.items():
        cell_A = config.structure_sets[campaign.structure_set_of_dataset[id_]].cell_A
        cells_A[dataset.condition] = min(cell_A, cells_A.get(dataset.condition, math.inf))
    for name, conditions in campaign.conditions.items():
        used = {condition: cells_A[condition] for condition in conditions if condition in cells_A}
        yield from _beyond(name, used, wavelength_A, q_max_per_A)
    yield from _without_effect(cells_A, wavelength_A, q_max_per_A)


def _beyond(name: str, cells_A: Mapping[Condition, float], wavelength_A: float, q_max_per_A: float) -> Iterator[str]:
    """Warn about conditions that spread details over more than half of the narrowest cell that they image."""
    spread_A = {condition: _largest_spread_A(condition, wavelength_A, q_max_per_A) for condition in cells_A}
    beyond = [condition for condition, cell_A in cells_A.items() if spread_A[condition] > cell_A / 2]
    if beyond:
        worst = max(beyond, key=spread_A.__getitem__)
        others = f", the worst of {len(beyond)} such conditions," if len(beyond) > 1 else ""
        keys = ", ".join(_steepest(worst, wavelength_A, q_max_per_A))
        yield (
            f"conditions.{name}: {worst.label}{others} spreads details over {spread_A[worst]:.3g} Å, more than half of cell_A = "
            f"{cells_A[worst]:g} Å: images wrap around its edges and are not those of single objects. Use a larger cell_A, less "
            f"{keys}, or an aperture_mrad; or check the units."
        )


def _steepest(condition: Condition, wavelength_A: float, q_max_per_A: float) -> list[str]:
    """Return the keys of the aberrations that spread details most, each at least half as much as the first."""
    alpha = wavelength_A * q_max_per_A
    sizes_A = {"defocus_A": (1, abs(condition.defocus_A) + JITTERED * condition.defocus_sd_A)} | {
        f"C{n}{m}": (n, abs(getattr(condition, f"C{n}{m}")) + JITTERED * getattr(condition, f"C{n}{m}_sd"))
        for n, m in TERMS[1:]
    }
    slopes = {key: size_A * alpha**n for key, (n, size_A) in sizes_A.items()}
    most = max(slopes.values())
    return [key for key in sorted(slopes, key=slopes.__getitem__, reverse=True) if slopes[key] >= most / 2]


def _without_effect(conditions: Iterable[Condition], wavelength_A: float, q_max_per_A: float) -> Iterator[str]:
    """Warn about aberrations that have no visible effect even where they are largest."""
    largest: dict[str, tuple[float, float]] = {}
    for condition in conditions:
        for n, m, size_A, _ in nonzero_aberrations(condition.defocus_A, condition.aberrations):
            chi = 2 * math.pi / wavelength_A * abs(size_A) / (n + 1) * (wavelength_A * q_max_per_A) ** (n + 1)
            key, signed_A = ("defocus_A", -size_A) if n == 1 and m == 0 else (f"C{n}{m}", size_A)
            largest[key] = max((chi, signed_A), largest.get(key, (0.0, 0.0)))
    for key, (chi, size_A) in largest.items():
        if chi < UNSEEN_RAD:
            yield f"conditions: {key} = {size_A:g} Å changes χ by {chi:.1g} rad at most, which cannot be seen; is it in Å?"

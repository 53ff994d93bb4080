"""Checks that images have neither too few electrons nor too large counts, from dose, pixel, cell, gain and DQE."""

from collections.abc import Iterator

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.physics.imaging.parameters import LARGEST_COUNT
from hrtem_ood.physics.optics.condition import Condition

BRIGHTEST = 20
"""Largest ratio of a pixel to the mean of its image; columns of atoms in focus reach about 5."""

FEWEST_ELECTRONS = 10
"""Smallest number of electrons in an image."""


def count_errors(campaign: Campaign) -> Iterator[str]:
    """Yield an error for each grid of conditions whose images have no counts, or larger ones than any type can store."""
    config = campaign.config
    cell_A = min(config.structure_sets[name].cell_A for name in campaign.used_structure_sets)
    used = {name for each in config.training_sets.values() for name in each.conditions}
    used |= {name for suite in config.simulated_suites.values() for name in suite.conditions}
    for name in campaign.conditions:
        if name in used:
            conditions = campaign.conditions[name]
            yield from _too_bright(campaign, name, max(conditions, key=_highest_dose))
            yield from _too_dark(campaign, name, min(each.dose_e_per_A2 for each in conditions), cell_A)


def _highest_dose(condition: Condition) -> float:
    return condition.dose_e_per_A2 + 4 * condition.dose_sd_e_per_A2


def _detector(campaign: Campaign) -> tuple[float, float]:
    """Return stored number per electron, and the part of the electrons that is counted."""
    detector = campaign.config.imaging.detector
    return (1.0, 1.0) if detector is None else (detector.gain, detector.dqe[0] if detector.dqe else 1.0)


def _too_bright(campaign: Campaign, name: str, condition: Condition) -> Iterator[str]:
    (gain, counted), pixel_size_A = _detector(campaign), campaign.config.imaging.pixel_size_A
    mean = _highest_dose(condition) * pixel_size_A**2 * counted * gain
    if mean * BRIGHTEST > LARGEST_COUNT:
        times = f", a gain of {gain:g}" if gain != 1 else ""
        yield (
            f"conditions.{name}.dose_e_per_A2: {_highest_dose(condition):g} e/Å² on pixels of {pixel_size_A:g} Å{times} "
            f"(imaging) make {mean:.3g} per pixel on average; the largest stored number is {LARGEST_COUNT:,}, so the limit of "
            f"the average is {LARGEST_COUNT // BRIGHTEST:,}."
        )


def _too_dark(campaign: Campaign, name: str, dose_e_per_A2: float, cell_A: float) -> Iterator[str]:
    (gain, counted), pixel_size_A = _detector(campaign), campaign.config.imaging.pixel_size_A
    electrons = dose_e_per_A2 * cell_A**2 * counted
    if electrons < FEWEST_ELECTRONS:
        yield (
            f"conditions.{name}.dose_e_per_A2: {dose_e_per_A2:g} e/Å² on a cell of {cell_A:g} Å are {electrons:.2g} electrons "
            f"in an image, too few for any contrast; {FEWEST_ELECTRONS / (cell_A**2 * counted):.2g} e/Å² or more are needed."
        )
    mean = dose_e_per_A2 * pixel_size_A**2 * counted
    if gain < 1 and (mean + 5 * mean**0.5) * gain < 0.5:
        yield (
            f"imaging.detector.gain: {gain:g} makes numbers of {mean * gain:.2g} on average of {mean:.3g} electrons per pixel "
            f"(conditions.{name}), all rounded to 0; use a larger gain, or 1."
        )

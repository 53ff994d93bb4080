"""How far simulated images are off: figures measured by ``benchmarks/accuracy.py``, and what follows for a campaign.

All are the largest r.m.s. differences of images over three scenes and four conditions, in per cent of the image's standard
deviation, at 300 keV.
"""

import math
from collections.abc import Iterator, Mapping

from hrtem_ood.campaign.config import Simulation

SAMPLING: dict[str, dict[float, float]] = {
    "fast": {0.08: 0.43, 0.1: 0.79, 0.128: 1.4, 0.16: 2.3, 0.2: 3.7},
    "abtem": {0.08: 2.7, 0.1: 3.9, 0.128: 5.8, 0.16: 8.1, 0.2: 11.5},
}
"""By engine: sampling [Å] and error [%] against 0.05 Å, explicit sums and double precision."""

THICKNESS: dict[float, float] = {0.5: 0.80, 1.0: 1.6, 1.5: 2.3, 2.0: 3.1, 3.0: 4.5, 4.0: 6.2, 5.0: 7.9}
"""Slice thickness [Å] and error [%] against slices of 0.125 Å."""

ONE_PHONON = 59.0
"""Error of a single configuration of phonons [%]; the mean of n is off by that over √n."""

SYSTEMATIC_LIMIT, STATISTICAL_LIMIT = 5.0, 50.0
"""Errors past which a campaign is warned [%]: of sampling or slices, and of the mean over phonons."""


def warnings(simulation: Simulation) -> Iterator[str]:
    """Yield what puts the images past the stated errors.

    Parameters
    ----------
    simulation : Simulation
    """
    table = SAMPLING[simulation.engine]
    off = error(table, simulation.sampling_A)
    if off > SYSTEMATIC_LIMIT:
        other = " `engine: fast` is off by less." if simulation.engine == "abtem" else ""
        yield (
            f"simulation.sampling_A: {simulation.sampling_A:g} Å puts images off by up to {off:.2g} % of their standard "
            f"deviation; {_within(table):g} Å keeps {SYSTEMATIC_LIMIT:g} %.{other}"
        )
    off = error(THICKNESS, simulation.slice_thickness_A)
    if off > SYSTEMATIC_LIMIT:
        yield (
            f"simulation.slice_thickness_A: {simulation.slice_thickness_A:g} Å puts images off by up to {off:.2g} % of their "
            f"standard deviation; {_within(THICKNESS):g} Å keeps {SYSTEMATIC_LIMIT:g} %."
        )
    off = ONE_PHONON / math.sqrt(simulation.phonons)
    if off > STATISTICAL_LIMIT and simulation.phonon_sigma_A > 0:
        yield (
            f"simulation.phonons: the mean of {simulation.phonons} puts images off by up to {off:.2g} % of their standard "
            f"deviation, noise apart; {math.ceil((ONE_PHONON / STATISTICAL_LIMIT) ** 2)} keep {STATISTICAL_LIMIT:g} %."
        )


def error(table: Mapping[float, float], at: float) -> float:
    """Interpolate a table of errors: linear between its points, and with the nearest pair's slope outside.

    Parameters
    ----------
    table : mapping of float to float
        Ascending.
    at : float

    Returns
    -------
    float, [%]
    """
    points = [(0.0, 0.0), *table.items()]
    place = next((i for i, (point, _) in enumerate(points[1:-1], 1) if at <= point), len(points) - 1)
    (low, off), (high, more) = points[place - 1], points[place]
    return off + (more - off) * (at - low) / (high - low)


def _within(table: Mapping[float, float]) -> float:
    return max(point for point, off in table.items() if off <= SYSTEMATIC_LIMIT)

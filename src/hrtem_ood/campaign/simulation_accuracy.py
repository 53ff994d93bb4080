"""Errors of simulated images, measured by ``benchmarks/accuracy.py``, and warnings about them for a campaign.

All are the largest r.m.s. differences of images over a few scenes and four conditions, in per cent of the image's standard
deviation, at 300 keV.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Literal

from hrtem_ood.physics.simulation.parameters import Simulation

Orientation = Literal["random", "zone axis"]
"""Particles in random orientation, or a gold particle with columns of atoms along the beam."""

SAMPLING: dict[Orientation, dict[str, dict[float, float]]] = {
    "random": {
        "builtin": {0.08: 0.43, 0.1: 0.79, 0.128: 1.4, 0.16: 2.3, 0.2: 3.7},
        "abtem": {0.08: 2.7, 0.1: 3.9, 0.128: 5.8, 0.16: 8.1, 0.2: 11.5},
    },
    "zone axis": {
        "builtin": {0.08: 1.9, 0.1: 2.9, 0.128: 4.4, 0.16: 6.7, 0.2: 11},
        "abtem": {0.08: 5.6, 0.1: 8.1, 0.128: 13, 0.16: 20, 0.2: 28},
    },
}
"""By orientation and engine: sampling [Å] and error [%] against 0.05 Å, explicit sums and double precision."""

THICKNESS: dict[float, float] = {0.5: 0.80, 1.0: 1.6, 1.5: 2.3, 2.0: 3.1, 3.0: 4.5, 4.0: 6.2, 5.0: 7.9}
"""Slice thickness [Å] and error [%] against slices of 0.125 Å, whatever the orientation."""

ENVELOPE: dict[Orientation, dict[float, float]] = {
    "random": {10: 1.9, 20: 5.7, 40: 14, 80: 33},
    "zone axis": {10: 3.2, 20: 11, 40: 28, 80: 59},
}
"""By orientation: focal spread [Å] and error [%] of an envelope against explicit integration over focus."""

ONE_PHONON = 59.0
"""Error of a single phonon configuration [%], displaced by 0.1 Å; the mean of n has this error over √n."""

SYSTEMATIC_LIMIT, STATISTICAL_LIMIT = 5.0, 50.0
"""Errors above which a warning is given [%]: of sampling, slices or envelopes, and of the mean over phonons."""


def warnings(simulation: Simulation, orientation: Orientation) -> Iterator[str]:
    """Yield warnings about parameters of a simulation that cause errors above the limits.

    Parameters
    ----------
    simulation : Simulation
    orientation : {"random", "zone axis"}
        Of the particles.
    """
    table = SAMPLING[orientation][simulation.engine]
    off = interpolate_error(table, simulation.sampling_A)
    if off > SYSTEMATIC_LIMIT:
        other = " `engine: builtin` is off by less." if simulation.engine == "abtem" else ""
        columns = ", where heavy atoms stand in columns" if orientation == "zone axis" else ""
        yield (
            f"simulation.sampling_A: {simulation.sampling_A:g} Å puts images off by up to {off:.2g} % of "
            f"their standard deviation{columns}; {largest_within_tolerance(table):.2g} Å keeps {SYSTEMATIC_LIMIT:g} %.{other}"
        )
    off = interpolate_error(THICKNESS, simulation.slice_thickness_A)
    if off > SYSTEMATIC_LIMIT:
        yield (
            f"simulation.slice_thickness_A: {simulation.slice_thickness_A:g} Å puts images off by up to {off:.2g} % of their "
            f"standard deviation; {largest_within_tolerance(THICKNESS):.2g} Å keeps {SYSTEMATIC_LIMIT:g} %."
        )
    off = ONE_PHONON / math.sqrt(simulation.n_frozen_phonons)
    if off > STATISTICAL_LIMIT and simulation.phonon_sigma_A > 0:
        yield (
            f"simulation.n_frozen_phonons: the mean of {simulation.n_frozen_phonons} puts images off by up to {off:.2g} % of "
            f"their standard deviation (with displacements of 0.1 Å), noise apart; "
            f"{math.ceil((ONE_PHONON / STATISTICAL_LIMIT) ** 2)} keep "
            f"{STATISTICAL_LIMIT:g} %."
        )


def envelope_warnings(focal_spread_A: float, orientation: Orientation) -> Iterator[str]:
    """Yield a warning if an envelope of that focal spread causes an error above the limit.

    Parameters
    ----------
    focal_spread_A : float, [Å]
        1/e half-width.
    orientation : {"random", "zone axis"}
    """
    table = ENVELOPE[orientation]
    off = interpolate_error(table, focal_spread_A)
    if off > SYSTEMATIC_LIMIT:
        yield (
            f"imaging.temporal_coherence: as an envelope, a focal spread of {focal_spread_A:g} Å puts images off by up "
            f"to {off:.2g} % of their standard deviation; up to {largest_within_tolerance(table):.2g} Å keep "
            f"{SYSTEMATIC_LIMIT:g} %, and `focal_integration` has none of that error."
        )


def interpolate_error(table: Mapping[float, float], at: float) -> float:
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
    index = next((i for i, (point, _) in enumerate(points[1:-1], 1) if at <= point), len(points) - 1)
    (low, off), (high, more) = points[index - 1], points[index]
    return off + (more - off) * (at - low) / (high - low)


def largest_within_tolerance(table: Mapping[float, float]) -> float:
    """Largest value of a table that keeps the limit of systematic errors, interpolated as by :func:`interpolate_error`."""
    points = [(0.0, 0.0), *table.items()]
    index = next((i for i, (_, off) in enumerate(points[1:-1], 1) if off >= SYSTEMATIC_LIMIT), len(points) - 1)
    (low, less), (high, more) = points[index - 1], points[index]
    return low + (high - low) * (SYSTEMATIC_LIMIT - less) / (more - less)

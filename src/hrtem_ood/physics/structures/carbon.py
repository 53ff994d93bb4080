"""Amorphous carbon as a random film of hard spheres."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hrtem_ood.errors import ConfigError

DECIMALS = 8
"""Decimals of a position [Å] in an extended-XYZ file as ASE writes it."""

MARGIN_A = 1e-6
"""Added to the smallest distance, so that no rounding of positions undercuts it [Å]."""

ATTEMPTS = 1000
"""Proposals per atom before giving up; the densest film that the configuration admits needs about 50."""


def carbon_film(
    cell_A: float, thickness_A: float, *, density_per_A3: float, min_distance_A: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a film by random sequential addition: atoms are proposed one by one, and kept unless another one is too near.

    The process is Widom's, J. Chem. Phys. 44, 3888 (1966). It jams at a packing fraction of 0.382 (Torquato, Uche &
    Stillinger, Phys. Rev. E 74, 061308 (2006)); 0.1103 atoms/Å³ at 1.4 Å are 0.158. Density and distance are those of
    Construction Zone, Rangel DaCosta et al., npj Comput. Mater. 10, 165 (2024). Bond angles are not modelled.

    Distances are periodic across the lateral edges, and between the top and the bottom surface as well: the film is like a
    slice of the bulk. Otherwise the density would be higher at the surfaces, where no outer atoms exclude others.

    Parameters
    ----------
    cell_A : float, [Å]
        Side of the square, laterally periodic cell.
    thickness_A : float, [Å]
    density_per_A3 : float, [1/Å³]
    min_distance_A : float, [Å]
        No two atoms are nearer, periodic images included.
    rng : numpy.random.Generator

    Returns
    -------
    float array, (atom, 3), [Å]
        x, y in [0, cell_A), z in [0, thickness_A]; ``density * volume`` atoms, rounded.

    Raises
    ------
    ConfigError
        When the film jams.
    """
    number = round(density_per_A3 * cell_A**2 * thickness_A)
    size = np.array([cell_A, cell_A, thickness_A])
    limit = min_distance_A + MARGIN_A
    # A film thinner than two distances cannot repeat so soon: leave a gap between it and its images.
    period = np.array([cell_A, cell_A, max(thickness_A, 2 * limit) + 10.0**-DECIMALS])
    film = np.empty((0, 3))
    proposed = 0
    while len(film) < number:
        if proposed > ATTEMPTS * number + 10_000:
            raise ConfigError(
                f"substrate.density_per_A3: the film jams at {len(film) / size.prod():.4f} atoms/Å³ with min_distance_A = "
                f"{min_distance_A:g}, below the requested {density_per_A3:g}; lower either of the two."
            )
        batch = 2 * (number - len(film)) + 1000
        proposed += batch
        film = np.concatenate([film, _admitted(rng.random((batch, 3)) * size, film, period, limit)])
    return film[:number]


def _admitted(
    proposals: NDArray[np.float64], film: NDArray[np.float64], period: NDArray[np.float64], limit: float
) -> NDArray[np.float64]:
    """Return those proposals that are not too near to the film or to earlier admitted ones.

    The result is the same as for proposing one by one, so it does not depend on the size of a batch.
    """
    proposals = wrap_and_round(proposals, period)
    if len(film):
        distance, _ = cKDTree(film, boxsize=period).query(proposals, distance_upper_bound=limit)
        proposals = proposals[np.isinf(distance)]
    pairs = cKDTree(proposals, boxsize=period).query_pairs(limit, output_type="ndarray")
    admitted = [True] * len(proposals)
    # in the order of the later partner, so that all earlier ones are decided before
    for earlier, later in pairs[np.argsort(pairs[:, 1], kind="stable")].tolist():
        if admitted[earlier]:
            admitted[later] = False
    return proposals[admitted]


def wrap_and_round(positions: NDArray[np.float64], period: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wrap positions into a box and round them to what a structure file holds.

    Parameters
    ----------
    positions : float array, (atom, 3), [Å]
    period : float array, (3,), [Å]
        Zero along an axis that is not periodic.

    Returns
    -------
    float array, (atom, 3), [Å]
        From 0 to below the period along each periodic axis.
    """
    result: NDArray[np.float64] = positions.copy()
    periodic = period > 0
    result[:, periodic] %= period[periodic]
    result = np.round(result, DECIMALS)
    result[(result >= period) & periodic] = 0
    return result

"""A spherical nanoparticle cut from a crystal at random: orientation, centre in the lattice, stacking faults."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import atoms_in_sphere
from hrtem_ood.physics.structures.stacking_faults import StackingFault


@dataclass(frozen=True)
class Particle:
    """A particle about the origin.

    Attributes
    ----------
    numbers : int array, (atom,)
        Atomic numbers.
    positions_A : float array, (atom, 3), [Å]
    orientation : float array, (4,), [1]
        Rotation from the crystal's Cartesian frame, as ASE builds or reads it, to the scene's: quaternion (x, y, z, w).
    faults : int
        Number of stacking faults.
    """

    numbers: NDArray[np.int64]
    positions_A: NDArray[np.float64]
    orientation: NDArray[np.float64]
    faults: int


def draw_particle(
    crystal: Atoms,
    fault: StackingFault | None,
    *,
    radius_A: float,
    faults: int,
    rng: np.random.Generator,
    axis: NDArray[np.float64] | None = None,
) -> Particle:
    """Cut a sphere with random orientation, random centre in the unit cell and random stacking faults.

    Parameters
    ----------
    crystal : ase.Atoms
        Unit cell.
    fault : StackingFault or None
        May be None if ``faults`` is 0.
    radius_A : float, [Å]
    faults : int
    rng : numpy.random.Generator
    axis : float array, (3,), [1], optional
        Direction of the crystal along the beam; by default, the orientation is random.
    """
    centre = rng.random(3) @ crystal.cell.array
    rotation = random_rotation(rng) if axis is None else rotation_to_beam(axis, rng)
    if fault is None or faults == 0:
        sites, positions = atoms_in_sphere(crystal, centre, radius_A)
    else:
        steps = fault.draw(centre, radius_A, faults, rng)
        sites, positions = faulted_atoms_in_sphere(crystal, centre, radius_A, fault.normal, steps)
    if not sites.size:
        raise ConfigError(
            f"particles.radius_A: a sphere of {radius_A:g} Å holds no atom of the crystal; use a larger one."
        )
    return Particle(crystal.numbers[sites], rotation.apply(positions - centre), rotation.as_quat(), faults)


def random_rotation(rng: np.random.Generator) -> Rotation:
    """Draw a rotation uniformly from SO(3): a uniform point on the sphere of unit quaternions.

    Muller, Commun. ACM 2, 19 (1959) for the point; Shoemake, Graphics Gems III, 124 (1992) for the rotation.
    """
    return Rotation.from_quat(rng.standard_normal(4))


def rotation_to_beam(axis: NDArray[np.float64], rng: np.random.Generator) -> Rotation:
    """Draw a rotation that turns a direction to the beam's, +z, with a uniform azimuth.

    Parameters
    ----------
    axis : float array, (3,), [1]
        Unit vector.
    rng : numpy.random.Generator
    """
    upright, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [axis])
    return Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)) * upright


def faulted_atoms_in_sphere(
    crystal: Atoms,
    centre_A: NDArray[np.float64],
    radius_A: float,
    normal: NDArray[np.float64],
    steps: Sequence[tuple[float, NDArray[np.float64]]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return all atoms of a faulted crystal within a sphere, in the crystal's frame.

    Each region between two planes is cut from its own infinite lattice, so that no atom is lost or doubled.

    Parameters
    ----------
    crystal : ase.Atoms
        Unit cell.
    centre_A : float array, (3,), [Å]
    radius_A : float, [Å]
    normal : float array, (3,), [1]
    steps : sequence of (float, float array (3,)), [Å]
        Ascending heights of the planes, and the displacement of the lattice beyond each.

    Returns
    -------
    site : int array, (atom,)
    position : float array, (atom, 3), [Å]
    """
    bounds = [-np.inf, *(height for height, _ in steps), np.inf]
    displacements = [np.zeros(3), *(displacement for _, displacement in steps)]
    sites, positions = [], []
    for low, high, displacement in zip(bounds, bounds[1:], displacements, strict=False):
        site, position = atoms_in_sphere(crystal, centre_A - displacement, radius_A)
        position = position + displacement
        height = position @ normal
        inside = (low < height) & (height <= high)
        sites.append(site[inside])
        positions.append(position[inside])
    return np.concatenate(sites), np.concatenate(positions)

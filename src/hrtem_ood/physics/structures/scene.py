"""A scene: particles on (or without) a carbon film in a laterally periodic box, drawn from a recipe."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hrtem_ood import progress
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.carbon import carbon_film, wrap_and_round
from hrtem_ood.physics.structures.crystal import lattice_direction, unit_cell
from hrtem_ood.physics.structures.parameters import Substrate
from hrtem_ood.physics.structures.particle import Particle, draw_particle
from hrtem_ood.physics.structures.recipe import StructureRecipe
from hrtem_ood.physics.structures.stacking_faults import StackingFault, stacking_fault

HEIGHT_IN_RADII = 0.8
"""Height of a particle's centre above the film's surface, in radii; as in Construction Zone (see `carbon`)."""

CLEARANCE_A = 2.0
"""Smallest distance of a carbon atom from an atom of a particle [Å]: about the sum of the covalent radii of C and a metal."""

ATTEMPTS = 10_000
"""Positions tried for the particles of one scene before giving up."""

RESTART = 100
"""Positions tried for one particle before the placement of the scene restarts."""

CARBON = 6


def check_recipe(recipe: StructureRecipe, fault: StackingFault | None) -> None:
    """Check conditions that hold for every scene of a recipe, before any is drawn.

    Raises
    ------
    ConfigError
        When a particle overlaps with its own periodic images, or is too small for its stacking faults.
    """
    particles = recipe.particles
    room = 2 * particles.radius_A[1] + particles.separation_A
    if room > recipe.cell_A:
        raise ConfigError(
            f"particles.radius_A: a particle of {particles.radius_A[1]:g} Å needs {room:g} Å to be separation_A = "
            f"{particles.separation_A:g} away from its own periodic images, but cell_A = {recipe.cell_A:g}; "
            f"use radii up to {(recipe.cell_A - particles.separation_A) / 2:g} or a larger cell."
        )
    most = fault.most(particles.radius_A[0]) if fault else 0
    if particles.stacking_faults[1] > most:
        raise ConfigError(
            f"particles.stacking_faults: up to {particles.stacking_faults[1]} faults are requested, but a particle of "
            f"radius_A = {particles.radius_A[0]:g} is certain to hold only {most}; use fewer faults or larger radii."
        )


def draw_scene(recipe: StructureRecipe, crystal: Atoms, fault: StackingFault | None, index: int) -> Atoms:
    """Draw scene ``index`` of a recipe.

    The beam travels along +z, from the film at low z to the particles. Particles sit on one plane, the film's surface,
    with their centres 0.8 radii above it and their lowest part in the film; overlapping carbon is removed. Without a film
    they sit on the same plane, as if on a film that scatters nothing.

    Parameters
    ----------
    recipe : StructureRecipe
    crystal : ase.Atoms
        Unit cell of its material.
    fault : StackingFault or None
        May be None if the recipe has no faults.
    index : int
        The scene depends only on the recipe's series and this number.

    Returns
    -------
    ase.Atoms
        Positions [Å], rounded to what an extended-XYZ file holds; ``tags``: 0 for the film, k ≥ 1 for particle k.
        ``info``: ``structure``, the index; and by particle the lists ``radius_A`` and ``centre_A`` [Å],
        ``orientation`` (quaternion x, y, z, w from the crystal to the scene) and ``stacking_faults`` (their number).
    """
    rng = np.random.default_rng(seed_sequence(recipe.series, index))
    ranges, cell = recipe.particles, recipe.cell_A
    count = int(rng.integers(ranges.count[0], ranges.count[1], endpoint=True))
    radii = rng.uniform(ranges.radius_A[0], ranges.radius_A[1], size=count)
    faults = rng.integers(ranges.stacking_faults[0], ranges.stacking_faults[1], size=count, endpoint=True)
    seats = place_particles(radii, cell_A=cell, separation_A=ranges.separation_A, rng=rng, scene=index)
    axis = lattice_direction(recipe.material, crystal, ranges.zone_axis) if ranges.zone_axis else None
    particles = [
        draw_particle(crystal, fault, radius_A=float(radius), faults=int(number), rng=rng, axis=axis)
        for radius, number in zip(radii, faults, strict=True)
    ]

    thickness = recipe.substrate.thickness_A if recipe.substrate else 0.0
    # large particles may reach through a thin film, or below the plane that replaces it
    bottom = min(0.0 if recipe.substrate else np.inf, float((thickness + seats[:, 2] - radii).min()))
    surface = recipe.vacuum_A - bottom + thickness
    height = round(float((surface + seats[:, 2] + radii).max()) + recipe.vacuum_A, 8)
    period = np.array([cell, cell, 0.0])
    centres = wrap_and_round(seats + np.array([0, 0, surface]), period)
    bodies = [
        wrap_and_round(body.positions_A + centre, period) for body, centre in zip(particles, centres, strict=True)
    ]
    film = np.empty((0, 3))
    if recipe.substrate:
        film = _film(recipe.substrate, cell, surface, rng)
        film = remove_overlapping_carbon(film, centres, radii, np.concatenate(bodies), period)
    scene = _assemble(film, particles, bodies, (cell, cell, height))
    scene.info = {
        "structure": index,
        "radius_A": radii.tolist(),
        "centre_A": centres.tolist(),
        "orientation": [body.orientation.tolist() for body in particles],
        "stacking_faults": faults.tolist(),
    }
    return scene


def place_particles(
    radii_A: NDArray[np.float64], *, cell_A: float, separation_A: float, rng: np.random.Generator, scene: int
) -> NDArray[np.float64]:
    """Place particles at random on a plane, with gaps between their surfaces.

    Positions are uniform in the cell, particle after particle; one that is too near to those before is drawn again.

    Parameters
    ----------
    radii_A : float array, (particle,), [Å]
    cell_A, separation_A : float, [Å]
        Side of the laterally periodic cell; smallest gap, periodic images included.
    rng : numpy.random.Generator
    scene : int
        Named in the error.

    Returns
    -------
    float array, (particle, 3), [Å]
        Centres above the plane z = 0.

    Raises
    ------
    ConfigError
        If the particles do not fit after a bounded number of attempts.
    """
    seats = np.empty((len(radii_A), 3))
    placed = failed = 0
    for _ in range(ATTEMPTS):
        radius = radii_A[placed]
        seats[placed] = [*rng.uniform(0, cell_A, size=2), HEIGHT_IN_RADII * radius]
        apart = seats[:placed] - seats[placed]
        apart[:, :2] -= cell_A * np.round(apart[:, :2] / cell_A)
        gaps = np.linalg.norm(apart, axis=1) - radii_A[:placed] - radius
        if (gaps >= separation_A).all():
            placed, failed = placed + 1, 0
            if placed == len(radii_A):
                return seats
        else:
            failed += 1
            if failed == RESTART:
                placed = failed = 0
    raise ConfigError(
        f"particles.count: no room was found for the {len(radii_A)} particles of scene {scene} (radius_A "
        f"{', '.join(f'{radius:.3g}' for radius in radii_A)}; separation_A = {separation_A:g}) in cell_A = {cell_A:g} "
        f"after {ATTEMPTS} attempts; use fewer or smaller particles, a smaller separation or a larger cell."
    )


def _film(substrate: Substrate, cell_A: float, surface_A: float, rng: np.random.Generator) -> NDArray[np.float64]:
    film = carbon_film(
        cell_A,
        substrate.thickness_A,
        density_per_A3=substrate.density_per_A3,
        min_distance_A=substrate.min_distance_A,
        rng=rng,
    )
    base = np.array([0, 0, surface_A - substrate.thickness_A])
    return wrap_and_round(film + base, np.array([cell_A, cell_A, 0.0]))


def remove_overlapping_carbon(
    film_A: NDArray[np.float64],
    centres_A: NDArray[np.float64],
    radii_A: NDArray[np.float64],
    atoms_A: NDArray[np.float64],
    period_A: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Remove the carbon inside particles' spheres, or nearer than 2 Å to their atoms.

    Parameters
    ----------
    film_A, centres_A, atoms_A : float arrays, (carbon atom | particle | particle atom, 3), [Å]
        Wrapped into the box.
    radii_A : float array, (particle,), [Å]
    period_A : float array, (3,), [Å]
        Zero along z.

    Returns
    -------
    float array, (carbon atom, 3), [Å]
        The remaining film.
    """
    keep = np.ones(len(film_A), dtype=bool)
    for centre, radius in zip(centres_A, radii_A, strict=True):
        apart = film_A - centre
        apart[:, :2] -= period_A[:2] * np.round(apart[:, :2] / period_A[:2])
        keep &= np.sum(apart**2, axis=1) > radius**2
    near = np.flatnonzero(keep & (film_A[:, 2] > atoms_A[:, 2].min() - CLEARANCE_A))
    distance, _ = cKDTree(atoms_A, boxsize=period_A).query(film_A[near], distance_upper_bound=CLEARANCE_A)
    keep[near[np.isfinite(distance)]] = False
    return film_A[keep]


def _assemble(
    film: NDArray[np.float64],
    particles: Sequence[Particle],
    bodies: Sequence[NDArray[np.float64]],
    cell: tuple[float, float, float],
) -> Atoms:
    sizes = [len(film), *(len(body) for body in bodies)]
    return Atoms(
        numbers=np.concatenate([np.full(len(film), CARBON), *(particle.numbers for particle in particles)]),
        positions=np.concatenate([film, *bodies]),
        tags=np.repeat(np.arange(len(sizes)), sizes),
        cell=cell,
        pbc=(True, True, False),
    )


def draw_scenes(recipe: StructureRecipe, indices: Sequence[int]) -> list[Atoms]:
    """Draw scenes of a recipe; see :func:`draw_scene`."""
    crystal, fault = prepare_recipe(recipe)
    drawn = progress.track(indices, "structures", len(indices))
    return [draw_scene(recipe, crystal, fault, index) for index in drawn]


def prepare_recipe(recipe: StructureRecipe) -> tuple[Atoms, StackingFault | None]:
    """Return the unit cell and the stacking fault, if the recipe has any, after checking the recipe."""
    crystal = unit_cell(recipe.material)
    fault = stacking_fault(crystal, recipe.material) if recipe.particles.stacking_faults[1] else None
    check_recipe(recipe, fault)
    return crystal, fault

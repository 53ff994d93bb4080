"""Size limits of campaigns: everything is counted from the configuration alone, before any of it is expanded.

Limits are far above the needs of any study and below what machines can hold. A number with some zeros too many is an
error at once, instead of exhausting the memory.
"""

import math
from collections.abc import Iterable, Iterator

from hrtem_ood.base_model import Model
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.config.structures import StructureSet
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.physics.optics.condition import Condition

MOST_CONDITIONS = 5_000
"""Of a campaign. Pairs of them are compared and stored as matrices."""

MOST_DATASETS, MOST_NETWORKS, MOST_SHARDS = 10_000, 100_000, 100_000
"""Of a campaign; the one at full size, config/paper.yaml, has 280, 12,420 and 92."""

MOST_SCORES = 10**10
"""Image scores of a campaign: networks times test images."""

LONGEST_SIDE = 10_000
"""Points along each side of a wave: 10⁸ in all, 0.8 GB."""

MOST_SLICES = 20_000
"""Of one structure."""

MOST_ATOMS = 5_000_000
"""Of one structure."""

MOST_PIXELS = 2 * 10**10
"""Of all images of a dataset."""

MOST_TRANSFER_VALUES = 5 * 10**8
"""Conditions times points of the contrast transfer function."""

MOST_CHANNELS = 8192
"""Of the lowest level of a network: a convolution there has 0.6 billion weights."""

PARTICLE_ATOMS_PER_A3 = 0.1
"""Atoms per volume of a particle [1/Å³]; more than in most crystals: silver has 0.06."""


def size_errors(campaign: Campaign) -> Iterator[str]:
    """Yield an error for each quantity of a configuration that is too large, with its key and limit."""
    config = campaign.config
    counted = list(_too_many(config))
    yield from counted or _too_large(campaign)


def _points(grid: Model, model: type[Model]) -> int:
    return math.prod(len(getattr(grid, key)) for key in model.model_fields)


def _too_many(config: CampaignConfig) -> Iterator[str]:
    conditions = {name: sum(_points(grid, Condition) for grid in grids) for name, grids in config.conditions.items()}
    yield from _beyond("conditions", conditions, MOST_CONDITIONS, "conditions")

    def number_of(names: Iterable[str]) -> int:
        return sum(conditions[name] for name in names)

    datasets = {
        f"{section}.{name}": number_of(each.conditions) * len(each.structure_sets)
        for section, users in (("training_sets", config.training_sets), ("test_suites", config.simulated_suites))
        for name, each in users.items()
    }
    yield from _beyond("", datasets, MOST_DATASETS, "datasets")
    sets = {name: 1 if each.mixture else number_of(each.conditions) for name, each in config.training_sets.items()}
    networks = {
        name: _points(grid, Hyperparameters) * sum(sets[each] for each in grid.training_sets)
        for name, grid in config.networks.items()
    }
    yield from _beyond("networks", networks, MOST_NETWORKS, "networks")
    shards = {
        name: -(-each.n_structures // config.execution.structures_per_shard)
        for name, each in config.structure_sets.items()
    }
    yield from _beyond(
        "structure_sets", shards, MOST_SHARDS, "shards (execution.structures_per_shard makes them larger)"
    )
    images = sum(
        config.structure_sets[name].n_structures * number_of(suite.conditions)
        for suite in config.simulated_suites.values()
        for name in suite.structure_sets
    )
    if (scores := images * sum(networks.values())) > MOST_SCORES:
        yield (
            f"test_suites: {sum(networks.values()):,} networks on {images:,} test images give {scores:,} scores, more than "
            f"{MOST_SCORES:,}; test fewer, or in several campaigns."
        )


def _beyond(section: str, numbers: dict[str, int], limit: int, what: str) -> Iterator[str]:
    if sum(numbers.values()) > limit:
        worst = max(numbers, key=numbers.__getitem__)
        yield (
            f"{section}{'.' if section else ''}{worst}: defines {numbers[worst]:,} {what}, and the campaign "
            f"{sum(numbers.values()):,}; the limit is {limit:,}."
        )


def _too_large(campaign: Campaign) -> Iterator[str]:
    config = campaign.config
    for name in campaign.used_structure_sets:
        yield from _large_scenes(config, name)
    points = config.transfer.radial_points * config.transfer.azimuthal_points
    number = sum(_points(grid, Condition) for grids in config.conditions.values() for grid in grids)
    if points * number > MOST_TRANSFER_VALUES:
        yield (
            f"transfer.radial_points: {points:,} points with azimuthal_points, for {number:,} conditions, are more than "
            f"{MOST_TRANSFER_VALUES:,} values; use fewer points."
        )
    for name, networks in config.networks.items():
        for each in networks.architecture:
            channels = (each.base_channels or 1) * 2 ** (each.depth or 0)
            if channels > MOST_CHANNELS:
                yield (
                    f"networks.{name}.architecture.base_channels: {each.base_channels} doubled {each.depth} times are "
                    f"{channels:,}; the limit of base_channels × 2^depth is {MOST_CHANNELS:,}."
                )


def _large_scenes(config: CampaignConfig, name: str) -> Iterator[str]:
    chosen, simulation, imaging = config.structure_sets[name], config.simulation, config.imaging
    cell_A = chosen.cell_A
    for key, step_A in (
        ("simulation.sampling_A", simulation.sampling_A),
        ("imaging.pixel_size_A", imaging.pixel_size_A),
    ):
        if (side := cell_A / step_A) > LONGEST_SIDE:
            yield (
                f"{key}: {step_A:g} Å makes {side:,.0f}² points of cell_A = {cell_A:g} Å of structure_sets.{name}; "
                f"the limit is {LONGEST_SIDE:,}², {cell_A / LONGEST_SIDE:.3g} Å."
            )
    if (pixels := chosen.n_structures * (cell_A / imaging.pixel_size_A) ** 2) > MOST_PIXELS:
        yield (
            f"structure_sets.{name}.n_structures: {chosen.n_structures:,} images of {cell_A / imaging.pixel_size_A:,.0f}² pixels "
            f"are {pixels:.2g} pixels in a dataset; the limit is {MOST_PIXELS:,}. Use several sets, or larger pixels."
        )
    if isinstance(chosen, StructureSet):
        yield from _large_recipe(chosen, name, simulation.slice_thickness_A)


def _large_recipe(chosen: StructureSet, name: str, slice_thickness_A: float) -> Iterator[str]:
    film_A, radius_A = chosen.substrate.thickness_A if chosen.substrate else 0.0, chosen.particles.radius_A[1]
    height_A = film_A + 2 * radius_A + 2 * chosen.vacuum_A
    if problem := too_many_slices(height_A, slice_thickness_A):
        yield f"{problem} (structure_sets.{name})"
    carbon = chosen.cell_A**2 * film_A * (chosen.substrate.density_per_A3 if chosen.substrate else 0)
    crystal = chosen.particles.count[1] * 4 / 3 * math.pi * radius_A**3 * PARTICLE_ATOMS_PER_A3
    if carbon + crystal > MOST_ATOMS:
        key = "substrate.thickness_A" if carbon > crystal else "particles.radius_A"
        yield (
            f"structure_sets.{name}.{key}: a structure may have about {carbon + crystal:.2g} atoms; the limit is {MOST_ATOMS:,}."
        )


def too_many_slices(height_A: float, slice_thickness_A: float) -> str | None:
    """Return an error message if a structure of that height has too many slices, else None.

    Parameters
    ----------
    height_A, slice_thickness_A : float, [Å]

    Returns
    -------
    str or None
    """
    slices = height_A / slice_thickness_A
    if slices <= MOST_SLICES:
        return None
    return (
        f"simulation.slice_thickness_A: {slice_thickness_A:g} Å cuts {height_A:g} Å into {slices:,.0f} slices; "
        f"the limit is {MOST_SLICES:,}, {height_A / MOST_SLICES:.3g} Å."
    )

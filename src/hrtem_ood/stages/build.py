"""Stage `build`: a shard of structures as one extended-XYZ file."""

import time
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from hrtem_ood import progress
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.specs import StructureFileRecipe, StructureRecipe, StructureShardSpec
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import StructureSet
from hrtem_ood.physics.structures.scene import check_recipe, draw_scene
from hrtem_ood.physics.structures.scene_files import read_scenes
from hrtem_ood.physics.structures.stacking_faults import StackingFault, stacking_fault


def build(spec: StructureShardSpec, output: Path) -> None:
    """Draw scenes ``start`` to ``stop`` (excluded) of a recipe, or read them from a file, and write them, one frame each.

    Parameters
    ----------
    spec : StructureShardSpec
    output : Path
        Named ``<id>.extxyz``.

    Raises
    ------
    ConfigError, ArtifactError
        See :func:`~hrtem_ood.physics.structures.scene_files.read_scenes`;
        :func:`~hrtem_ood.physics.structures.crystal.unit_cell`,
        :func:`~hrtem_ood.physics.structures.stacking_faults.stacking_fault`,
        :func:`~hrtem_ood.physics.structures.scene.check_recipe` and
        :func:`~hrtem_ood.physics.structures.scene.draw_scene`.
    """
    begin = time.perf_counter()
    if isinstance(spec.recipe, StructureFileRecipe):
        scenes = read_scenes(spec.recipe, spec.start, spec.stop)
    else:
        scenes = draw_scenes(spec.recipe, range(spec.start, spec.stop))
    seconds = time.perf_counter() - begin
    store.write_structures(output, scenes, store.provenance(spec, seconds=seconds, device="cpu"))


def draw_scenes(recipe: StructureRecipe, indices: Sequence[int]) -> list[Atoms]:
    """Draw scenes of a recipe; see :func:`build`."""
    crystal, fault = prepare_recipe(recipe)
    drawn = progress.track(indices, "structures", len(indices))
    return [draw_scene(recipe, crystal, fault, index) for index in drawn]


def prepare_recipe(recipe: StructureRecipe) -> tuple[Atoms, StackingFault | None]:
    """Return the unit cell and the stacking fault, if any is asked for, of a recipe that can be met."""
    crystal = unit_cell(recipe.material)
    fault = stacking_fault(crystal, recipe.material) if recipe.particles.stacking_faults[1] else None
    check_recipe(recipe, fault)
    return crystal, fault


def check_inputs(campaign: Campaign) -> None:
    """Read all that the structure sets of a campaign name, and check what can be before scenes are drawn.

    Raises
    ------
    ConfigError
        Names every mistake, each by its key.
    """
    found = []
    for name in campaign.used_structure_sets:
        recipe, wanted = campaign.recipe(name), campaign.config.structure_sets[name]
        try:
            if isinstance(recipe, StructureFileRecipe):
                read_scenes(recipe, 0, wanted.n_structures)
            else:
                prepare_recipe(recipe)
        except ConfigError as error:
            # stages know no names, only what is under them
            message = str(error)
            if isinstance(wanted, StructureSet) and message.startswith("material."):
                found.append(f"materials.{wanted.material}.{message.removeprefix('material.')}")
            else:
                found.append(f"structure_sets.{name}.{message}")
    if found:
        raise ConfigError("\n".join(dict.fromkeys(found)))

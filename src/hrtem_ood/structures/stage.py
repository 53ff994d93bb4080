"""Stage `build`: a shard of structures as one extended-XYZ file."""

import time
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from hrtem_ood import progress, store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.scenes import StructureSet
from hrtem_ood.campaign.specs import BuildSpec, FileRecipe, SceneRecipe
from hrtem_ood.errors import ConfigError
from hrtem_ood.structures.crystal import unit_cell
from hrtem_ood.structures.faults import StackingFault, stacking_fault
from hrtem_ood.structures.own import read_scenes
from hrtem_ood.structures.scene import check_recipe, draw_scene


def build(spec: BuildSpec, output: Path) -> None:
    """Draw scenes ``start`` to ``stop`` (excluded) of a recipe, or read them from a file, and write them, one frame each.

    Parameters
    ----------
    spec : BuildSpec
    output : Path
        Named ``<id>.extxyz``.

    Raises
    ------
    ConfigError, ArtefactError
        See :func:`~hrtem_ood.structures.own.read_scenes`; :func:`~hrtem_ood.structures.crystal.unit_cell`,
        :func:`~hrtem_ood.structures.faults.stacking_fault`, :func:`~hrtem_ood.structures.scene.check_recipe` and
        :func:`~hrtem_ood.structures.scene.draw_scene`.
    """
    begin = time.perf_counter()
    if isinstance(spec.recipe, FileRecipe):
        scenes = read_scenes(spec.recipe, spec.start, spec.stop)
    else:
        scenes = draw_scenes(spec.recipe, range(spec.start, spec.stop))
    seconds = time.perf_counter() - begin
    store.write_structures(output, scenes, store.provenance(spec, seconds=seconds, device="cpu"))


def draw_scenes(recipe: SceneRecipe, indices: Sequence[int]) -> list[Atoms]:
    """Draw scenes of a recipe; see :func:`build`."""
    crystal, fault = prepared(recipe)
    drawn = progress.track(indices, "structures", len(indices))
    return [draw_scene(recipe, crystal, fault, index) for index in drawn]


def prepared(recipe: SceneRecipe) -> tuple[Atoms, StackingFault | None]:
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
    for name in campaign.used_sets:
        recipe, wanted = campaign.recipe(name), campaign.config.structure_sets[name]
        try:
            if isinstance(recipe, FileRecipe):
                read_scenes(recipe, 0, wanted.structures)
            else:
                prepared(recipe)
        except ConfigError as error:
            # stages know no names, only what is under them
            message = str(error)
            if isinstance(wanted, StructureSet) and message.startswith("material."):
                found.append(f"materials.{wanted.material}.{message.removeprefix('material.')}")
            else:
                found.append(f"structure_sets.{name}.{message}")
    if found:
        raise ConfigError("\n".join(dict.fromkeys(found)))

"""Stage `build`: a shard of structures as one extended-XYZ file."""

import time
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from hrtem_ood import progress, store
from hrtem_ood.campaign.specs import BuildSpec, FileRecipe, SceneRecipe
from hrtem_ood.structures.crystal import unit_cell
from hrtem_ood.structures.faults import stacking_fault
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
    crystal = unit_cell(recipe.material)
    fault = stacking_fault(crystal, recipe.material) if recipe.particles.stacking_faults[1] else None
    check_recipe(recipe, fault)
    drawn = progress.track(indices, "structures", len(indices))
    return [draw_scene(recipe, crystal, fault, index) for index in drawn]

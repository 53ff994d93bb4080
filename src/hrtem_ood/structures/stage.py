"""Stage `build`: a shard of structures as one extended-XYZ file."""

import time
from pathlib import Path

from hrtem_ood import progress, store
from hrtem_ood.campaign.specs import BuildSpec
from hrtem_ood.structures.crystal import unit_cell
from hrtem_ood.structures.faults import stacking_fault
from hrtem_ood.structures.scene import check_recipe, draw_scene


def build(spec: BuildSpec, output: Path) -> None:
    """Draw scenes ``start`` to ``stop`` (excluded) of a recipe and write them, one frame each.

    Parameters
    ----------
    spec : BuildSpec
    output : Path
        Named ``<id>.extxyz``.

    Raises
    ------
    ConfigError, ArtefactError
        See :func:`~hrtem_ood.structures.crystal.unit_cell`, :func:`~hrtem_ood.structures.faults.stacking_fault`,
        :func:`~hrtem_ood.structures.scene.check_recipe` and :func:`~hrtem_ood.structures.scene.draw_scene`.
    """
    begin = time.perf_counter()
    recipe = spec.recipe
    crystal = unit_cell(recipe.material)
    fault = stacking_fault(crystal, recipe.material) if recipe.particles.stacking_faults[1] else None
    check_recipe(recipe, fault)
    indices = progress.track(range(spec.start, spec.stop), "structures", spec.stop - spec.start)
    scenes = [draw_scene(recipe, crystal, fault, index) for index in indices]
    seconds = time.perf_counter() - begin
    store.write_structures(output, scenes, store.provenance(spec, seconds=seconds, device="cpu"))

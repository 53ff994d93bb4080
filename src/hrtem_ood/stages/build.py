"""Stage `build`: a shard of structures as one extended-XYZ file."""

import time
from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import StructureShardSpec
from hrtem_ood.physics.structures.recipe import StructureFileRecipe
from hrtem_ood.physics.structures.scene import draw_scenes
from hrtem_ood.physics.structures.scene_files import read_scenes


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

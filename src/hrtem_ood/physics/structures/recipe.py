"""Recipes: everything that determines a series of structures."""

from functools import cached_property
from typing import Literal

from hrtem_ood.artifacts.identity import digest
from hrtem_ood.artifacts.stage_versions import CRYSTAL_FILE_VERSION, STAGE_VERSIONS
from hrtem_ood.base_model import Model, identity_parameters
from hrtem_ood.physics.structures.parameters import Material, Particles, Substrate


class StructureRecipe(Model):
    """Parameters from which random scenes are drawn; scene i is the same in every set that has this recipe."""

    material: Material
    seed: int
    cell_A: float
    particles: Particles
    substrate: Substrate | None
    vacuum_A: float

    @cached_property
    def series(self) -> str:
        """Id of the infinite series of scenes. A crystal file counts by its content, not its path."""
        return structure_series(self, STAGE_VERSIONS["structures"])


class StructureFileRecipe(Model):
    """Scenes that a file holds."""

    file: str
    sha256: str | None
    cell_A: float
    film: Literal["tags", "carbon", "none"]

    @cached_property
    def series(self) -> str:
        """Id of the series of scenes. The file counts by its content, not its path."""
        return structure_series(self, STAGE_VERSIONS["structures"])


def structure_series(recipe: StructureRecipe | StructureFileRecipe, version: int) -> str:
    """Id of the series of scenes of a recipe or a file, by a version of the stage."""
    if isinstance(recipe, StructureFileRecipe):
        return digest(["structures of a file", version, identity_parameters(recipe, exclude={"file"})])
    path = {"material": {"file"}} if recipe.material.sha256 else None
    reading = [CRYSTAL_FILE_VERSION] if recipe.material.file else []
    return digest(["structures", version, identity_parameters(recipe, exclude=path), *reading])

"""The section `structure_sets`: random structures, or structures of a file."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from hrtem_ood.base_model import Model, Name
from hrtem_ood.physics.structures.parameters import Particles, Substrate


class StructureSet(Model):
    """Random structures drawn from one recipe."""

    n_structures: Annotated[int, Field(ge=1, le=100_000)] = Field(description="Number of structures.")
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        description="Seed of the random structures. Sets with different seeds share no structure."
    )
    material: Name = Field(description="A name under `materials`.")
    cell_A: Annotated[float, Field(ge=10, le=500)] = Field(
        description="Side of the square, laterally periodic cell [Å]."
    )
    particles: Particles
    substrate: Substrate | None = Field(None, description="The film. Omitted: particles in vacuum.")
    vacuum_A: Annotated[float, Field(ge=1, le=100)] = Field(
        5.0, description="Empty space above and below the atoms [Å]."
    )


class StructureFile(Model):
    """Structures of a user's file, used unchanged: one structure per frame."""

    n_structures: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="Number of structures: the first frames of the file."
    )
    file: str = Field(
        description="Path of a structure file (extxyz, or another format that ASE reads), relative to the working directory. "
        "Identities depend on its content, not on its name. Cells must be orthogonal, and square across the beam, which "
        "travels along +z; atoms must lie within the cell's height."
    )
    sha256: str | None = Field(
        None, description="Filled in when the file is read; set it to refuse a file with other content."
    )
    cell_A: Annotated[float, Field(ge=10, le=500)] = Field(
        description="Side of the square, laterally periodic cell of every structure [Å]."
    )
    film: Literal["tags", "carbon", "none"] = Field(
        "carbon",
        description="Atoms of the film; they count as no particle for labels and zero defocus. `carbon`: all carbon atoms. "
        "`tags`: atoms with 0 in the file's column `tags`. `none`: no atom.",
    )


def _kind_of_set(value: Any) -> str:
    is_file = isinstance(value, StructureFile) or (isinstance(value, dict) and "file" in value)
    return "a file" if is_file else "a recipe"


AnyStructureSet = Annotated[
    Annotated[StructureSet, Tag("a recipe")] | Annotated[StructureFile, Tag("a file")], Discriminator(_kind_of_set)
]

"""Configuration of scenes: crystals, particles and film."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hrtem_ood.base_model import AS_PAIR, ASCENDING, SINGLE_ITEM, Model
from hrtem_ood.physics.structures.materials import PRESETS

MillerIndex = Annotated[int, Field(ge=-50, le=50)]
CellShare = Annotated[float, Field(ge=-10, le=10)]
Count = Annotated[int, Field(ge=1, le=1000)]
Faults = Annotated[int, Field(ge=0, le=1000)]
Radius = Annotated[float, Field(gt=2, le=250)]
CountRange = Annotated[tuple[Count, Count], AS_PAIR, ASCENDING, SINGLE_ITEM]
FaultRange = Annotated[tuple[Faults, Faults], AS_PAIR, ASCENDING, SINGLE_ITEM]
RadiusRange = Annotated[tuple[Radius, Radius], AS_PAIR, ASCENDING, SINGLE_ITEM]


class Material(Model):
    """A crystal: a preset, built from a formula and a structure, or read from a CIF or any other file that ASE reads."""

    preset: Literal["ZnS", "CdSe", "Cu", "Ag", "C", "Si", "Fe", "Fe3O4", "Co3O4"] | None = Field(
        None,
        description="A crystal whose cell is known: wurtzite `ZnS` and `CdSe`, fcc `Cu` and `Ag`, diamond `C` and `Si`, bcc "
        "`Fe`, spinels `Fe3O4` and `Co3O4`. The same as its formula, structure and lattice constants written out.",
    )
    formula: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Chemical formula for `ase.build.bulk`, e.g. `CdSe`."
    )
    structure: (
        Literal[
            "sc",
            "fcc",
            "bcc",
            "hcp",
            "diamond",
            "zincblende",
            "rocksalt",
            "cesiumchloride",
            "fluorite",
            "wurtzite",
            "spinel",
        ]
        | None
    ) = Field(
        None,
        description="Crystal structure: as `ase.build.bulk` knows it, or `spinel`, whose formula begins with the one cation "
        "on tetrahedral sites, as `MgAl2O4`, or has one kind of cation only, as `Fe3O4`.",
    )
    a_A: Annotated[float, Field(gt=1, lt=50)] | None = Field(None, description="Lattice constant a [Å].")
    c_A: Annotated[float, Field(gt=1, lt=100)] | None = Field(
        None, description="Lattice constant c [Å], where it is free."
    )
    u: Annotated[float, Field(gt=0.2, lt=0.3)] | None = Field(
        None,
        description="Position u of the anions of a `spinel`, with the origin at the centre of inversion (1/4: cubic close "
        "packing).",
    )
    file: str | None = Field(
        None,
        description="Path of a crystal file (CIF, extxyz, …), relative to the working directory. "
        "Its content, not its name, is part of every identity.",
    )
    sha256: str | None = Field(
        None, description="Filled in when the file is read; set it to refuse a file with other content."
    )
    fault_normal: tuple[MillerIndex, MillerIndex, MillerIndex] | None = Field(
        None,
        description="Miller indices of the plane on which stacking faults lie. "
        "Known for wurtzite (0 0 1) and fcc (1 1 1) crystals given by formula.",
    )
    fault_vector: tuple[CellShare, CellShare, CellShare] | None = Field(
        None, description="Displacement across a stacking fault, in fractional coordinates of the crystal's cell."
    )

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, data: Any) -> Any:
        """Put the fields of a preset in its place, so that it is the same material as without the name."""
        fields = isinstance(data, dict) and isinstance(data.get("preset"), str) and PRESETS.get(data["preset"])
        if not fields:
            return data  # the field's type reports an invalid preset
        others = sorted(key for key in data if key not in ("preset", "fault_normal", "fault_vector"))
        if others:
            raise ValueError(
                f"`preset` stands alone; leave out {', '.join(others)} (null removes what another file sets), "
                "or write the crystal out without it"
            )
        return fields | {key: value for key, value in data.items() if key != "preset"}

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.formula is None):
            raise ValueError("give either `preset`, or `formula` (with `structure` and `a_A`), or `file`")
        if (self.u is None) == (self.structure == "spinel"):
            raise ValueError("a `spinel` needs `u`, the position of its anions (about 0.26), and nothing else has it")
        if self.formula is not None and (self.structure is None or self.a_A is None):
            raise ValueError("a `formula` needs `structure` and `a_A` too")
        if (self.fault_normal is None) != (self.fault_vector is None):
            raise ValueError("`fault_normal` and `fault_vector` go together")
        return self


class Particles(Model):
    """How many spherical particles a scene holds, and of what size."""

    count: CountRange = Field(
        (1, 1), description="Number of particles, uniform in [min, max]; a scene without any has nothing to segment."
    )
    radius_A: RadiusRange = Field(description="Radius [Å], uniform in [min, max]; a smaller sphere may hold no atom.")
    separation_A: Annotated[float, Field(ge=0, le=500)] = Field(
        10.0, description="Smallest gap between the surfaces of two particles [Å], periodic images included."
    )
    stacking_faults: FaultRange = Field(
        (0, 0), description="Number of stacking faults per particle, uniform in [min, max]."
    )
    zone_axis: tuple[MillerIndex, MillerIndex, MillerIndex] | None = Field(
        None,
        description="Lattice direction [u, v, w] along the beam, with any azimuth: of the cubic cell for cubic structures, of "
        "the hexagonal one for wurtzite and hcp (three indices), of the file's cell for a file. Left out: any orientation.",
    )

    @model_validator(mode="after")
    def _direction(self) -> Self:
        if self.zone_axis == (0, 0, 0):
            raise ValueError("`zone_axis` [0, 0, 0] is no direction; give e.g. [1, 1, 0]")
        return self


class Substrate(Model):
    """Amorphous carbon film below the particles."""

    thickness_A: Annotated[float, Field(ge=1, le=2000)] = Field(description="Thickness [Å].")
    density_per_A3: Annotated[float, Field(ge=1e-3, lt=0.15)] = Field(
        0.1103, description="Carbon atoms per Å³ (0.1103 is 2.2 g/cm³)."
    )
    min_distance_A: Annotated[float, Field(ge=0.1, lt=1.6)] = Field(
        1.4, description="Smallest distance between two carbon atoms [Å], periodic images included."
    )

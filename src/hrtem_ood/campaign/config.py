"""The configuration of a campaign, key by key: types, units, bounds and meaning.

``schema.json`` and ``docs/configuration.md`` are generated from these models.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from hrtem_ood.campaign.condition import ConditionGrid
from hrtem_ood.campaign.hyperparameters import NetworkGrid
from hrtem_ood.campaign.types import IntegerRange, Model, Name, Names, NumberRange

Length = Annotated[float, Field(gt=0)]


class Material(Model):
    """A crystal: built by ``ase.build.bulk`` from a formula, or read from any file that ASE reads."""

    formula: str | None = Field(None, description="Chemical formula for `ase.build.bulk`, e.g. `CdSe`.")
    structure: (
        Literal[
            "sc", "fcc", "bcc", "hcp", "diamond", "zincblende", "rocksalt", "cesiumchloride", "fluorite", "wurtzite"
        ]
        | None
    ) = Field(None, description="Crystal structure for `ase.build.bulk`.")
    a_A: Annotated[float, Field(gt=1, lt=50)] | None = Field(None, description="Lattice constant a [Å].")
    c_A: Annotated[float, Field(gt=1, lt=100)] | None = Field(
        None, description="Lattice constant c [Å], where it is free."
    )
    file: str | None = Field(
        None,
        description="Path of a crystal file (CIF, extxyz, …), relative to the working directory. "
        "Its content, not its name, is part of every identity.",
    )
    sha256: str | None = Field(
        None, description="Filled in when the file is read; set it to refuse a file with other content."
    )
    fault_normal: tuple[int, int, int] | None = Field(
        None,
        description="Miller indices of the plane on which stacking faults lie. "
        "Known for wurtzite (0 0 1) and fcc (1 1 1) crystals given by formula.",
    )
    fault_vector: tuple[float, float, float] | None = Field(
        None, description="Displacement across a stacking fault, in fractional coordinates of the crystal's cell."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.formula is None):
            raise ValueError("give either `formula` (with `structure` and `a_A`) or `file`")
        if self.formula is not None and (self.structure is None or self.a_A is None):
            raise ValueError("a `formula` needs `structure` and `a_A` too")
        if (self.fault_normal is None) != (self.fault_vector is None):
            raise ValueError("`fault_normal` and `fault_vector` go together")
        return self


class Particles(Model):
    """How many spherical particles a scene holds, and of what size."""

    count: IntegerRange = Field((1, 1), description="Number of particles, uniform in [min, max].")
    radius_A: NumberRange = Field(description="Radius [Å], uniform in [min, max].")
    separation_A: Annotated[float, Field(ge=0)] = Field(
        10.0, description="Smallest gap between the surfaces of two particles [Å], periodic images included."
    )
    stacking_faults: IntegerRange = Field(
        (0, 0), description="Number of stacking faults per particle, uniform in [min, max]."
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.count[0] < 1:
            raise ValueError("`count` starts at 1 or more: a scene without particles has nothing to segment")
        if self.radius_A[0] <= 2:
            raise ValueError("`radius_A` must be above 2 Å: a smaller sphere may hold no atom")
        if self.stacking_faults[0] < 0:
            raise ValueError("`stacking_faults` must be 0 or more")
        return self


class Substrate(Model):
    """Amorphous carbon film below the particles."""

    thickness_A: Length = Field(description="Thickness [Å].")
    density_per_A3: Annotated[float, Field(gt=0, lt=0.15)] = Field(
        0.1103, description="Carbon atoms per Å³ (0.1103 is 2.2 g/cm³)."
    )
    min_distance_A: Annotated[float, Field(gt=0, lt=1.6)] = Field(
        1.4, description="Smallest distance between two carbon atoms [Å], periodic images included."
    )


class StructureSet(Model):
    """N random scenes drawn from one recipe."""

    structures: Annotated[int, Field(ge=1, le=100_000)] = Field(description="Number of structures.")
    seed: Annotated[int, Field(ge=0)] = Field(
        description="Seeds the random scenes. Sets with different seeds share no structure."
    )
    material: Name = Field(description="A name under `materials`.")
    cell_A: Annotated[float, Field(ge=10, le=500)] = Field(
        description="Side of the square, laterally periodic cell [Å]."
    )
    particles: Particles
    substrate: Substrate | None = Field(None, description="Left out: particles in vacuum.")
    vacuum_A: Annotated[float, Field(ge=1, le=100)] = Field(
        5.0, description="Empty space above and below the atoms [Å]."
    )


class Simulation(Model):
    """Frozen-phonon multislice: how exit waves are computed."""

    energy_eV: Annotated[float, Field(ge=10e3, le=3e6)] = Field(300e3, description="Beam energy [eV].")
    sampling_A: Annotated[float, Field(gt=0, le=0.5)] = Field(
        description="Pixel of the wave [Å]; must divide the cell."
    )
    slice_thickness_A: Annotated[float, Field(gt=0, le=5)] = Field(1.0, description="Slice thickness [Å].")
    phonons: Annotated[int, Field(ge=1, le=256)] = Field(description="Frozen-phonon configurations per structure.")
    phonon_sigma_A: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.1, description="Standard deviation of the thermal displacements along each axis [Å]; 0 freezes all atoms."
    )
    parametrization: Literal["lobato", "kirkland"] = Field("lobato", description="Atomic potentials.")
    projection: Literal["infinite", "finite"] = Field("infinite", description="Projection of atoms onto slices.")


class Labels(Model):
    """How label masks follow from the exit wave of the particles alone in vacuum."""

    phase_threshold_rad: Annotated[float, Field(gt=0, lt=3.1416)] = Field(
        0.19634954084936207, description="Phase that picks a particle's atomic columns [rad] (π/16)."
    )
    blur_A: Annotated[float, Field(ge=0, le=20)] = Field(
        1.5,
        description="Standard deviation of the Gaussian blur of the columns' mask [Å]; closes the gaps between columns.",
    )
    coverage: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.06, description="A pixel is labelled particle where the blurred mask of the columns exceeds this share."
    )


class Imaging(Model):
    """How images are sampled."""

    pixel_A: Annotated[float, Field(gt=0, le=2)] = Field(description="Pixel of the images [Å]; must divide the cell.")
    expected_counts: bool = Field(
        False,
        description="Store the noise-free images, too: what `noise: fresh` draws from. Four bytes a pixel, "
        "several times the size of the counts.",
    )


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("needs a number, not true or false (which yes, no, on and off mean, too)")
    return value


Count = Annotated[int, Field(ge=1), BeforeValidator(_no_truth)]
Counts = Annotated[
    Annotated[Count, Tag("a number")] | Annotated[dict[Name, Count], Tag("a mapping")],
    # so that a mistake is told for the kind that is meant
    Discriminator(lambda value: "a mapping" if isinstance(value, dict) else "a number"),
]


class TrainingSetGrid(Model):
    """Training sets over conditions: one per condition, or one that mixes them all."""

    structures: Name = Field(description="A name under `structure_sets`.")
    conditions: Names = Field(description="Names under `conditions`.")
    mix: bool = Field(
        False,
        description="false: one training set per condition. true: one training set of all conditions in equal shares.",
    )
    images: Counts = Field(
        description="Training images per training set, in equal shares whatever the number of conditions. With `mix`, "
        "a mapping of every name under `conditions` to its images, in equal shares of its conditions."
    )
    validation: Annotated[int, Field(ge=1)] = Field(
        description="Structures at the end of the set that validate, dealt over the conditions; none of them trains."
    )


class Suite(Model):
    """A named group of test datasets: the unit of one evaluation job."""

    structures: Name = Field(description="A name under `structure_sets`; never one that trains.")
    conditions: Names = Field(description="Names under `conditions`.")


class Transfer(Model):
    """How the information-transfer measures ε and σ integrate the contrast transfer function."""

    weight: Literal["per_q", "per_area"] = Field(
        "per_area", description="w(q): 1 (`per_q`) or q (`per_area`: each Fourier pixel counts once)."
    )
    q_min_per_A: Annotated[float, Field(ge=0)] = Field(0.05, description="Lower end of the band [1/Å].")
    q_max_per_A: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Upper end of the band [1/Å]; left out: the Nyquist frequency of the images."
    )
    radial_points: Annotated[int, Field(ge=16, le=8192)] = Field(512, description="Quadrature points along |q|.")
    azimuthal_points: Annotated[int, Field(ge=1, le=720)] = Field(
        48, description="Quadrature points along the azimuth."
    )


class Report(Model):
    """How figures look; changes no number."""

    dpi: Annotated[int, Field(ge=50, le=600)] = Field(130, description="Resolution of PNG figures.")
    palette: str = Field("crest", description="Seaborn colour map of the OOD matrix.")
    examples: Annotated[int, Field(ge=1, le=16)] = Field(2, description="Example images per condition.")


class Execution(Model):
    """How work is grouped into jobs and where it runs; part of no identity."""

    structures_per_shard: Annotated[int, Field(ge=1)] = Field(64, description="Structures per simulation job.")
    networks_per_job: Annotated[int, Field(ge=1)] = Field(32, description="Most networks that one training job trains.")
    launcher: Literal["pack", "submitit"] = Field(
        "pack",
        description="How the networks of a pack are trained. `pack`: one after the other, in one job. `submitit`: each as a "
        "job of its own in an array of SLURM's, where there is SLURM, else as a process of this machine: for long networks.",
    )
    networks_per_evaluation: Annotated[int, Field(ge=1)] = Field(
        64, description="Most networks that one job tests on a suite; all of one training set."
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="`auto` takes a GPU where there is one.")
    save_every_s: Annotated[float, Field(ge=0)] = Field(
        60.0,
        description="Seconds between saves of a network in training [s], at the ends of epochs. A job that is asked to "
        "stop saves its last epoch anyhow; one that is killed loses what came after the last save.",
    )
    compile: bool = Field(
        False,
        description="Train through torch.compile: made for GPUs and long trainings, as every network is compiled first, "
        "which takes up to a minute; numbers differ by rounding.",
    )
    keep_weights: bool = Field(
        True,
        description="false: once every suite of the campaign has scored a pack, its networks' weights are dropped. "
        "A new suite then needs them trained again, as `evaluate` will tell. Networks that another campaign of the same "
        "results folder lists in its index.csv keep theirs.",
    )


class CampaignConfig(Model):
    """One campaign: structures, conditions, networks and tests."""

    campaign: Name = Field(description="Name of the campaign; its results go to `results/<campaign>/`.")
    materials: dict[Name, Material] = Field(min_length=1, description="Crystals by name.")
    structure_sets: dict[Name, StructureSet] = Field(min_length=1, description="Sets of random scenes by name.")
    simulation: Simulation
    labels: Labels = Labels()
    imaging: Imaging
    conditions: dict[Name, ConditionGrid] = Field(
        min_length=1, description="Named grids of imaging conditions; a list of values is an axis of the grid."
    )
    training_sets: dict[Name, TrainingSetGrid] = Field(min_length=1, description="Training sets by name.")
    networks: dict[Name, NetworkGrid] = Field(min_length=1, description="Named grids of networks.")
    suites: dict[Name, Suite] = Field(min_length=1, description="Named groups of test datasets.")
    transfer: Transfer = Transfer()
    report: Report = Report()
    execution: Execution = Execution()

"""The configuration of a campaign, key by key: types, units, bounds and meaning.

``schema.json`` and ``docs/configuration.md`` are generated from these models.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from hrtem_ood.base_model import Model, Name, Names, grid_of
from hrtem_ood.config.analysis import Analysis, OwnPredictor
from hrtem_ood.config.training import NetworkGrid
from hrtem_ood.physics.optics.condition import ConditionGrid
from hrtem_ood.physics.structures.parameters import AnyStructureSet, Material


class Simulation(Model):
    """Frozen-phonon multislice: how exit waves are computed."""

    energy_eV: Annotated[float, Field(ge=10e3, le=3e6)] = Field(300e3, description="Beam energy [eV].")
    sampling_A: Annotated[float, Field(gt=0, le=0.5)] = Field(
        description="Pixel of the wave [Å]; must divide the cell."
    )
    slice_thickness_A: Annotated[float, Field(gt=0, le=5)] = Field(1.0, description="Slice thickness [Å].")
    n_frozen_phonons: Annotated[int, Field(ge=1, le=256)] = Field(
        description="Frozen-phonon configurations per structure."
    )
    phonon_sigma_A: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.1, description="Standard deviation of the thermal displacements along each axis [Å]; 0 freezes all atoms."
    )
    parametrization: Literal["lobato", "kirkland"] = Field("lobato", description="Atomic potentials.")
    projection: Literal["infinite", "finite"] = Field(
        "infinite", description="Projection of atoms onto slices: each wholly in its own, or spread (`engine: abtem`)."
    )
    engine: Literal["builtin", "abtem"] = Field(
        "builtin", description="This project's multislice, or abTEM's: slower, and less accurate at the same sampling."
    )

    @model_validator(mode="after")
    def _finite(self) -> Self:
        if self.projection == "finite" and self.engine == "builtin":
            raise ValueError("`projection: finite` needs `engine: abtem`; `engine: builtin` knows `infinite` only")
        return self


class Labels(Model):
    """How label masks follow from the exit wave of the particles alone in vacuum."""

    phase_threshold_rad: Annotated[float, Field(gt=0, lt=3.1416)] = Field(
        0.19634954084936207, description="Phase that picks a particle's atomic columns [rad] (π/16)."
    )
    blur_A: Annotated[float, Field(ge=0, le=20)] = Field(
        1.5,
        description="Standard deviation of the Gaussian blur of the columns' mask [Å]; closes the gaps between columns.",
    )
    mask_threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.06, description="A pixel is labelled particle where the blurred mask of the columns exceeds this share."
    )


def _shares(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) < 2 or not all(0 < value <= 1 for value in values):
        raise ValueError("needs two values or more, each above 0 and at most 1")
    return values


Curve = Annotated[tuple[float, ...], AfterValidator(_shares)]


class Detector(Model):
    """What the detector makes of the electrons; curves are measured values, a line between each two."""

    mtf: Curve | None = Field(
        None,
        description="Modulation transfer function at equal steps from frequency 0, where it is 1, to the Nyquist frequency "
        "of the image's pixel. Left out: 1 throughout.",
    )
    dqe: Curve | None = Field(
        None,
        description="Detective quantum efficiency at equal steps from frequency 0 to the Nyquist frequency. Left out: every "
        "electron counts and noise stays white, a DQE of MTF².",
    )
    apply_pixel_mtf: bool = Field(
        False, description="true: multiply the MTF by that of a square pixel, which a measured MTF holds already."
    )
    gain: Annotated[float, Field(gt=0, le=1e4)] = Field(1.0, description="Stored number per electron; then rounded.")

    @model_validator(mode="after")
    def _unit_at_zero(self) -> Self:
        if self.mtf is not None and self.mtf[0] != 1:
            raise ValueError("`mtf` begins with 1, its value at frequency 0; electrons that are lost belong to `dqe`")
        return self

    @property
    def counts_electrons(self) -> bool:
        """Whether images are whole electron counts, with Poisson noise pixel by pixel."""
        return self.dqe is None and self.gain == 1


class Imaging(Model):
    """How images are sampled."""

    pixel_size_A: Annotated[float, Field(gt=0, le=2)] = Field(
        description="Pixel of the images [Å]; must divide the cell. Waves are cut off at its Nyquist frequency before they are "
        "squared, as by an aperture."
    )
    store_noise_free: bool = Field(
        False,
        description="Store the noise-free images, too: what `resample_noise: true` draws from. Four bytes a pixel, "
        "several times the size of the counts. Not with a detector that has a DQE or a gain, whose noise is not Poisson's.",
    )
    temporal_coherence: Literal["envelope", "focal_integration"] = Field(
        "envelope",
        description="How a focal spread acts: `envelope` damps the wave, which is fast, and puts images off by some 6 % of their "
        "standard deviation at 20 Å, by more above (docs/methods.md, Limits); `focal_integration` averages "
        "the intensities over the focus, at the cost of some 5 to 100 images.",
    )
    detector: Detector | None = Field(
        None,
        description="Left out: every electron is counted in the pixel where it lands.",
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

    structure_set: Name = Field(description="A name under `structure_sets`.")
    conditions: Names = Field(description="Names under `conditions`.")
    mixture: bool = Field(
        False,
        description="false: one training set per condition. true: one training set of all conditions in equal shares.",
    )
    n_images: Counts = Field(
        description="Training images per training set, in equal shares whatever the number of conditions. With `mixture`, "
        "a mapping of every name under `conditions` to its images, in equal shares of its conditions."
    )
    n_validation_structures: Annotated[int, Field(ge=1)] = Field(
        description="Structures at the end of the set that validate, dealt over the conditions; none of them trains."
    )


class Suite(Model):
    """A named group of test datasets: the unit of one evaluation job."""

    structure_set: Name = Field(description="A name under `structure_sets`; never one that trains.")
    conditions: Names = Field(description="Names under `conditions`.")


class Transfer(Model):
    """How the information-transfer measures ε and σ integrate the contrast transfer function."""

    weighting: Literal["per_q", "per_area"] = Field(
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
    network_jobs: Literal["grouped", "individual"] = Field(
        "grouped",
        description="How jobs train and test networks. `grouped`: one after the other. `individual`: each as a job of its own in "
        "an array of SLURM's, where there is SLURM, else as a process of this machine: for long networks.",
    )
    networks_per_evaluation: Annotated[int, Field(ge=1)] = Field(
        64, description="Most networks that one job tests on a suite; all of one training set."
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="`auto` takes a GPU where there is one.")
    checkpoint_interval_s: Annotated[float, Field(ge=0)] = Field(
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
        "results folder lists in its index (`results/indexes/`) keep theirs.",
    )


class CampaignConfig(Model):
    """One campaign: structures, conditions, networks and tests."""

    campaign: Name = Field(description="Name of the campaign; `results/<campaign>/` leads to its last report.")
    materials: dict[Name, Material] = Field(min_length=1, description="Crystals by name.")
    structure_sets: dict[Name, AnyStructureSet] = Field(
        min_length=1, description="Sets of scenes by name: random ones, or, with `scenes`, those of a file."
    )
    simulation: Simulation
    labels: Labels = Labels()
    imaging: Imaging
    conditions: dict[Name, grid_of(ConditionGrid)] = Field(  # type: ignore[valid-type]  # a model built at import
        min_length=1,
        description="Named grids of imaging conditions; a list of values is an axis of the grid. A list of mappings is "
        "the union of their grids: with single values, a list of conditions one by one.",
    )
    training_sets: dict[Name, TrainingSetGrid] = Field(min_length=1, description="Training sets by name.")
    networks: dict[Name, NetworkGrid] = Field(min_length=1, description="Named grids of networks.")
    test_suites: dict[Name, Suite] = Field(min_length=1, description="Named groups of test datasets.")
    transfer: Transfer = Transfer()
    predictors: dict[Name, OwnPredictor] = Field(
        {}, description="Predictors of your own by name, beside those that come with the project (docs/methods.md)."
    )
    analysis: Analysis = Analysis()
    report: Report = Report()
    execution: Execution = Execution()

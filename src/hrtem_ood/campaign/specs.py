"""Specifications of artifacts: one small model per artifact, with its identity.

A spec holds everything that determines the content of its artifact, inputs by their ids, and nothing else. Jobs get it
as JSON. A series is an endless sequence of structures, exit waves or images of which an artifact holds a block. It has an
id, too, so that grouping structures into shards changes no dataset and no network.
"""

from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any, ClassVar, TypeVar

from hrtem_ood.artifacts.identity import canonical_json, content_id, digest, id_from_canonical_json
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.base_model import Model, identity_parameters
from hrtem_ood.config.evaluation import EvaluationPrecision
from hrtem_ood.config.test_suites import LabelledFile
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.physics.imaging.parameters import Imaging, Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.structures.recipe import StructureFileRecipe, StructureRecipe
from hrtem_ood.transfer.parameters import Transfer


class Spec(Model):
    """Base of all specs."""

    stage: ClassVar[str]
    version: ClassVar[int]

    @property
    def slug(self) -> str:
        """Readable part of the id."""
        return self.stage

    def content(self) -> Any:
        """Return the content from which the identity is computed."""
        return identity_parameters(self)

    @cached_property
    def id(self) -> str:
        """Content id of the artifact."""
        return content_id(self.slug, [self.stage, self.version, self.content()])

    @cached_property
    def json_text(self) -> str:
        """Canonical JSON of the spec, as jobs get it."""
        return canonical_json(self.model_dump(mode="json"))


def wave_series(structure_series: str, simulation: Simulation, version: int) -> str:
    """Id of the endless series of exit waves of a series of structures, by a version of the stage."""
    return digest(["exit waves", version, structure_series, identity_parameters(simulation)])


class StructureShardSpec(Spec):
    """A shard of structures: those from ``start`` to ``stop`` (excluded) of a recipe or a file."""

    stage: ClassVar[str] = "structures"
    version: ClassVar[int] = STAGE_VERSIONS["structures"]
    recipe: StructureRecipe | StructureFileRecipe
    start: int
    stop: int

    @property
    def slug(self) -> str:
        """Material and range."""
        what = "file" if isinstance(self.recipe, StructureFileRecipe) else self.recipe.material.formula or "crystal"
        return f"{what}-{self.start}-{self.stop}"

    def content(self) -> Any:
        """Return the series and the range."""
        return [self.recipe.series, self.start, self.stop]


class ExitWaveShardSpec(Spec):
    """A shard of exit waves; ``structure_series`` is the series of its structures."""

    stage: ClassVar[str] = "exit_waves"
    version: ClassVar[int] = STAGE_VERSIONS["exit_waves"]
    structure_series: str
    simulation: Simulation
    start: int
    stop: int

    @property
    def slug(self) -> str:
        """Range and phonons."""
        return f"{self.start}-{self.stop}-ph{self.simulation.n_frozen_phonons}"

    @cached_property
    def series(self) -> str:
        """Id of the endless series of exit waves."""
        return wave_series(self.structure_series, self.simulation, self.version)

    def content(self) -> Any:
        """Return the series and the range."""
        return [self.series, self.start, self.stop]


_NOT_IN_IMAGES: Any = {"n_structures": True, "labels": True, "imaging": {"store_noise_free"}}


class DatasetSpec(Spec):
    """A dataset: the first ``n_structures`` of a series of exit waves imaged under one condition, with label masks."""

    stage: ClassVar[str] = "datasets"
    version: ClassVar[int] = STAGE_VERSIONS["datasets"]
    exit_wave_series: str
    n_structures: int
    condition: Condition
    imaging: Imaging
    labels: Labels

    @property
    def slug(self) -> str:
        """The condition."""
        return self.condition.slug

    @cached_property
    def series(self) -> str:
        """Id of the endless series of images, which seeds defocus jitter and counting noise of image i."""
        return digest(["images", self.version, identity_parameters(self, exclude=_NOT_IN_IMAGES)])


class LabelledSetSpec(Spec):
    """Labelled micrographs, repaired and on the pixel that the campaign's networks see, with labels on their own pixels.

    Files are in the order of their digests, so that their names have no meaning.
    """

    stage: ClassVar[str] = "labelled_sets"
    version: ClassVar[int] = STAGE_VERSIONS["labelled_sets"]
    files: tuple[LabelledFile, ...]
    pixel_size_A: float | None
    repair: bool
    network_pixel_size_A: float

    @property
    def slug(self) -> str:
        """Number of files."""
        return f"{len(self.files)}micrographs"

    def content(self) -> Any:
        """Return everything but the paths of the files, whose contents count."""
        files = [file.digests for file in self.files]
        return {"files": files} | identity_parameters(self, exclude={"files"})


class TrainingSetSpec(Spec):
    """Images that a network learns from: ``n_images[i]`` of ``datasets[i]``, and a validation tail.

    The last ``n_validation_structures`` of the ``n_structures`` are for validation only, divided among the datasets.
    """

    stage: ClassVar[str] = "training_sets"
    version: ClassVar[int] = STAGE_VERSIONS["networks"]
    datasets: tuple[str, ...]
    n_structures: int
    n_images: tuple[int, ...]
    n_validation_structures: int


@cache
def _quoted(text: str) -> str:
    return canonical_json(text)


class NetworkSpec(Spec):
    """One network: training set, architecture, hyperparameters and seed. The unit of identity."""

    stage: ClassVar[str] = "networks"
    version: ClassVar[int] = STAGE_VERSIONS["networks"]
    training_set: str
    hyperparameters: Hyperparameters

    @property
    def slug(self) -> str:
        """Architecture, learning rate and seed."""
        return self.hyperparameters.slug

    def content(self) -> Any:
        """Return everything but the path of the architecture's file, whose content counts."""
        return {"hyperparameters": self.hyperparameters.content, "training_set": self.training_set}

    @cached_property
    def id(self) -> str:
        """Content id: as any spec's, but thousands of networks share the text of their hyperparameters."""
        hyperparameters, training_set = self.hyperparameters.content_json, _quoted(self.training_set)
        content = f'{{"hyperparameters":{hyperparameters},"training_set":{training_set}}}'
        return id_from_canonical_json(self.slug, f'["{self.stage}",{self.version},{content}]')


class PackSpec(Spec):
    """The networks that one training job trains, on one training set or, of tiny networks, on several."""

    stage: ClassVar[str] = "packs"
    version: ClassVar[int] = 1
    training_set: TrainingSetSpec
    networks: tuple[NetworkSpec, ...]
    further_training_sets: tuple[TrainingSetSpec, ...] = ()

    @property
    def slug(self) -> str:
        """Number of networks."""
        return f"{len(self.networks)}networks"

    @property
    def training_sets(self) -> tuple[TrainingSetSpec, ...]:
        """All training sets."""
        return (self.training_set, *self.further_training_sets)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Ids of the datasets of all training sets, each once."""
        return tuple(dict.fromkeys(id_ for training_set in self.training_sets for id_ in training_set.datasets))

    def content(self) -> Any:
        """Return the ids of the networks."""
        return [network.id for network in self.networks]


class SuiteSpec(Spec):
    """A group of test datasets, or one labelled set."""

    stage: ClassVar[str] = "suites"
    version: ClassVar[int] = 1
    datasets: tuple[str, ...]

    @property
    def slug(self) -> str:
        """Number of datasets."""
        return f"{len(self.datasets)}datasets"


class EvaluationSpec(Spec):
    """Per-image scores of networks on the datasets of a suite."""

    stage: ClassVar[str] = "evaluations"
    version: ClassVar[int] = STAGE_VERSIONS["evaluations"]
    networks: tuple[str, ...]
    suite: str
    numeric_precision: EvaluationPrecision = "float32"

    @property
    def slug(self) -> str:
        """Number of networks."""
        return f"{len(self.networks)}networks"


class TransferSpec(Spec):
    """Information-transfer measures of all conditions of a campaign."""

    stage: ClassVar[str] = "transfer"
    version: ClassVar[int] = STAGE_VERSIONS["transfer"]
    conditions: tuple[Condition, ...]
    energy_eV: float
    pixel_size_A: float
    transfer: Transfer

    @property
    def slug(self) -> str:
        """Number of conditions."""
        return f"{len(self.conditions)}conditions"


AnySpec = TypeVar("AnySpec", bound=Spec)


def by_id(specs: Iterable[AnySpec]) -> dict[str, AnySpec]:
    """Index specs by id, each once, in order of first appearance."""
    return {spec.id: spec for spec in specs}

"""Workload of an artifact: the quantities that its time and its size are proportional to."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.config.training import Architecture
from hrtem_ood.execution.planning.inventory import ArtifactRecord, ArtifactSource
from hrtem_ood.learning.architectures.static_complexity import feature_count, flops_per_image, weight_count
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.physics.optics.fourier import band_limited_size

TRAINING_PASSES = 3
"""Cost of a forward and a backward pass of an image, in forward passes."""

METADATA_B = 40_000
"""Size of a network's file besides its weights [B]."""


class Workload(NamedTuple):
    """Workload of an artifact.

    Attributes
    ----------
    amount : float
        What time is proportional to; see :attr:`hrtem_ood.campaign.stage_table.Stage.cost`.
    content : float, [B]
        Bytes before compression, or what size is proportional to.
    kind : str
        Artifacts of one kind share a rate. The kind of networks and evaluations is the architecture.
    precision : str
        Of networks and evaluations. Those of another have another rate.
    """

    amount: float
    content: float
    kind: str = ""
    precision: str = ""


class WorkloadModel:
    """Computes the workloads of artifacts."""

    def __init__(self, source: ArtifactSource) -> None:
        self.source = source
        self._images = cache(self._find_images)
        self._forward = cache(self._find_forward)

    def of(self, stage: str, record: ArtifactRecord) -> Workload | None:
        """Return the workload of an artifact.

        Parameters
        ----------
        stage : str
            One that has a cost in the table of stages.
        record : ArtifactRecord

        Returns
        -------
        Workload, or None
            None where it is unknown: inputs of the artifact are missing, or the operations of a user's architecture have
            not been measured.
        """
        try:
            return self.COUNTS[stage](self, record)
        except KeyError:
            return None

    def _structures(self, record: ArtifactRecord) -> Workload:
        volume = _count(record) * _volume_A3(record.parameters["recipe"])
        return Workload(volume, volume)

    def _exit_waves(self, record: ArtifactRecord) -> Workload:
        recipe, simulation = (
            self.source.structures_by_series[record.parameters["structure_series"]].parameters["recipe"],
            _simulation(record),
        )
        size = round(recipe["cell_A"] / simulation["sampling_A"])
        slices = math.ceil(_height_A(recipe) / simulation["slice_thickness_A"])
        # the particles alone are simulated, too
        waves = simulation["n_frozen_phonons"] * (2 if recipe["substrate"] else 1)
        stored = band_limited_size(size) ** 2 * (8 * simulation["n_frozen_phonons"] + 4)
        return Workload(_count(record) * waves * size**2 * slices, _count(record) * stored)

    def _dataset(self, record: ArtifactRecord) -> Workload:
        side, phonons = self._images(record.id)
        pixels = record.parameters["n_structures"] * side**2
        return Workload(pixels * (phonons + 1), pixels)

    def _find_images(self, id_: str) -> tuple[int, int]:
        """Return the side [px] of a dataset's images, and phonons of their waves."""
        parameters = self.source.of("datasets")[id_].parameters
        waves = self.source.exit_waves_by_series[parameters["exit_wave_series"]]
        cell_A = self.source.structures_by_series[waves.parameters["structure_series"]].parameters["recipe"]["cell_A"]
        return round(cell_A / parameters["imaging"]["pixel_size_A"]), int(_simulation(waves)["n_frozen_phonons"])

    def _network(self, record: ArtifactRecord) -> Workload | None:
        training_set = self.source.of("training_sets")[record.parameters["training_set"]].parameters
        hyper, images = record.parameters["hyperparameters"], sum(training_set["n_images"])
        forward = self._forward(record.id, self._images(training_set["datasets"][0])[0])
        if forward.flops is None:
            return None
        passes_forward = images * hyper["epochs"] if hyper["epochs"] else hyper["steps"] * hyper["batch_size"]
        validated = training_set["n_validation_structures"] * math.ceil(passes_forward / images)
        weight_bytes = 2 if hyper["stored_dtype"] == "bfloat16" else 4
        passes = TRAINING_PASSES * passes_forward + validated
        content = weight_bytes * forward.weights + METADATA_B
        return Workload(forward.flops * passes, content, forward.architecture, hyper["numeric_precision"])

    def _find_forward(self, id_: str, side: int) -> "_Forward":
        """Return the complexity of a network, for an image of a size."""
        record = self.source.of("networks")[id_]
        if isinstance(record.spec, NetworkSpec):
            architecture = record.spec.hyperparameters.architecture
        else:
            architecture = _of_text(canonical_json(record.parameters["hyperparameters"]["architecture"]))
        static = _static_complexity(architecture, side)
        if static.flops is not None:
            return static
        flops, weights = record.attributes.get("flops_per_image"), record.attributes.get("parameter_count", 0)
        return static._replace(flops=flops, weights=weights)

    def _evaluation(self, record: ArtifactRecord) -> Workload | None:
        datasets = self.source.of("suites")[record.parameters["suite"]].parameters["datasets"]
        images = sum(self.source.of("datasets")[id_].parameters["n_structures"] for id_ in datasets)
        side, _ = self._images(datasets[0])
        costs = [self._forward(network, side) for network in record.parameters["networks"]]
        if any(cost.flops is None for cost in costs):
            return None
        flops = sum(cost.flops for cost in costs if cost.flops)
        labels = {cost.architecture for cost in costs}
        stored = sum(len(METRICS) * 4 + cost.features * 2 for cost in costs)
        precision = record.parameters.get("numeric_precision", "float32")
        return Workload(images * flops, images * stored, " ".join(sorted(labels)), precision)

    def _transfer(self, record: ArtifactRecord) -> Workload:
        settings, conditions = record.parameters["transfer"], len(record.parameters["conditions"])
        points = settings["radial_points"] * settings["azimuthal_points"]
        return Workload(conditions**2 * points, conditions * points * 4)

    COUNTS: ClassVar[dict[str, Callable[["WorkloadModel", ArtifactRecord], Workload | None]]] = {
        "structures": _structures,
        "exit_waves": _exit_waves,
        "datasets": _dataset,
        "networks": _network,
        "evaluations": _evaluation,
        "transfer": _transfer,
    }
    """How each stage with a cost is counted."""


class _Forward(NamedTuple):
    """Operations of a network for an image, its architecture, and its numbers of weights and features."""

    flops: float | None
    architecture: str
    weights: int
    features: int


@cache
def _static_complexity(architecture: Architecture, side: int) -> _Forward:
    flops, weights = flops_per_image(architecture, side), weight_count(architecture) or 0
    return _Forward(flops, architecture.label, weights, feature_count(architecture))


@cache
def _of_text(text: str) -> Architecture:
    return Architecture.model_validate_json(text)


def _count(record: ArtifactRecord) -> int:
    return int(record.parameters["stop"] - record.parameters["start"])


def _simulation(record: ArtifactRecord) -> dict[str, Any]:
    simulation: dict[str, Any] = record.parameters["simulation"]
    return simulation


def _height_A(recipe: Mapping[str, Any]) -> float:
    """Height of a structure [Å]: substrate, mean particle and vacuum."""
    substrate = recipe["substrate"]["thickness_A"] if recipe["substrate"] else 0
    return float(substrate + sum(recipe["particles"]["radius_A"]) + 2 * recipe["vacuum_A"])


def _volume_A3(recipe: Mapping[str, Any]) -> float:
    return float(recipe["cell_A"] ** 2 * _height_A(recipe))

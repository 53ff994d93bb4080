"""How much there is to do for an artifact: what its time, and what its size, is proportional to."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.config.training import Architecture
from hrtem_ood.execution.planning.inventory import ArtifactRecord, ArtifactSource
from hrtem_ood.execution.planning.static_complexity import feature_count, flops_per_image, weight_count
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.physics.optics.fourier import band_limited_size

TRAINING_PASSES = 3
"""Forward and backward pass of an image, in forward passes."""

TOLD_B = 40_000
"""Size of what a network's file holds besides weights [B]."""


class Workload(NamedTuple):
    """What an artifact takes.

    Attributes
    ----------
    amount : float
        What time is proportional to: Å³ of scenes; grid points of all slices of all waves; image pixels, once per phonon
        and once for the noise; floating-point operations of networks; points of the integrals of σ.
    content : float, [B]
        Bytes before compression, or what size is proportional to.
    kind : str
        Only artifacts of one kind take time alike: the architecture, of networks and evaluations.
    """

    amount: float
    content: float
    kind: str = ""


class WorkloadModel:
    """Counts the work for the artifacts of a source."""

    def __init__(self, source: ArtifactSource) -> None:
        self.source = source
        self._images = cache(self._find_images)
        self._forward = cache(self._find_forward)

    def of(self, stage: str, told: ArtifactRecord) -> Workload | None:
        """Count the work for an artifact.

        Parameters
        ----------
        stage : str
            Structures, exit waves, datasets, networks, evaluations or transfer.
        told : ArtifactRecord

        Returns
        -------
        Work, or None
            None where it cannot be told: what the artifact was made from is gone, or its architecture is a user's own.
        """
        count = {
            "structures": self._structures,
            "exit_waves": self._exit_waves,
            "datasets": self._dataset,
            "networks": self._network,
            "evaluations": self._evaluation,
            "transfer": _transfer,
        }[stage]
        try:
            return count(told)
        except KeyError:
            return None

    def _structures(self, told: ArtifactRecord) -> Workload:
        volume = _count(told) * _volume_A3(told.parameters["recipe"])
        return Workload(volume, volume)

    def _exit_waves(self, told: ArtifactRecord) -> Workload:
        recipe, simulation = (
            self.source.structures_by_series[told.parameters["structure_series"]].parameters["recipe"],
            _simulation(told),
        )
        size = round(recipe["cell_A"] / simulation["sampling_A"])
        slices = math.ceil(_height_A(recipe) / simulation["slice_thickness_A"])
        # the particles alone are simulated, too
        waves = simulation["n_frozen_phonons"] * (2 if recipe["substrate"] else 1)
        stored = band_limited_size(size) ** 2 * (8 * simulation["n_frozen_phonons"] + 4)
        return Workload(_count(told) * waves * size**2 * slices, _count(told) * stored)

    def _dataset(self, told: ArtifactRecord) -> Workload:
        side, phonons = self._images(told.id)
        pixels = told.parameters["n_structures"] * side**2
        return Workload(pixels * (phonons + 1), pixels)

    def _find_images(self, id_: str) -> tuple[int, int]:
        """Return the side [px] of a dataset's images, and phonons of their waves."""
        parameters = self.source.of("datasets")[id_].parameters
        waves = self.source.exit_waves_by_series[parameters["exit_wave_series"]]
        cell_A = self.source.structures_by_series[waves.parameters["structure_series"]].parameters["recipe"]["cell_A"]
        return round(cell_A / parameters["imaging"]["pixel_size_A"]), int(_simulation(waves)["n_frozen_phonons"])

    def _network(self, told: ArtifactRecord) -> Workload | None:
        training_set = self.source.of("training_sets")[told.parameters["training_set"]].parameters
        hyper, images = told.parameters["hyperparameters"], sum(training_set["n_images"])
        forward = self._forward(told.id, self._images(training_set["datasets"][0])[0])
        if forward.flops is None:
            return None
        shown = images * hyper["epochs"] if hyper["epochs"] else hyper["steps"] * hyper["batch_size"]
        validated = training_set["n_validation_structures"] * math.ceil(shown / images)
        each = 2 if hyper["stored_dtype"] == "bfloat16" else 4
        passes = TRAINING_PASSES * shown + validated
        return Workload(forward.flops * passes, each * forward.weights + TOLD_B, forward.architecture)

    def _find_forward(self, id_: str, side: int) -> "_Forward":
        """Return what a network takes for an image."""
        told = self.source.of("networks")[id_]
        architecture = _of_text(canonical_json(told.parameters["hyperparameters"]["architecture"]))
        flops = flops_per_image(architecture, side) or told.attributes.get("flops_per_image")
        weights = weight_count(architecture) or told.attributes.get("parameter_count", 0)
        return _Forward(flops, architecture.label, weights, feature_count(architecture))

    def _evaluation(self, told: ArtifactRecord) -> Workload | None:
        datasets = self.source.of("suites")[told.parameters["suite"]].parameters["datasets"]
        images = sum(self.source.of("datasets")[id_].parameters["n_structures"] for id_ in datasets)
        side, _ = self._images(datasets[0])
        costs = [self._forward(network, side) for network in told.parameters["networks"]]
        if any(cost.flops is None for cost in costs):
            return None
        flops = sum(cost.flops for cost in costs if cost.flops)
        labels = {cost.architecture for cost in costs}
        stored = sum(len(METRICS) * 4 + cost.features * 2 for cost in costs)
        return Workload(images * flops, images * stored, " ".join(sorted(labels)))


class _Forward(NamedTuple):
    """Operations of a network on an image, its architecture, and how many weights and features it has."""

    flops: float | None
    architecture: str
    weights: int
    features: int


def _transfer(told: ArtifactRecord) -> Workload:
    settings, conditions = told.parameters["transfer"], len(told.parameters["conditions"])
    points = settings["radial_points"] * settings["azimuthal_points"]
    return Workload(conditions**2 * points, conditions * points * 4)


@cache
def _of_text(text: str) -> Architecture:
    return Architecture.model_validate_json(text)


def _count(told: ArtifactRecord) -> int:
    return int(told.parameters["stop"] - told.parameters["start"])


def _simulation(told: ArtifactRecord) -> dict[str, Any]:
    simulation: dict[str, Any] = told.parameters["simulation"]
    return simulation


def _height_A(recipe: Mapping[str, Any]) -> float:
    """Height of a scene [Å]: substrate, mean particle and empty space."""
    substrate = recipe["substrate"]["thickness_A"] if recipe["substrate"] else 0
    return float(substrate + sum(recipe["particles"]["radius_A"]) + 2 * recipe["vacuum_A"])


def _volume_A3(recipe: Mapping[str, Any]) -> float:
    return float(recipe["cell_A"] ** 2 * _height_A(recipe))

"""Synthetic campaigns: every artifact that analysis and report read, written through the store under its right id."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign, EvaluationJob
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec, NetworkSpec
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.learning.checkpoint import TrainingDomain, TrainingOutcome, write_network
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.report.figures import catalogue
from hrtem_ood.stages.metrics import metrics as run_metrics
from hrtem_ood.stages.predictors import predictors
from hrtem_ood.stages.transfer import transfer

CHANNELS = 2
"""Features of every network."""

Rule = Callable[[NetworkSpec, DatasetSpec, int], float]
"""F1 of a network on an image of a dataset."""


def base_config() -> dict[str, Any]:
    """Two single-condition training sets and their mixture, two seeds, three test conditions of one structure set."""
    scenes = {
        "n_structures": 6, "seed": 1, "material": "CdSe", "cell_A": 12.8,
        "particles": {"radius_A": [3, 3], "separation_A": 2},
    }  # fmt: skip
    return {
        "campaign": "synthetic",
        "materials": {"CdSe": {"formula": "CdSe", "structure": "zincblende", "a_A": 6.08}},
        "structure_sets": {"train": scenes, "test": scenes | {"n_structures": 3, "seed": 2}},
        "simulation": {"sampling_A": 0.2, "n_frozen_phonons": 1},
        "imaging": {"pixel_size_A": 0.4},
        "conditions": {
            "trained": {"defocus_A": [-100, 100], "dose_e_per_A2": 400, "focal_spread_A": 20},
            "focus": {"defocus_A": 0, "dose_e_per_A2": 400, "focal_spread_A": 20},
        },
        "training_sets": {
            "single": {"structure_set": "train", "conditions": "trained", "n_images": 4, "n_validation_structures": 1},
            "mixed": {
                "structure_set": "train",
                "conditions": "trained",
                "mixture": True,
                "n_images": 4,
                "n_validation_structures": 1,
            },
        },
        "networks": {"unet": {"training_sets": ["single", "mixed"], "epochs": 1, "seed": [0, 1]}},
        "test_suites": {"test": {"structure_set": "test", "conditions": ["trained", "focus"]}},
        "transfer": {"radial_points": 32, "azimuthal_points": 4},
        "analysis": {"bootstrap_resamples": 100},
        "report": {"dpi": 60},
        "execution": {"networks_per_job": 1},
    }


def trained_on(campaign: Campaign, network: NetworkSpec) -> list[float]:
    """Defoci that a network was trained under."""
    training_set = campaign.training_set_by_id[network.training_set]
    return sorted(campaign.datasets[id_].condition.defocus_A for id_ in training_set.datasets)


def default_rule(campaign: Campaign) -> Rule:
    """F1 falls with the change of defocus, and differs a little by seed and image."""

    def f1(network: NetworkSpec, dataset: DatasetSpec, image: int) -> float:
        change = min(abs(dataset.condition.defocus_A - defocus) for defocus in trained_on(campaign, network))
        return max(0.0, 0.9 - change / 500 - 0.01 * network.hyperparameters.seed + 0.005 * (image % 3))

    return f1


@dataclass
class Written:
    """A campaign whose artifacts are written below ``results``."""

    campaign: Campaign
    results: Path

    @property
    def folder(self) -> Path:
        """Of the report."""
        return self.path("reports", self.campaign.report_id)

    @property
    def metrics(self) -> Path:
        return self.path("metrics", self.campaign.metrics_id)

    def path(self, stage: str, id_: str) -> Path:
        return Results(self.results).path(stage, id_)

    def gathered(self) -> xr.Dataset:
        """Make the metrics, and return all of them; text as objects."""
        run_metrics(self.campaign, self.results)
        found = store.read_zarr(self.metrics)
        return found.assign_coords({name: c.astype(object) for name, c in found.coords.items() if c.dtype.kind == "T"})


def write(campaign: Campaign, results: Path, rule: Rule | None = None, diverged: tuple[str, ...] = ()) -> Written:
    """Write evaluations, packs, transfer and test datasets of a campaign."""
    made = Written(campaign, results)
    transfer(campaign.transfer, made.path("transfer", campaign.transfer.id))
    for pack in campaign.packs.values():
        networks = {
            network.id: {"epochs": 1, "seconds": 1.5, "parameter_count": 1234, "flops_per_image": 5_000_000}
            | (
                {"diverged": True}
                if network.id in diverged
                else {"diverged": False, "best_val_loss": 0.1 + 0.01 * network.hyperparameters.seed}
            )
            for network in pack.networks
        }
        provenance = store.provenance(pack, seconds=3.0, device="cpu")
        store.write_json(made.path("packs", pack.id), {"id": pack.id, "networks": networks, **provenance})
    for job in campaign.evaluations.values():
        if job.suite.datasets[0] in campaign.datasets:  # else of micrographs
            write_evaluation(made, job, rule or default_rule(campaign))
    for id_ in campaign.datasets:
        write_dataset(made, campaign.datasets[id_])
    for shards, _ in campaign.exit_waves_for_recipe.values():
        for shard in shards:
            write_waves(made, shard)
    if not made.path("predictors", campaign.predictors_id).exists():  # whatever the scores are
        predictors(campaign, results)
    return made


def write_waves(made: Written, spec: ExitWaveShardSpec) -> None:
    """Write phase objects: a grating for a lattice, in a corner, on noise for a film."""
    side, number = 64, spec.stop - spec.start
    y, x = np.mgrid[:side, :side]
    lattice = np.where(np.hypot(y - 30, x - 30) < 16, 0.1 + 0.1 * np.cos(1.2 * x), 0.0)
    phase = np.broadcast_to(lattice, (number, side, side)).astype(np.float32)
    film = 0.05 * np.random.default_rng(11).standard_normal(phase.shape)
    wave = np.exp(1j * (phase + film)).astype(np.complex64)
    dataset = xr.Dataset(
        {
            "exit_wave": (("structure", "phonon", "y", "x"), wave[:, None]),
            "particle_phase": (("structure", "y", "x"), phase),
        },
        attrs={"sampling_A": 0.2},
    )
    store.write_zarr(made.path("exit_waves", spec.id), dataset, store.provenance(spec, seconds=1.0, device="cpu"))


def write_evaluation(made: Written, job: EvaluationJob, rule: Rule) -> None:
    campaign = made.campaign
    # datasets in an order that is not the analysis' own
    datasets = [campaign.datasets[id_] for id_ in sorted(job.suite.datasets, reverse=True)]
    images = np.arange(datasets[0].n_structures)
    f1 = np.array([[[rule(network, d, i) for i in images] for d in datasets] for network in job.networks])
    scores = {"f1": f1, "iou": f1 / (2 - f1), "precision": f1, "recall": f1, "cross_entropy": 1 - f1}
    scores |= {"calibration_error": 0.5 * (1 - f1), "entropy": 0.6 * (1 - f1) ** 2, "confidence": 0.5 + 0.5 * f1}
    assert set(scores) == set(METRICS)
    dims = ("network", "condition", "image")
    feature = np.stack([[features_of(campaign, network, each) for each in datasets] for network in job.networks])
    dataset = xr.Dataset(
        {name: (dims, values.astype(np.float32)) for name, values in scores.items()}
        | {"feature": ((*dims, "channel"), feature), "features": ("network", np.full(len(feature), CHANNELS))},
        coords={
            "network": np.array([network.id for network in job.networks], dtype=object),
            "condition": np.array([d.id for d in datasets], dtype=object),
            "image": images,
        },
    )
    provenance = store.provenance(job.spec, seconds=2.0, device="cpu")
    store.write_zarr(made.path("evaluations", job.spec.id), dataset, provenance)


def features_of(campaign: Campaign, network: NetworkSpec, dataset: DatasetSpec) -> np.ndarray:
    """Features (image, channel) that tell structures apart, and that another defocus turns and shifts."""
    rng = np.random.default_rng(network.hyperparameters.seed)
    change = min(abs(dataset.condition.defocus_A - defocus) for defocus in trained_on(campaign, network))
    of_structures = np.random.default_rng(dataset.n_structures).standard_normal((dataset.n_structures, CHANNELS))
    turned = of_structures @ (np.eye(CHANNELS) + change / 100 * rng.standard_normal((CHANNELS, CHANNELS)))
    return (turned + 5 + change / 50).astype(np.float16)


def write_dataset(made: Written, spec: DatasetSpec) -> None:
    """Write images of a disc in noise: enough to draw."""
    side = 32
    y, x = np.mgrid[:side, :side]
    label = np.hypot(y - 15, x - 17) < 9
    rng = np.random.default_rng(7)
    contrast = 0.4 * np.sign(spec.condition.defocus_A)
    mean = spec.condition.dose_e_per_A2 * 0.16 * (1 - contrast * label * (np.cos(1.5 * x) + 1) / 2)
    counts = rng.poisson(mean, (spec.n_structures, side, side)).astype(np.uint16)
    dims = ("image", "y", "x")
    labels = np.broadcast_to(label, counts.shape).astype(np.uint8)
    dataset = xr.Dataset({"counts": (dims, counts), "label": (dims, labels)})
    device = "NVIDIA H100" if spec.condition.defocus_A < 0 else "cpu"
    attributes = store.provenance(spec, seconds=0.5, device=device) | {"pixel_size_A": 0.4}
    attributes |= {"condition": json.dumps(spec.condition.model_dump())}
    store.write_zarr(made.path("datasets", spec.id), dataset, attributes)


def write_network_file(made: Written, id_: str, *, diverged: bool = False) -> None:
    """Write a network's file with learning curves of three epochs, and no weights."""
    losses = [0.8, 0.3, math.inf if diverged else 0.4]
    told = {"train_loss": [0.7, 0.4, 0.2], "validation_loss": losses, "learning_rate": [0.003, 0.002, 0.001]}
    trained = TrainingOutcome(
        {}, best_epoch=-1 if diverged else 1, best_validation_loss=0.3, curves=told, diverged=diverged
    )
    path, spec = made.path("networks", id_), made.campaign.networks[id_]
    write_network(path, spec, trained, TrainingDomain((), 3e5, 0.4, 32), seconds=1.0, device="cpu")


@pytest.fixture
def config() -> dict[str, Any]:
    """Configuration of the synthetic campaign, for tests to change."""
    return base_config()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the figures of reports without turning them into pictures, for tests of what stands beside them."""
    monkeypatch.setattr(catalogue, "render", lambda _figure, kinds, _dpi: [b"" for _ in kinds])


@pytest.fixture
def make(tmp_path: Path, synthetic: Written) -> Callable[..., Written]:
    """Return a function that makes a campaign of a configuration and writes its artifacts."""

    def made(config: dict[str, Any], **options: Any) -> Written:
        campaign, results = Campaign(CampaignConfig.model_validate(config)), tmp_path / "results"
        ours, theirs = (
            Results(each).path("predictors", campaign.predictors_id) for each in (results, synthetic.results)
        )
        if theirs.exists() and not ours.exists():  # the same, by its id, and the slowest of all
            ours.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(theirs, ours)
        return write(campaign, results, **options)

    return made


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return the synthetic campaign as it is, with its artifacts; not to be written to."""
    return write(Campaign(CampaignConfig.model_validate(base_config())), tmp_path_factory.mktemp("synthetic"))

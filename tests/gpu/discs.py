"""Datasets of bright discs in noise, and the calls that train and score networks on them, on a GPU or on the CPU."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import EvaluationSpec, NetworkSpec, PackSpec, SuiteSpec, TrainingSetSpec
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.checkpoint import TrainingOutcome
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.image_selection import select_images
from hrtem_ood.learning.training.training_data import VARIABLE, read_pairs
from hrtem_ood.stages.evaluate import evaluate
from hrtem_ood.stages.suite import index_suite
from hrtem_ood.stages.train import train

Where = Literal["cpu", "gpu"]
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
SIDE, PIXEL_A, ENERGY_EV = 128, 0.4, 300e3
STRUCTURES, VALIDATION, N_IMAGES = 56, 16, (40, 24)
TESTED = 64
TRAIN, TEST = ("train-0", "train-1"), tuple(f"test-{number}" for number in range(4))
TRAINING_SET = TrainingSetSpec(
    datasets=TRAIN, n_structures=STRUCTURES, n_images=N_IMAGES, n_validation_structures=VALIDATION
)
SCRIPT = Path(__file__).with_name("train_pack.py")


class Discs:
    """A results folder with two training and four test datasets, which differ in contrast."""

    def __init__(self, results: Path) -> None:
        self.results, self.data = results, results
        for seed, name in enumerate((*TRAIN, *TEST)):
            self._write(name, seed, STRUCTURES if name in TRAIN else TESTED)
        self.suite = SuiteSpec(datasets=TEST)
        index_suite(self.suite, [self.dataset(name) for name in TEST], self._suite)

    @property
    def _suite(self) -> Path:
        return self.results / "suites" / f"{self.suite.id}.json"

    def dataset(self, name: str) -> Path:
        return self.data / "datasets" / f"{name}.zarr.zip"

    def _write(self, name: str, seed: int, images: int) -> None:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:SIDE, :SIDE]
        centre = rng.uniform(30, SIDE - 30, (2, images, 1, 1))
        label = (np.hypot(y - centre[0], x - centre[1]) < rng.uniform(18, 28, (images, 1, 1))).astype(np.uint8)
        expected = (5 + (8 + seed) * label).astype(np.float32)
        axes = ("image", "y", "x")
        counts = rng.poisson(expected).astype(np.uint8)
        data = {"counts": (axes, counts), "label": (axes, label), "expected_counts": (axes, expected)}
        attributes = {
            "id": name,
            "sha256_of_images": store.arrays_sha256(counts, label),
            "condition": json.dumps({"defocus_A": 100 * seed, "dose_e_per_A2": 400}),
            "pixel_size_A": PIXEL_A,
            "energy_eV": ENERGY_EV,
        }
        store.write_zarr(self.dataset(name), xr.Dataset(data, coords={"image": np.arange(images)}), attributes)

    def at(self, folder: str) -> "Discs":
        """Return the same datasets with another results folder."""
        other = object.__new__(Discs)
        other.results, other.data, other.suite = self.results / folder, self.data, self.suite
        index_suite(self.suite, [self.dataset(name) for name in TEST], other._suite)
        (other.results / "datasets").symlink_to(self.data / "datasets")
        return other

    def pack(self, *seeds: int, **hyperparameters: Any) -> PackSpec:
        chosen: dict[str, Any] = {
            "epochs": 14,
            "batch_size": 8,
            "learning_rate": 2e-3,
            "architecture": {"base_channels": 8, "depth": 2},
        }
        networks = [
            NetworkSpec(training_set=TRAINING_SET.id, hyperparameters=chosen | hyperparameters | {"seed": seed})
            for seed in seeds
        ]
        return PackSpec(training_set=TRAINING_SET, networks=networks)

    def spec(self, **hyperparameters: Any) -> NetworkSpec:
        return self.pack(0, **hyperparameters).networks[0]

    def pack_file(self, pack: PackSpec) -> Path:
        return self.results / "packs" / f"{pack.id}.json"

    def network(self, spec: NetworkSpec, suffix: str = ".ckpt") -> Path:
        return self.results / "networks" / f"{spec.id}{suffix}"

    def train(self, pack: PackSpec, device: Where = "gpu", **options: Any) -> dict[str, str]:
        """Train a pack in this process; return the sha256 of the weights of every network."""
        datasets = [self.dataset(name) for name in TRAIN]
        train(pack, datasets, self.results / "networks", self.pack_file(pack), device=device, **options)
        return self.weights(pack)

    def weights(self, pack: PackSpec) -> dict[str, str]:
        entries = store.read_json(self.pack_file(pack))["networks"]
        return {id_: entry["sha256_of_weights"] for id_, entry in entries.items()}

    def start(self, pack: PackSpec, *, kill_after_epoch: int = 0) -> "subprocess.Popen[str]":
        """Start to train a pack on the GPU in a process of its own, which may kill itself after a saved epoch."""
        arguments = [pack.json_text, str(self.results), str(self.data), str(kill_after_epoch)]
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def images(self, *, resampled: bool = False) -> tuple[Images, Images]:
        paths = [self.dataset(name) for name in TRAIN]
        training, validation = select_images(TRAINING_SET)
        return read_pairs(paths, training, variable=VARIABLE[resampled]), read_pairs(paths, validation)

    def fit(self, spec: NetworkSpec, images: tuple[Images, Images], device: torch.device) -> TrainingOutcome:
        training, validation = (part.to_device_if_fits(device) for part in images)
        with reproducible():
            return fit(spec, training, validation, TrainingSettings(device), self.network(spec, ".resume"))

    def scores(self, packs: Sequence[PackSpec], device: Where) -> xr.Dataset:
        """Return the scores of all networks of some packs on the test datasets, computed anew."""
        ids = tuple(network.id for pack in packs for network in pack.networks)
        spec = EvaluationSpec(networks=ids, suite=self.suite.id)
        output = self.results / "evaluations" / f"{spec.id}.zarr.zip"
        output.unlink(missing_ok=True)
        evaluate(spec, [self.pack_file(pack) for pack in packs], self._suite, self.results, output, device=device)
        return store.read_zarr(output)

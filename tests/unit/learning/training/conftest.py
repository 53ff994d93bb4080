"""Two small datasets of bright discs in noise, and the calls that train on them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec, PackSpec, TrainingSetSpec
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.checkpoint import TrainingOutcome
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.image_selection import select_images
from hrtem_ood.learning.training.training_data import read_pairs
from hrtem_ood.stages.train import train

SIDE, STRUCTURES, PIXEL_A, ENERGY_EV = 16, 10, 0.5, 200e3
CPU = torch.device("cpu")


class Laboratory:
    """A results folder with two datasets."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.datasets: list[Path] = []
        for index, name in enumerate(("a-dataset", "b-dataset")):
            rng = np.random.default_rng(index)
            y, x = np.mgrid[:SIDE, :SIDE]
            centre = rng.uniform(4, 12, (2, STRUCTURES, 1, 1))
            label = (np.hypot(y - centre[0], x - centre[1]) < 4).astype(np.uint8)
            expected = (4 + 8 * label).astype(np.float32)
            axes = ("image", "y", "x")
            data = {
                "counts": (axes, rng.poisson(expected).astype(np.uint8)),
                "label": (axes, label),
                "expected_counts": (axes, expected),
            }
            condition = json.dumps({"defocus_A": 100 * index, "dose_e_per_A2": 400})
            told = {"id": name, "condition": condition, "pixel_size_A": PIXEL_A, "energy_eV": ENERGY_EV}
            self.datasets.append(results / "datasets" / f"{name}.zarr.zip")
            store.write_zarr(self.datasets[-1], xr.Dataset(data, coords={"image": np.arange(STRUCTURES)}), told)

    def pack(self, *seeds: int, **hyperparameters: Any) -> PackSpec:
        training_set = TrainingSetSpec(
            datasets=("a-dataset", "b-dataset"), n_structures=STRUCTURES, n_images=(4, 3), n_validation_structures=3
        )
        chosen = {"epochs": 3, "batch_size": 3, "learning_rate": 0.02, "architecture": {"base_channels": 2, "depth": 1}}
        if "steps" in hyperparameters:
            del chosen["epochs"]
        return PackSpec(
            training_set=training_set,
            networks=tuple(
                NetworkSpec(training_set=training_set.id, hyperparameters=chosen | hyperparameters | {"seed": seed})
                for seed in seeds
            ),
        )

    def spec(self, **hyperparameters: Any) -> NetworkSpec:
        return self.pack(0, **hyperparameters).networks[0]

    def at(self, folder: str) -> "Laboratory":
        """The same datasets, other results."""
        other = object.__new__(Laboratory)
        other.results, other.datasets = self.results / folder, self.datasets
        return other

    def run(self, pack: PackSpec, **how: Any) -> dict[str, Any]:
        output = self.results / "packs" / f"{pack.id}.json"
        train(pack, self.datasets, self.results / "networks", output, device="cpu", **how)
        return store.read_json(output)

    def network(self, spec: NetworkSpec, suffix: str = ".ckpt") -> Path:
        return self.results / "networks" / f"{spec.id}{suffix}"

    def images(self, variable: str = "counts") -> tuple[Images, Images]:
        training, validation = select_images(self.pack(0).training_set)
        return read_pairs(self.datasets, training, variable=variable), read_pairs(self.datasets, validation)

    def fit(self, spec: NetworkSpec, images: tuple[Images, Images] | None = None, **how: Any) -> TrainingOutcome:
        self.network(spec).parent.mkdir(parents=True, exist_ok=True)
        with reproducible():
            return fit(spec, *(images or self.images()), TrainingSettings(CPU, **how), self.network(spec, ".resume"))


@pytest.fixture
def lab(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)

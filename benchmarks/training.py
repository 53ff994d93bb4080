"""Training through Lightning against a bare PyTorch loop, and a pack of networks against one process each.

Ours is `fit`: building the network and the Trainer, batches gathered from integer counts, turned and standardised,
steps, validation, snapshots of the state. The peer is a plain loop over the same images, which lie standardised in
memory: index, forward, loss, backward, step, schedule, and the same validation; no augmentation, no bookkeeping.

A pack is `hrtem-ood stage train`, from the start of the process to its end, with few steps, so that what is not steps shows;
its overhead is what its networks take beyond the peer's time for the same steps. Images are noisy discs.

    python benchmarks/training.py
"""

import math
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import evaluation
import numpy as np
import torch
import xarray as xr
from report import Budget, alternate, median_ratio, report

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.specs import NetworkSpec, TrainingSetSpec
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Images, standardise
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.image_selection import select_images
from hrtem_ood.learning.training.losses import pixel_cross_entropy
from hrtem_ood.learning.training.training_data import read_pairs

CPU = torch.device("cpu")
SIDE, PIXEL_A, IMAGES, VALIDATION, BATCH = 128, 0.4, 160, 16, 8
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "unet_8_3": ({"name": "unet", "base_channels": 8, "depth": 3}, 6),
    "unet_16_4": ({"name": "unet", "base_channels": 16, "depth": 4}, 2),
}
"""Architecture, and epochs."""

REPEATS, PACK, PACK_STEPS = 5, 16, 4
TRAINING_SET = TrainingSetSpec(
    datasets=("d",), n_structures=IMAGES + VALIDATION, n_images=(IMAGES,), n_validation_structures=VALIDATION
)


def write_dataset(folder: Path, id_: str = "d", side: int = SIDE, images: int = IMAGES + VALIDATION) -> Path:
    """Write one dataset of noisy discs."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] * (SIDE / side)
    centre = rng.uniform(30, SIDE - 30, (2, images, 1, 1))
    label = (np.hypot(y - centre[0], x - centre[1]) < 25).astype(np.uint8)
    counts = rng.poisson(60 + 10 * label).astype(np.uint8)
    dims = ("image", "y", "x")
    dataset = xr.Dataset({"counts": (dims, counts), "label": (dims, label)}, coords={"image": np.arange(len(label))})
    told = {
        "condition": canonical_json({"defocus_A": 100, "dose_e_per_A2": 400}),
        "pixel_size_A": PIXEL_A,
        "energy_eV": 300e3,
    }
    path = folder / "datasets" / f"{id_}.zarr.zip"
    store.write_zarr(path, dataset, {"id": id_, "sha256_of_images": store.arrays_sha256(counts, label), **told})
    return path


def network_spec(architecture: dict[str, Any], seed: int = 0, **length: int) -> NetworkSpec:
    """Return a network of the recipe that both sides follow."""
    hyper = {"architecture": architecture, "batch_size": BATCH, "learning_rate": 6e-3, "seed": seed, **length}
    return NetworkSpec(training_set=TRAINING_SET.id, hyperparameters=hyper)


def ready(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Return standardised images and labels, as a bare loop would keep them."""
    return standardise(images.counts).unsqueeze(1), images.label.long()


def bare_loop(spec: NetworkSpec, training: tuple[torch.Tensor, ...], validation: tuple[torch.Tensor, ...]) -> None:
    """Train without Lightning."""
    hyper, images = spec.hyperparameters, len(training[0])
    network = build(hyper.architecture)
    optimizer = torch.optim.AdamW(network.parameters(), lr=hyper.learning_rate, fused=True)
    steps = hyper.steps or (hyper.epochs or 0) * -(-images // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, hyper.learning_rate, total_steps=steps)
    taken = 0
    while taken < steps:
        network.train()
        for part in torch.randperm(images).split(BATCH)[: steps - taken]:
            optimizer.zero_grad()
            pixel_cross_entropy(network(training[0][part]), training[1][part]).backward()
            optimizer.step()
            schedule.step()
            taken += 1
        network.eval()
        with torch.no_grad():
            for image, label in zip(*(tensor.split(BATCH) for tensor in validation), strict=True):
                pixel_cross_entropy(network(image), label)


def against_bare_loop(dataset: Path, folder: Path) -> dict[str, float]:
    """Time `fit` and the bare loop in turn."""
    training, validation = (read_pairs([dataset], pairs) for pairs in select_images(TRAINING_SET))
    prepared, figures = [ready(part) for part in (training, validation)], {}
    for name, (architecture, epochs) in CASES.items():
        spec = network_spec(architecture, epochs=epochs)
        with reproducible():
            seconds = alternate(
                {
                    "bare": partial(bare_loop, spec, *prepared),
                    "ours": partial(
                        fit, spec, training, validation, TrainingSettings(CPU, math.inf), folder / "none.resume"
                    ),
                },
                REPEATS,
            )
        for side, measured in seconds.items():
            figures[f"{name}: {side} [images/s]"] = epochs * IMAGES / median(measured)
        figures[f"{name}: ours / bare"] = median_ratio(seconds["bare"], seconds["ours"])
    return figures


def campaign_of(pack: int) -> Campaign:
    """Return a campaign of networks on one dataset, so many to a pack."""
    scenes = {"material": "Au", "cell_A": SIDE * PIXEL_A, "particles": {"radius_A": [5, 7]}}
    return load_campaign(
        {
            "campaign": "benchmark",
            "materials": {"Au": {"formula": "Au", "structure": "fcc", "a_A": 4.0782}},
            "structure_sets": {
                "train": scenes | {"n_structures": IMAGES + VALIDATION, "seed": 1},
                "test": scenes | {"n_structures": 1, "seed": 2},
            },
            "simulation": {"sampling_A": PIXEL_A / 2, "n_frozen_phonons": 1},
            "imaging": {"pixel_size_A": PIXEL_A},
            "conditions": {"one": {"defocus_A": 100, "dose_e_per_A2": 400}},
            "training_sets": {
                "one": {
                    "structure_set": "train",
                    "conditions": "one",
                    "n_images": IMAGES,
                    "n_validation_structures": VALIDATION,
                }
            },
            "networks": {
                "unet": {
                    "training_sets": "one",
                    "architecture": CASES["unet_8_3"][0],
                    "batch_size": BATCH,
                    "learning_rate": 6e-3,
                    "steps": PACK_STEPS,
                    "seed": list(range(PACK)),
                }
            },
            "test_suites": {"test": {"structure_set": "test", "conditions": "one"}},
            "execution": {"networks_per_job": pack, "device": "cpu"},
        }
    )


def run(folder: Path, campaign: Campaign, packs: int | None = None) -> float:
    """Run `hrtem-ood stage train` on packs of a campaign, one process each, and return the wall time of a network [s]."""
    config = folder / "config.yaml"
    store.write_text(config, campaign.config_json)
    ((dataset, _),) = (each for each in campaign.datasets.items() if each[1].n_structures > 1)
    write_dataset(folder, dataset)
    chosen = list(campaign.packs.values())[:packs]
    begin = perf_counter()
    for pack in chosen:
        command = [
            sys.executable,
            "-m",
            "hrtem_ood",
            "stage",
            "train",
            pack.id,
            "--config",
            str(config),
            "--results",
            str(folder),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return (perf_counter() - begin) / sum(len(pack.networks) for pack in chosen)


def packs(dataset: Path, folder: Path) -> dict[str, float]:
    """Time a pack against a process for each network."""
    whole, single = campaign_of(PACK), campaign_of(1)
    network = next(iter(single.networks.values()))
    prepared = [ready(read_pairs([dataset], pairs)) for pairs in select_images(TRAINING_SET)]
    run(folder / "warm", single, 1)
    with reproducible():
        steps = median(alternate({"bare": lambda: bare_loop(network, *prepared)}, REPEATS)["bare"])
    together, apart = run(folder / "pack", whole), run(folder / "apart", single)
    files = sum(path.is_file() for stage in ("networks", "packs") for path in (folder / "pack" / stage).rglob("*"))
    return {
        "bare steps and validation of a network [s]": steps,
        f"pack of {PACK}: wall per network [s]": together,
        f"pack of {PACK}: overhead per network [s]": together - steps,
        "process each: wall per network [s]": apart,
        "process each: overhead per network [s]": apart - steps,
        f"pack of {PACK} / process each: wall": together / apart,
        f"pack of {PACK} / process each: overhead": (together - steps) / (apart - steps),
        "files per network": files / PACK,
    }


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = write_dataset(folder)
        figures = against_bare_loop(dataset, folder) | packs(dataset, folder)
        figures |= {f"evaluation: {key}": value for key, value in evaluation.against_forward(folder / "e").items()}
    report(
        "training",
        figures,
        [
            *(Budget(f"{case}: ours / bare", 0.95, "min") for case in CASES),
            Budget(f"pack of {PACK}: overhead per network [s]", 0.5, "max"),
            Budget(f"pack of {PACK} / process each: overhead", 0.1, "max"),
            Budget("files per network", 2, "max"),
            *(Budget(f"evaluation: {case}: ours / peer", 0.9, "min") for case in evaluation.CASES),
        ],
        [
            f"{IMAGES} training and {VALIDATION} validation images of {SIDE} px in batches of {BATCH}; one CPU thread; "
            f"medians of {REPEATS} rounds in turn.",
            f"Packs: {PACK_STEPS} steps a network, from start to end of the process.",
        ],
    )


if __name__ == "__main__":
    main()

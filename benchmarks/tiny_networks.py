"""What tiny networks cost besides their arithmetic: packs of them, their steps, and their evaluation on many datasets.

Campaigns of thousands of networks are made of these: a step takes milliseconds, so all that is not a step shows.

- A network of a pack is :func:`hrtem_ood.stages.train.train` in this process, all of it; its overhead is what a network takes
  beyond a bare loop that builds the same network, takes the same steps and validates as often.
- Steps are `fit` of many epochs against the same bare loop.
- An evaluation is :func:`hrtem_ood.stages.evaluate.evaluate`, all of it, against the bare forward passes of the same networks on
  images that are ready in memory, in batches of the same size.

Times are those of the processor, because other work on the machine disturbs them less.

    python benchmarks/tiny_networks.py
"""

import math
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import evaluation
import torch
import training
from report import Budget, alternate, median_ratio, report

from hrtem_ood.campaign.specs import NetworkSpec, PackSpec, TrainingSetSpec
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.image_selection import select_images
from hrtem_ood.learning.training.training_data import read_pairs
from hrtem_ood.stages.train import train

CPU = torch.device("cpu")
SIDE, IMAGES, VALIDATION = 64, 64, 16
ARCHITECTURE: dict[str, Any] = {"name": "unet", "base_channels": 4, "depth": 1}
PACK, EPOCHS, REPEATS = 10, 2, 3
LOOPS = 11
"""Rounds of the loops, whose ratio is near 1 and differs by a tenth from round to round."""

NETWORKS, DATASETS, TEST_IMAGES = 40, 100, 4
IMPORTS = {"training": "hrtem_ood.stages.train", "evaluation": "hrtem_ood.stages.evaluate"}
TRAINING_SET = TrainingSetSpec(
    datasets=("d",), n_structures=IMAGES + VALIDATION, n_images=(IMAGES,), n_validation_structures=VALIDATION
)


def network(seed: int, **length: int) -> NetworkSpec:
    """Return a tiny network."""
    hyper = {"architecture": ARCHITECTURE, "batch_size": training.BATCH, "learning_rate": 6e-3, "seed": seed, **length}
    return NetworkSpec(training_set=TRAINING_SET.id, hyperparameters=hyper)


def against_bare_loop(folder: Path) -> dict[str, float]:
    """Compare packs and steps with a bare loop."""
    dataset = training.write_dataset(folder, side=SIDE, images=IMAGES + VALIDATION)
    read = [read_pairs([dataset], pairs) for pairs in select_images(TRAINING_SET)]
    prepared = [training.ready(part) for part in read]
    pack = PackSpec(training_set=TRAINING_SET, networks=tuple(network(seed, epochs=EPOCHS) for seed in range(PACK)))
    long = network(0, epochs=10)
    steps = 10 * IMAGES // training.BATCH

    def trained() -> None:
        for path in (folder / "networks").glob("*"):
            path.unlink()
        train(pack, [dataset], folder / "networks", folder / "packs" / f"{pack.id}.json", device="cpu")

    def bare() -> None:
        for each in pack.networks:
            training.bare_loop(each, *prepared)

    with reproducible():
        packs = alternate({"bare": bare, "ours": trained}, REPEATS, process_time)
        loops = alternate(
            {
                "bare": partial(training.bare_loop, long, *prepared),
                "ours": partial(fit, long, read[0], read[1], TrainingSettings(CPU, math.inf), folder / "none.resume"),
            },
            LOOPS,
            process_time,
        )
    files = [path.stat().st_size for path in (folder / "networks").iterdir()]
    overhead = [ours - bare for ours, bare in zip(packs["ours"], packs["bare"], strict=True)]
    return {
        "bare network [s]": median(packs["bare"]) / PACK,
        "network of a pack [s]": median(packs["ours"]) / PACK,
        "overhead per network [s]": median(overhead) / PACK,
        "bare step, with its share of validation [ms]": 1e3 * median(loops["bare"]) / steps,
        "our step [ms]": 1e3 * median(loops["ours"]) / steps,
        "steps: ours / bare": median_ratio(loops["bare"], loops["ours"]),
        "files per network": len(files) / PACK,
        "bytes per network": sum(files) / PACK,
    }


def against_forward(folder: Path) -> dict[str, float]:
    """Compare an evaluation with bare forward passes."""
    evaluation.write_datasets(folder, SIDE, DATASETS, TEST_IMAGES)
    return evaluation.compared(folder, "tiny", ARCHITECTURE, NETWORKS, process_time)


def imports() -> dict[str, float]:
    """Processor time of the imports of a job [s]."""
    figures = {}
    for name, module in IMPORTS.items():
        code = f"import {module}, time; print(time.process_time())"
        runs = [
            float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
            for _ in range(REPEATS)
        ]
        figures[f"imports of {name} [s]"] = median(runs)
    return figures


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = against_bare_loop(folder / "t") | against_forward(folder / "e") | imports()
    report(
        "tiny_networks",
        figures,
        [
            Budget("overhead per network [s]", 0.05, "max"),
            Budget("steps: ours / bare", 0.9, "min"),
            Budget("tiny: ours / peer", 0.8, "min"),
            Budget("files per network", 1.1, "max"),
        ],
        [
            f"unet of {ARCHITECTURE['base_channels']} channels and depth {ARCHITECTURE['depth']} on images of {SIDE} px.",
            f"Packs of {PACK} networks, {EPOCHS} epochs of {IMAGES} images; evaluations of {NETWORKS} networks on {DATASETS} "
            f"datasets of {TEST_IMAGES} images.",
            f"One CPU thread; processor time; medians of {REPEATS} rounds in turn, of the loops {LOOPS}, of evaluations "
            f"{evaluation.REPEATS}.",
        ],
    )


if __name__ == "__main__":
    main()

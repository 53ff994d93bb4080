"""F1 of a campaign's networks on images with the defects of real micrographs, as they are and after repair.

Needs the results of the laptop campaign: make demo. Images and networks are those of one condition, away from minimum
contrast; dead pixels do not count, as nothing can be known of them. The same images with a wrong pixel size, which no repair
can mend, are given to these networks, to the one that comes with the package, and to those of config/experiments/scaled.yaml
where that has run.

python benchmarks/micrograph_defects.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from report import Budget, report

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.campaign.results import Results
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.evaluation.metrics import confusion, f1
from hrtem_ood.learning.inference.particle_labels import ParticleOptions, label_particles
from hrtem_ood.learning.inference.particles import threshold
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork, load, own_pixel_probability
from hrtem_ood.learning.inference.shipped_network import shipped_network
from hrtem_ood.learning.repair import repair_image
from hrtem_ood.physics.optics.condition import Condition

Image = NDArray[np.float32]

ROOT = Path(__file__).parents[1]
CONDITION = Condition(defocus_A=60, dose_e_per_A2=400, focal_spread_A=20)
PIXEL_ERRORS = (0.0, -0.2, -0.1, 0.1, 0.2)
"""Stated pixel size over the right one, less 1."""

PACKAGE = "network of the package"

SPECK_A = 12.0
"""Least diameter of the particles that count, where specks of noise are dropped."""


def defects() -> dict[str, Callable[[Image], Image]]:
    """Return functions that damage an image, by the name of the defect."""
    draw = np.random.default_rng(5)

    def replaced(count: int, factor: float) -> Callable[[Image], Image]:
        def damage(image: Image) -> Image:
            result = image.copy()
            result.flat[draw.choice(image.size, count, replace=False)] = factor * image.mean()
            return result

        return damage

    def multiplied(field: Callable[[Image, Image], Image]) -> Callable[[Image], Image]:
        def damage(image: Image) -> Image:
            y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in image.shape)
            return image * field(y[:, None], x[None, :])

        return damage

    def dead_rows(count: int) -> Callable[[Image], Image]:
        def damage(image: Image) -> Image:
            result = image.copy()
            result[draw.choice(len(image), count, replace=False)] = 0
            return result

        return damage

    def border(image: Image) -> Image:
        result = np.zeros_like(image)
        result[4:-4, 4:-4] = image[4:-4, 4:-4]
        return result

    return {
        "none": lambda image: image,
        "one hot pixel of 100 times the mean": replaced(1, 100),
        "20 spikes of 10 times the mean": replaced(20, 10),
        "brightness gradient of 10 %": multiplied(lambda _, x: 1 + 0.1 * x),
        "brightness gradient of 50 %": multiplied(lambda _, x: 1 + 0.5 * x),
        "vignetting of 20 %": multiplied(lambda y, x: 1 - 0.1 * (x**2 + y**2)),
        "vignetting of 40 %": multiplied(lambda y, x: 1 - 0.2 * (x**2 + y**2)),
        "2 dead rows": dead_rows(2),
        "8 dead rows": dead_rows(8),
        "border of zeros, 4 px": border,
        "beam stop": multiplied(lambda y, x: np.where(np.hypot(x + 1, y) > 0.6, 1, 0)),
        "hole in the film, 1.6 times brighter": multiplied(lambda y, x: 1 + 0.6 * (np.hypot(x + 0.7, y + 0.7) < 0.4)),
        "contrast inverted": lambda image: image.max() - image,
    }


def trained_under_it(campaign: Campaign, network: str) -> bool:
    """Whether a network was trained on images of the condition, alone or among others."""
    training_set = campaign.training_set_by_id[campaign.networks[network].training_set]
    return any(campaign.datasets[id_].condition == CONDITION for id_ in training_set.datasets)


def trained_networks(campaign: Campaign, results: Results) -> list[TrainedNetwork]:
    """Return the networks of a campaign that were trained on images of the condition, as far as they are there."""
    paths = [results.path("networks", id_) for id_ in campaign.networks if trained_under_it(campaign, id_)]
    return [load(path) for path in paths if path.exists()]


def main() -> None:
    """Score all defects, and print the table."""
    torch.set_num_threads(1)
    campaign = load_campaign_from_files([ROOT / "config/config.yaml"])
    results = Results(ROOT / "results")
    tests = {id_: campaign.datasets[id_] for id_ in campaign.test_dataset_ids}
    base = next(
        (id_ for id_, spec in tests.items() if spec.condition == CONDITION and results.exists("datasets", id_)), ""
    )
    if not base:
        sys.exit("There are no results of the laptop campaign. Make them: make demo")
    with results.open("datasets", base, dask=False) as dataset:
        images, labels = dataset.counts.values.astype(np.float32), dataset.label.values.astype(bool)
    trained = trained_networks(campaign, results)
    networks = [each.network for each in trained]
    figures: dict[str, float] = {}
    for name, damage in defects().items():
        damaged = np.stack([damage(image) for image in images])
        repaired = [repair_image(image) for image in damaged]
        live = ~np.stack([one.dead for one in repaired])
        figures[f"{name}: as it is"] = _f1(networks, damaged, labels, live)
        figures[f"{name}: repaired"] = _f1(networks, np.stack([one.image for one in repaired]), labels, live)
    clean = figures["none: as it is"]
    budgets = [
        Budget(name, clean - (0.01 if name.startswith("none") else 0.05), "min")
        for name in figures
        if name.endswith("repaired")
    ]
    scaled = trained_networks(load_campaign_from_files([ROOT / "config/experiments/scaled.yaml"]), results)
    groups = {"campaign's networks": trained, "networks of scaled.yaml": scaled, PACKAGE: [load(shipped_network())]}
    pixel_A = campaign.config.imaging.pixel_size_A
    for name, these in groups.items():
        if not these:
            continue
        rows = [f"pixel size {100 * error:+.0f} %: {name}" for error in PIXEL_ERRORS]
        for row, error in zip(rows, PIXEL_ERRORS, strict=True):
            figures[row] = _f1_at_pixel(these, images, labels, (1 + error) * pixel_A)
        budgets += [Budget(row, figures[rows[0]] - 0.05, "min") for row in rows[1:]]
    inverted = defects()["contrast inverted"]
    turned = np.stack([inverted(image) for image in images])
    figures[f"contrast inverted: {PACKAGE}"] = _f1_at_pixel(groups[PACKAGE], turned, labels, pixel_A)
    figures[f"without specks: {PACKAGE}"] = _f1_at_pixel(groups[PACKAGE], images, labels, pixel_A, SPECK_A)
    report("micrograph_defects", figures, budgets, [f"median F1 over images, mean over {len(networks)} networks"])


def _f1(networks: list[torch.nn.Module], images: Image, labels: NDArray[np.bool_], live: NDArray[np.bool_]) -> float:
    counted = torch.from_numpy(live)
    scores = []
    for network in networks:
        with torch.inference_mode():
            mask = network(standardise(torch.from_numpy(images))[:, None]).argmax(dim=1) == 1
        scores.append(np.median(f1(confusion(mask & counted, torch.from_numpy(labels) & counted)).numpy()))
    return float(np.mean(scores))


def _f1_at_pixel(
    networks: list[TrainedNetwork], images: Image, labels: NDArray[np.bool_], stated_A: float, least_A: float = 0
) -> float:
    options = ParticleOptions(min_diameter_A=least_A)
    scores = []
    for network in networks:
        found = [threshold(own_pixel_probability(network, each, stated_A, device="cpu")[0]) for each in images]
        masks = np.stack([label_particles(mask, stated_A, options) > 0 for mask in found])
        scores.append(np.median(f1(confusion(torch.from_numpy(masks), torch.from_numpy(labels))).numpy()))
    return float(np.mean(scores))


if __name__ == "__main__":
    main()

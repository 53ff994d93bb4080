"""The evaluation stage against the bare forward pass of the same networks on the same images.

Ours is all of `hrtem-ood stage evaluate` but the start of the process: reading networks and datasets, standardising, forward
passes, scores, writing. The peer calls `network(batch)` on batches that are ready in memory, with the same settings and
batch sizes, and drops what comes out. Images are noise: neither side cares.

    python benchmarks/evaluation.py
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
import xarray as xr
from report import Budget, alternate, median_ratio, report

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import EvaluationSpec, NetworkSpec, SuiteSpec
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Batches, read_images
from hrtem_ood.learning.checkpoint import TrainingDomain, TrainingOutcome, load_network, read_network, write_network
from hrtem_ood.learning.evaluation.metrics import scores
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.stages.evaluate import batch_size, evaluate
from hrtem_ood.stages.suite import index_suite

CPU = torch.device("cpu")
CASES = {
    "unet_8_3": ({"name": "unet", "base_channels": 8, "depth": 3}, 8),
    "resnet_unet_64_5": ({"name": "resnet_unet", "base_channels": 64, "depth": 5}, 1),
}
"""Architecture, and how many networks of it are in the pack."""

DATASETS, IMAGES, SIDE = 10, 48, 128
REPEATS = 5
BATCHES = (1, 2, 4, 8, 16, 32, 64)


def write_datasets(folder: Path, side: int = SIDE, number_of: int = DATASETS, images: int = IMAGES) -> list[Path]:
    """Write datasets of noise and blobs."""
    paths = []
    for number in range(number_of):
        rng = np.random.default_rng(number)
        label = (rng.random((images, side, side)) < 0.3).astype(np.uint8)
        counts = rng.poisson(60 + 10 * label).astype(np.uint8)
        dims = ("image", "y", "x")
        dataset = xr.Dataset(
            {"counts": (dims, counts), "label": (dims, label)}, coords={"image": np.arange(images, dtype=np.int64)}
        )
        path = folder / "datasets" / f"d{number}.zarr.zip"
        store.write_zarr(path, dataset, {"id": f"d{number}", "sha256_of_images": store.arrays_sha256(counts, label)})
        paths.append(path)
    return paths


def write_pack(folder: Path, name: str, architecture: dict[str, object], count: int) -> list[Path]:
    """Write a pack of networks with random weights."""
    trained_on = TrainingDomain(((Condition(defocus_A=0, dose_e_per_A2=400), 1),), 300e3, 0.4, SIDE)
    entries, paths = {}, []
    for seed in range(count):
        spec = NetworkSpec(training_set="t", hyperparameters={"architecture": architecture, "epochs": 1, "seed": seed})
        torch.manual_seed(seed)
        trained = TrainingOutcome(build(spec.hyperparameters.architecture).state_dict(), 0, 0.5)
        path = folder / "networks" / f"{spec.id}.ckpt"
        entries[spec.id] = write_network(path, spec, trained, trained_on, seconds=0, device="cpu")
        paths.append(path)
    store.write_json(folder / "packs" / f"{name}.json", {"id": name, "networks": entries})
    return paths


def compared(
    folder: Path,
    name: str,
    architecture: dict[str, object],
    count: int,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, float]:
    """Time the stage and its peer in turn, on the datasets of the folder."""
    datasets, networks = sorted((folder / "datasets").iterdir()), write_pack(folder, name, architecture, count)
    suite = SuiteSpec(datasets=tuple(map(store.artifact_id_of, datasets)))
    index = folder / "suites" / f"{suite.id}.json"
    index_suite(suite, datasets, index)
    spec = EvaluationSpec(networks=tuple(map(store.artifact_id_of, networks)), suite=suite.id)
    output = folder / "evaluations" / f"{spec.id}.zarr.zip"

    loaded = [load_network(read_network(path)) for path in networks]
    read = [read_images(path) for path in datasets]
    size = batch_size(read[0].counts.shape[-1], CPU)
    batches = [image for images in read for image, _ in Batches(images, size, CPU)]

    @torch.inference_mode()
    def peer() -> None:
        with reproducible():
            for network in loaded:
                for image in batches:
                    network(image)

    def ours() -> None:
        output.unlink(missing_ok=True)
        evaluate(spec, [folder / "packs" / f"{name}.json"], index, folder, output, device="cpu")

    seconds = alternate({"peer": peer, "ours": ours}, REPEATS, clock)
    output.unlink()
    images = count * sum(len(each.counts) for each in read)
    return {
        f"{name}: peer [images/s]": images / median(seconds["peer"]),
        f"{name}: ours [images/s]": images / median(seconds["ours"]),
        f"{name}: ours / peer": median_ratio(seconds["peer"], seconds["ours"]),
    }


def scoring(side: int) -> float:
    """Time of all scores of an image [ms], in batches of the stage's size."""
    size = batch_size(side, CPU)
    logits, label = torch.randn(size, 2, side, side), torch.randint(2, (size, side, side))
    logits = logits.to(memory_format=torch.channels_last)
    with reproducible(), torch.inference_mode():
        seconds = alternate({"scores": lambda: scores(logits, label)}, 20)
    return 1e3 * median(seconds["scores"]) / size


def batches(sides: Sequence[int] = (SIDE,)) -> dict[str, float]:
    """Forward rate over batch sizes, relative to the stage's own."""
    found: dict[str, float] = {}
    for name, (architecture, _) in CASES.items():
        spec = NetworkSpec(training_set="t", hyperparameters={"architecture": architecture, "epochs": 1})
        network = build(spec.hyperparameters.architecture).eval()
        for side in sides:
            images = {size: torch.randn(size, 1, side, side) for size in BATCHES}
            with reproducible(), torch.inference_mode():
                works = {
                    str(size): (lambda network=network, image=image: network(image)) for size, image in images.items()
                }
                seconds = alternate(works, REPEATS)
            per_image = {size: median(seconds[str(size)]) / size for size in BATCHES}
            own = per_image[batch_size(side, CPU)]
            found |= {f"{name}: rate in batches of {size} / own": own / per_image[size] for size in BATCHES}
    return found


def against_forward(folder: Path) -> dict[str, float]:
    """Time all cases."""
    write_datasets(folder)
    figures: dict[str, float] = {}
    for case, (architecture, count) in CASES.items():
        figures |= compared(folder, case, architecture, count)
    return figures


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as name:
        figures = against_forward(Path(name))
    figures["scores of an image of 128 px [ms]"] = scoring(SIDE)
    figures["scores of an image of 640 px [ms]"] = scoring(640)
    if "--batches" in sys.argv:
        figures |= batches()
    report(
        "evaluation",
        figures,
        [Budget(f"{case}: ours / peer", 0.9, "min") for case in CASES],
        [
            f"{DATASETS} datasets of {IMAGES} images of {SIDE} px; packs of "
            f"{', '.join(f'{count} {case}' for case, (_, count) in CASES.items())}; one CPU thread.",
            f"Medians of {REPEATS} rounds, peer and ours in turn; peer: network(batch) on ready batches.",
        ],
    )


if __name__ == "__main__":
    main()

"""Evaluation on a GPU, by precision: forward passes and scores, and how far F1 is from that of float32, image by image.

python benchmarks/gpu_evaluation.py [--cpu]
"""

import math
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_learning import CASES, SMALL, VALIDATION, Case, discs, measured
from gpu_timing import seconds_of
from report import report
from torch import Tensor, nn

from hrtem_ood.config.evaluation import EvaluationPrecision
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Batches, Images
from hrtem_ood.learning.evaluation.forward_precision import forward_precision
from hrtem_ood.learning.evaluation.metrics import scores
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.stages.evaluate import batch_size


@torch.inference_mode()
def scored(network: nn.Module, images: Images, device: torch.device) -> Tensor:
    """Return all scores of images, as the stage computes them."""
    parts = []
    for image, label in Batches(images, batch_size(images.counts.shape[-1], device), device):
        logits = network(image)
        parts.append(scores(logits.float(), label))
    return torch.cat(parts, dim=1)


def evaluation(device: torch.device, cases: dict[str, Case], folder: Path) -> dict[str, float]:
    """Measure images/s of evaluation by precision, and what that changes."""
    figures: dict[str, float] = {}
    kinds: tuple[EvaluationPrecision, ...] = ("float32", "tf32", "bfloat16")
    for name, case in cases.items():
        trained_on, checked = discs(case.images, case.side), discs(VALIDATION, case.side, 1)
        settings = TrainingSettings(device, math.inf)
        network = build(case.spec().hyperparameters.architecture).to(device)
        with reproducible():
            placed = (trained_on.to_device_if_fits(device), checked.to_device_if_fits(device))
            outcome = fit(case.spec(epochs=4), *placed, settings, folder / "none.resume")
        network.load_state_dict(outcome.weights or {})
        network.eval()
        tested = discs(max(64, 2**24 // case.side**2) if device.type == "cuda" else 8, case.side, 2).to_device_if_fits(
            device
        )
        found: dict[str, Tensor] = {}
        for kind in kinds:
            with reproducible(), forward_precision(kind, device):

                def work(kind: str = kind, found: dict[str, Tensor] = found, what: Any = (network, tested)) -> None:
                    tested_network, tested_images = what
                    found[kind] = scored(tested_network, tested_images, device)

                seconds = seconds_of(work, device)
            figures[f"evaluation, {name}: {kind} [images/s]"] = len(tested.counts) / seconds
        exact = found["float32"][1].cpu().numpy()  # F1
        figures[f"evaluation, {name}: float32: median F1"] = float(np.median(exact))
        for kind in kinds[1:]:
            difference = np.abs(found[kind][1].cpu().numpy() - exact)
            figures[f"evaluation, {name}: {kind}: largest difference of F1"] = float(difference.max())
            figures[f"evaluation, {name}: {kind}: mean difference of F1"] = float(difference.mean())
    return figures


def measure(*, on_gpu: bool = True) -> dict[str, float]:
    """Return all figures, by name, which ends in the unit; ``benchmarks/gpu.py`` calls it."""
    device, cases = torch.device("cuda:0" if on_gpu else "cpu"), CASES if on_gpu else SMALL
    with tempfile.TemporaryDirectory() as name:
        return measured({"evaluation": partial(evaluation, device, cases, Path(name))})


if __name__ == "__main__":
    report("gpu_evaluation", measure(on_gpu="--cpu" not in sys.argv), [], [f"PyTorch {torch.__version__}."])

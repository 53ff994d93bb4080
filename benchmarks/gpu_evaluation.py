"""Evaluation on a GPU, by precision: forward passes and scores, and how far F1 is from that of float32, image by image.

python benchmarks/gpu_evaluation.py [--cpu]
"""

import math
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from gpu_learning import CASES, SMALL, VALIDATION, Case, discs
from gpu_timing import Parts, measured, seconds_of
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


def evaluation(device: torch.device, name: str, case: Case) -> dict[str, float]:
    """Measure images/s of evaluation by precision, and what that changes."""
    kinds: tuple[EvaluationPrecision, ...] = ("float32", "tf32", "bfloat16")
    network = trained(case, device)
    number = max(64, 2**24 // case.side**2) if device.type == "cuda" else 8
    tested = discs(number, case.side, 2).to_device_if_fits(device)
    figures: dict[str, float] = {}
    found: dict[str, Tensor] = {}
    for kind in kinds:
        with reproducible(), forward_precision(kind, device):

            def work(kind: str = kind) -> None:
                found[kind] = scored(network, tested, device)

            seconds = seconds_of(work, device)
        figures[f"evaluation, {name}: {kind} [images/s]"] = number / seconds
    exact = found["float32"][1].cpu().numpy()  # F1
    figures[f"evaluation, {name}: float32: median F1"] = float(np.median(exact))
    for kind in kinds[1:]:
        difference = np.abs(found[kind][1].cpu().numpy() - exact)
        figures[f"evaluation, {name}: {kind}: largest difference of F1"] = float(difference.max())
        figures[f"evaluation, {name}: {kind}: mean difference of F1"] = float(difference.mean())
    return figures


def trained(case: Case, device: torch.device) -> nn.Module:
    """Return a network that has learned something."""
    images = discs(case.images, case.side), discs(VALIDATION, case.side, 1)
    with reproducible(), tempfile.TemporaryDirectory() as folder:
        training, validation = (each.to_device_if_fits(device) for each in images)
        settings = TrainingSettings(device, math.inf)
        outcome = fit(case.spec(epochs=4), training, validation, settings, Path(folder) / "none.resume")
    network = build(case.spec().hyperparameters.architecture).to(device)
    network.load_state_dict(outcome.weights or {})
    return network.eval()


def parts(*, on_gpu: bool = True) -> Parts:
    """Return what is measured, see :data:`gpu_timing.Parts`."""
    device, cases = torch.device("cuda:0" if on_gpu else "cpu"), CASES if on_gpu else SMALL
    return {f"evaluation, {name}": partial(evaluation, device, name, case) for name, case in cases.items()}


if __name__ == "__main__":
    found = measured(parts(on_gpu="--cpu" not in sys.argv))
    report("gpu_evaluation", found.figures, [], [f"PyTorch {torch.__version__}."])

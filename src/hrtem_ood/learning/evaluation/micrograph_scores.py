"""Scores of networks on labelled micrographs, image by image, as the images differ in size."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hrtem_ood.config.evaluation import EvaluationPrecision
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.architectures.registry import stride_of
from hrtem_ood.learning.evaluation.feature_hook import FeatureHook, ScoredNetwork
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.evaluation.metrics import scores
from hrtem_ood.learning.evaluation.score_table import NetworkScores
from hrtem_ood.learning.inference.labelled_sets import LabelledMicrograph
from hrtem_ood.learning.inference.tiling import TILE_PX, Tiling, particle_probability, tiling

RATIOS = ("f1", "iou", "precision", "recall")
"""Scores that are undefined where a label holds no particle, as those of the verb `score`."""

CERTAIN = 1e-7
"""Probabilities are kept so far from 0 and 1, which have no finite logarithm of the odds, [1]."""


def micrograph_scores(
    networks: Mapping[str, ScoredNetwork],
    micrographs: Iterable[LabelledMicrograph],
    device: torch.device,
    precision: EvaluationPrecision = "float32",
) -> dict[str, NetworkScores]:
    """Compute all scores and features of some networks on labelled micrographs.

    Masks are those of the verb `score`: the probability is brought to the pixels of the label and thresholded there.

    Parameters
    ----------
    networks : mapping of str to ScoredNetwork
        By id.
    micrographs : iterable of LabelledMicrograph
    device : torch.device
    precision : {"float32", "tf32", "bfloat16"}
        Of the forward passes; scores are computed in float32.

    Returns
    -------
    dict of str to NetworkScores
        F1, IoU, precision and recall are NaN where a label holds no particle.

    Raises
    ------
    ArtifactError
        Where an image is too small for a network.
    """
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {id_: [] for id_ in networks}
    tiles: dict[str, Tiling] = {}
    for each in micrographs:
        for id_, tested in networks.items():
            least = 2 * stride_of(tested.hook.network)
            if min(each.image.shape) < least:
                raise ArtifactError(f"{each.name} is too small for network {id_}, which needs {least} px each way.")
            if max(each.image.shape) > TILE_PX and id_ not in tiles:
                tiles[id_] = tiling(tested.hook.network, tested.training_side_px)
            cut = tiles.get(id_) if max(each.image.shape) > TILE_PX else None
            parts[id_].append(_scores(tested.hook, each, cut, device, precision))
    results = {}
    for id_, images in parts.items():
        values, features = zip(*images, strict=True)
        results[id_] = NetworkScores(torch.stack(values, dim=1).numpy(), torch.stack(features).half().numpy())
    return results


def _scores(
    hook: FeatureHook,
    micrograph: LabelledMicrograph,
    tiles: Tiling | None,
    device: torch.device,
    precision: EvaluationPrecision,
) -> tuple[Tensor, Tensor]:
    """Return the scores (score,) and features (channel,) of a network on an image; features are a mean over tiles."""
    seen: list[tuple[Tensor, int]] = []

    def record(_: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        seen.append((hook.features_of(output)[0].cpu(), inputs[0].shape[-2] * inputs[0].shape[-1]))

    with torch.inference_mode():
        handle = hook.network.register_forward_hook(record)
        try:
            probability = particle_probability(hook.network, micrograph.image, device, tiles, precision)
        finally:
            handle.remove()
        pixels = torch.tensor([float(count) for _, count in seen])
        feature = (torch.stack([each for each, _ in seen]) * pixels[:, None]).sum(dim=0) / pixels.sum()
        return _label_scores(micrograph.on_own_pixels(probability), micrograph.label), feature


def _label_scores(probability: NDArray[np.float32], label: NDArray[np.bool_]) -> Tensor:
    """Score a probability on the pixels of a label, (score,)."""
    gain = torch.logit(torch.from_numpy(probability), eps=CERTAIN)
    logits = torch.stack([torch.zeros_like(gain), gain])[None]
    values = scores(logits, torch.from_numpy(label.astype(np.int64))[None])[:, 0]
    if not label.any():
        values[[list(METRICS).index(name) for name in RATIOS]] = torch.nan
    return values

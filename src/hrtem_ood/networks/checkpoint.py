"""Trained networks as files: written by training, read by whoever uses a network."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrtem_ood import store
from hrtem_ood.campaign.hyperparameters import Architecture
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.errors import ArtefactError
from hrtem_ood.networks.unet import build

INPUT = "electron counts, each image standardised to zero mean and unit variance; float32 (image, 1, y, x)"
OUTPUT = "logits of background and particle; float32 (image, 2, y, x)"


@dataclass
class Trained:
    """What training gives.

    Attributes
    ----------
    weights : dict of tensors, or None
        State of the network after the best epoch.
    best_epoch : int
    best_validation_loss : float, [nat]
        Mean cross-entropy over validation pixels after that epoch.
    curves : dict of lists of float, (epoch,)
        Training loss [nat], validation loss [nat], and the learning rate at the end of each epoch.
    diverged : bool
        Whether the loss stopped being finite, or the validation loss never was.
    """

    weights: dict[str, Tensor] | None = None
    best_epoch: int = -1
    best_validation_loss: float = math.inf
    curves: dict[str, list[float]] = field(
        default_factory=lambda: {"train_loss": [], "validation_loss": [], "learning_rate": []}
    )
    diverged: bool = False


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Sha256 of names, types, shapes and values of weights, whatever their layout in memory and in a file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)} ".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def write_network(path: Path, spec: NetworkSpec, trained: Trained, *, seconds: float, device: str) -> dict[str, Any]:
    """Write a trained network, and return its entry in the pack, see :func:`pack_entry`.

    A network that diverged is written without weights, so that it is not trained again.
    """
    weights = {} if trained.diverged or trained.weights is None else trained.weights
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    content = {
        "state_dict": weights,
        "sha256_of_weights": weights_sha256(weights),
        "diverged": trained.diverged,
        "best_epoch": trained.best_epoch,
        "best_val_loss": trained.best_validation_loss,
        "curves": trained.curves,
        "architecture": spec.hyperparameters.architecture.model_dump(),
        "input": INPUT,
        "output": OUTPUT,
        **store.provenance(spec, seconds=seconds, device=device),
    }
    store.write_checkpoint(path, content)
    return pack_entry(content)


def read_network(path: Path) -> dict[str, Any]:
    """Read what :func:`write_network` wrote, and check that the weights are those that were written.

    Raises
    ------
    ArtefactError
    """
    content = store.read_checkpoint(path)
    if weights_sha256(content["state_dict"]) != content["sha256_of_weights"]:
        raise ArtefactError(f"{path} holds damaged weights. Delete {path} and run snakemake again to make it anew.")
    return content


def pack_entry(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the pack's JSON says about a network.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.

    Returns
    -------
    dict
        ``{"diverged": True}`` with ``seconds``, or ``sha256_of_weights``, ``best_epoch``, ``best_val_loss`` and ``seconds``.
    """
    keys = ("seconds",) if content["diverged"] else ("sha256_of_weights", "best_epoch", "best_val_loss", "seconds")
    return {"diverged": content["diverged"]} | {key: content[key] for key in keys}


def network_from(content: Mapping[str, Any]) -> nn.Module:
    """Build the network that a checkpoint describes, with its weights, for evaluation.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.

    Returns
    -------
    torch.nn.Module
        On the CPU, in evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):  # building draws weights, which are replaced
        network = build(Architecture(**content["architecture"]))
    network.load_state_dict(content["state_dict"])
    return network.eval()

"""Trained networks as files: written by training, read by evaluation and inference."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.physics.optics.condition import Condition

INPUT = "electron counts, each image standardised to zero mean and unit variance; float32 (image, 1, y, x)"
OUTPUT = "logits of background and particle; float32 (image, 2, y, x)"

THEN = ", then "
"""Between the names of the devices on which a network was trained, one after the other."""


@dataclass
class TrainingOutcome:
    """Result of training.

    Attributes
    ----------
    weights : dict of tensors, or None
        State of the network after the best epoch.
    best_epoch : int
    best_validation_loss : float, [nat]
        Mean loss over validation images after that epoch; cross-entropy [nat] unless the hyperparameters name another loss.
    curves : dict of lists of float, (epoch,)
        Training and validation loss (cross-entropy [nat] unless the hyperparameters name another), and the learning rate of
        each epoch's last step.
    diverged : bool
        Whether the loss became non-finite, or the validation loss was never finite.
    earlier_s : float, [s]
        Training time of earlier processes, which were stopped.
    earlier_devices : list of str
        Other models of GPU on which earlier epochs ran.
    numeric_precision : str
        Of training, as Lightning names it: ``32-true`` or ``bf16-mixed``.
    parameter_count : int
    flops_per_image : int or None
        See :mod:`hrtem_ood.learning.architectures.complexity`.
    """

    weights: dict[str, Tensor] | None = None
    best_epoch: int = -1
    best_validation_loss: float = math.inf
    curves: dict[str, list[float]] = field(
        default_factory=lambda: {"train_loss": [], "validation_loss": [], "learning_rate": []}
    )
    diverged: bool = False
    earlier_s: float = 0.0
    earlier_devices: list[str] = field(default_factory=list)
    numeric_precision: str = "32-true"
    parameter_count: int = 0
    flops_per_image: int | None = None


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Sha256 of names, types, shapes and values of weights, independent of their layout in memory and in a file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)} ".encode())
        # raw bytes: NumPy has no bfloat16
        digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class TrainingDomain:
    """Properties of the images that a network was trained on.

    Attributes
    ----------
    conditions : tuple of (Condition, int)
        Each training condition with its number of training images.
    energy_eV : float, [eV]
    pixel_size_A : float, [Å]
    side_px : int, [px]
    """

    conditions: tuple[tuple[Condition, int], ...]
    energy_eV: float
    pixel_size_A: float
    side_px: int


def write_network(
    path: Path,
    spec: NetworkSpec,
    trained: TrainingOutcome,
    trained_on: TrainingDomain,
    *,
    seconds: float,
    device: str,
    software: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write a trained network, and return its entry in the pack, see :func:`pack_entry`.

    A network that diverged is written without weights, so that it is not trained again. With ``stored_dtype: bfloat16``,
    arrays of two dimensions or more (kernels) are rounded; biases and the statistics of batch norm stay as they are.
    """
    weights = {} if trained.diverged or trained.weights is None else trained.weights
    half = spec.hyperparameters.stored_dtype == "bfloat16"
    weights = {
        name: (tensor.bfloat16() if half and tensor.ndim > 1 and tensor.is_floating_point() else tensor)
        .detach()
        .cpu()
        .contiguous()
        for name, tensor in weights.items()
    }
    content = {
        "state_dict": weights,
        "sha256_of_weights": weights_sha256(weights),
        "weights_dropped": False,
        "diverged": trained.diverged,
        "best_epoch": trained.best_epoch,
        "best_val_loss": trained.best_validation_loss,
        "curves": trained.curves,
        "numeric_precision": trained.numeric_precision,
        "architecture": spec.hyperparameters.architecture.model_dump(),
        "repair": spec.hyperparameters.repair,
        "parameter_count": trained.parameter_count,
        "flops_per_image": trained.flops_per_image,
        "trained_on": {
            "conditions": [[condition.model_dump(), images] for condition, images in trained_on.conditions],
            "energy_eV": trained_on.energy_eV,
            "pixel_size_A": trained_on.pixel_size_A,
            "side_px": trained_on.side_px,
        },
        "input": INPUT,
        "output": OUTPUT,
        **store.provenance(
            spec, seconds=seconds, device=THEN.join([*trained.earlier_devices, device]), software=software
        ),
    }
    store.write_checkpoint(path, content)
    return pack_entry(content)


def read_network(path: Path) -> dict[str, Any]:
    """Read a file of :func:`write_network`, and check the digest of its weights.

    Raises
    ------
    ArtifactError
    """
    content = store.read_checkpoint(path)
    try:
        damaged = (
            not content["weights_dropped"] and weights_sha256(content["state_dict"]) != content["sha256_of_weights"]
        )
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ArtifactError(f"{path} is no network of this program ({type(error).__name__}: {error!s:.80}).") from error
    if damaged:
        raise ArtifactError(f"{path} holds damaged weights. Delete {path} and run snakemake again to create it anew.")
    return content


def drop_weights(path: Path) -> None:
    """Remove the weights from a network's file and keep everything else."""
    content = read_network(path)
    if not content["weights_dropped"]:
        store.write_checkpoint(path, content | {"state_dict": {}, "weights_dropped": True})


def training_domain(content: Mapping[str, Any]) -> TrainingDomain:
    """Return the training domain of a network.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.
    """
    domain = content["trained_on"]
    conditions = tuple((Condition(**values), images) for values, images in domain["conditions"])
    return TrainingDomain(conditions, domain["energy_eV"], domain["pixel_size_A"], domain["side_px"])


def sees_repaired(content: Mapping[str, Any]) -> bool:
    """Whether the images that a network was trained on were repaired, so that those it is used on must be.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.
    """
    return content.get("repair") is True


def pack_entry(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's entry in the JSON of its pack.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.

    Returns
    -------
    dict
        ``diverged``, ``epochs`` (trained), ``seconds``, ``device``, ``parameter_count`` and ``flops_per_image``; and
        ``sha256_of_weights``, ``best_epoch`` and ``best_val_loss`` unless it diverged.
    """
    keys = ["diverged", "seconds", "device", "parameter_count", "flops_per_image"]
    if not content["diverged"]:
        keys += ["sha256_of_weights", "best_epoch", "best_val_loss"]
    return {"epochs": len(content["curves"]["train_loss"])} | {key: content[key] for key in keys}


def described_architecture(content: Mapping[str, Any], file: Path | None = None) -> Architecture:
    """Return the architecture that a checkpoint describes. A file that only the checkpoint names is never run.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.
    file : Path, optional
        Python file that the user names, for an architecture that is not built in.

    Returns
    -------
    Architecture
        With the given file, and the digest in the checkpoint, which the file must have.

    Raises
    ------
    ArtifactError
        If the checkpoint describes no valid architecture.
    ConfigError
        If a file is needed and not given, or given and not needed.
    """
    id_, described = content["id"], _described(content)
    if described.file is None:
        if file is not None:
            raise ConfigError(
                f"--architecture-file: network {id_} is of the built-in architecture `{described.name}`, which needs no "
                "file. Leave the option out."
            )
        return described
    if file is None:
        raise ConfigError(
            f"network {id_} is of the architecture `{described.name}`, which is not built in. A checkpoint does not "
            "choose what is run: give the Python file that defines it with --architecture-file. (It names "
            f"{described.file!r:.80}.)"
        )
    if re.fullmatch("[0-9a-f]{64}", described.sha256 or "") is None:
        raise ArtifactError(f"network {id_} lacks the sha256 of its architecture's file, so no file is run for it.")
    return described.model_copy(update={"file": str(file)})


def _described(content: Mapping[str, Any]) -> Architecture:
    try:
        return Architecture(**content["architecture"])
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(f"network {content['id']} describes no architecture: {reason:.80}.") from error


def _check_same(described: Architecture, wanted: Architecture, id_: str) -> None:
    """Check that a checkpoint has the wanted architecture, whatever the paths of their files."""
    if described.model_copy(update={"file": None}) != wanted.model_copy(update={"file": None}):
        raise ArtifactError(
            f"network {id_} has another architecture than in the configuration, {wanted.label}. Delete its "
            f"networks/{id_}.ckpt and its pack (packs/), and run snakemake again to train it anew."
        )


def load_network(content: Mapping[str, Any], architecture: Architecture | None = None) -> nn.Module:
    """Build the network that a checkpoint describes, with its weights, for evaluation.

    Parameters
    ----------
    content : mapping
        See :func:`read_network`.
    architecture : Architecture, optional
        Needed for one that is not built in, with the file that a user names: from a configuration, or from
        :func:`described_architecture`.

    Returns
    -------
    torch.nn.Module
        On the CPU, in evaluation mode, with float32 weights.

    Raises
    ------
    ArtifactError
        If there are no weights, or the architecture has changed.
    ConfigError
        If the architecture is not built in and not given, or its file defines no such class.
    """
    id_ = content["id"]
    if content["diverged"]:
        raise ArtifactError(f"network {id_} diverged in training and has no weights. Use another.")
    if content["weights_dropped"]:
        raise ArtifactError(
            f"network {id_} keeps no weights, as execution.keep_weights was false. To train it again, delete its "
            f"networks/{id_}.ckpt and its pack (packs/), set keep_weights to true and run snakemake."
        )
    if architecture is None:
        architecture = described_architecture(content)
    else:
        _check_same(_described(content), architecture, id_)
    with torch.random.fork_rng(devices=[]):  # building draws weights, which are replaced
        network = build(architecture)
    try:
        network.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise ArtifactError(
            f"network {id_} has weights of another architecture than {Architecture(**content['architecture']).label}, "
            f"which it names ({str(error).splitlines()[-1].strip()}). Delete its networks/{id_}.ckpt and its pack "
            "(packs/), and run snakemake again to train it anew."
        ) from error
    return network.eval()

"""Stage `train`: the networks of a pack, one after the other, each kept as soon as it is trained."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hrtem_ood import store
from hrtem_ood.campaign.specs import NetworkSpec, PackSpec
from hrtem_ood.device import Device
from hrtem_ood.errors import ArtefactError, ConfigError
from hrtem_ood.networks.checkpoint import pack_entry, read_network, write_network
from hrtem_ood.networks.hardware import device_name, reproducible, torch_device
from hrtem_ood.networks.images import Images
from hrtem_ood.progress import log, track
from hrtem_ood.training.data import read_pairs
from hrtem_ood.training.module import fit
from hrtem_ood.training.selection import select


def train(spec: PackSpec, datasets: Sequence[Path], networks: Path, output: Path, *, device: Device) -> None:
    """Train the networks of a pack that are not there yet, then write the pack.

    Every network depends on its own spec and the training set alone, so it comes out the same, bit for bit on one kind
    of machine, in any pack and any order.

    Parameters
    ----------
    spec : PackSpec
    datasets : sequence of Path
        ``datasets/<id>.zarr.zip``, as ``spec.training_set.datasets`` names them.
    networks : Path
        Folder of networks: ``<id>.ckpt`` for each is read if it is there, else written.
    output : Path
        ``packs/<id>.json``.
    device : {"auto", "cpu", "gpu"}
    """
    begin, where = time.monotonic(), torch_device(device)
    found = tuple(store.artefact_id(path) for path in datasets)
    if found != spec.training_set.datasets:
        raise ArtefactError(
            f"{output} needs the datasets {', '.join(spec.training_set.datasets)}, not {', '.join(found)}."
        )
    entries = {
        network.id: pack_entry(read_network(path))
        for network in spec.networks
        if (path := networks / f"{network.id}.ckpt").exists()
    }
    for id_ in entries:
        log(f"{id_} is trained already")
    missing = [network for network in spec.networks if network.id not in entries]
    if missing:
        images = _training_images(spec, datasets, where)
        for network in track(missing, "networks", len(missing)):
            path = networks / f"{network.id}.ckpt"
            # another job may have trained it meanwhile
            entries[network.id] = (
                pack_entry(read_network(path)) if path.exists() else _train_one(network, *images, path, where)
            )
    content = {
        "networks": {network.id: entries[network.id] for network in spec.networks},
        **store.provenance(spec, seconds=time.monotonic() - begin, device=device_name(where)),
    }
    store.write_json(output, content)


def _train_one(
    spec: NetworkSpec, training: Images, validation: Images, path: Path, device: torch.device
) -> dict[str, Any]:
    begin = time.monotonic()
    with reproducible():
        trained = fit(spec, training, validation)
    seconds = time.monotonic() - begin
    if trained.diverged:
        log(f"{spec.id} diverged in epoch {len(trained.curves['train_loss'])}: a smaller learning_rate may help")
    else:
        log(f"{spec.id}: validation loss {trained.best_validation_loss:.4f} after epoch {trained.best_epoch + 1}")
    return write_network(path, spec, trained, seconds=seconds, device=device_name(device))


def _training_images(spec: PackSpec, datasets: Sequence[Path], device: torch.device) -> tuple[Images, Images]:
    training, validation = (read_pairs(datasets, pairs) for pairs in select(spec.training_set))
    side = training.image.shape[-1]
    for architecture in {network.hyperparameters.architecture for network in spec.networks}:
        # on the lowest level, batch norm needs more than one pixel
        if side % architecture.stride or side < 2 * architecture.stride:
            raise ConfigError(
                f"networks.architecture.depth: images are {side} px wide, which depth = {architecture.depth} cannot "
                f"halve {architecture.depth} times; the width must be a multiple, twice or more, of {architecture.stride} px."
            )
    share = float(training.label.float().mean())
    if share in (0, 1):
        raise ConfigError(
            f"labels.phase_threshold_rad: {'every' if share else 'no'} pixel of the training images of "
            f"{', '.join(spec.training_set.datasets)} is labelled particle, so there is nothing to learn; "
            f"use a {'larger' if share else 'smaller'} threshold (or another labels.blur_A)."
        )
    return training.to(device), validation.to(device)

"""Stage `train`: the networks of a pack, one after the other, each kept as soon as it is trained."""

import gc
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrtem_ood.array_module import Device
from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.leases import Leases
from hrtem_ood.campaign.specs import NetworkSpec, PackSpec, TrainingSetSpec
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.errors import ArtifactError, ConfigError, HrtemOodError
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.checkpoint import TrainingDomain, pack_entry, read_network, write_network
from hrtem_ood.learning.torch_device import (
    device_name,
    device_software,
    explain_out_of_memory,
    reproducible,
    torch_device,
)
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.image_selection import ImageSelection, select_images
from hrtem_ood.learning.training.prepared_images import PreparedImages
from hrtem_ood.learning.training.step_graph import StepGraphs, kind_of_step
from hrtem_ood.learning.training.stop_signal import catch_stop_signals
from hrtem_ood.learning.training.training_data import VARIABLE, domain_of_datasets, read_pairs
from hrtem_ood.progress import log, track


def train(
    spec: PackSpec,
    datasets: Sequence[Path],
    networks: Path,
    output: Path,
    *,
    device: Device,
    checkpoint_interval_s: float = 60.0,
    compile: bool = False,  # noqa: A002  # as torch and the configuration call it
    resume_on_other_gpu: bool = False,
    only: str | None = None,
) -> None:
    """Train the networks of a pack that do not exist yet, then write the pack.

    Every network depends on its spec and the training set alone. On one kind of machine it is the same, bit for bit, in any
    pack and any order, interrupted or not. The failure of one does not stop the training of the others; the pack is written
    when all exist.

    Parameters
    ----------
    spec : PackSpec
    datasets : sequence of Path
        ``datasets/<id>.zarr.zip``, as ``spec.datasets`` names them.
    networks : Path
        Folder of networks: ``<id>.ckpt`` of each is read if it exists, else written. ``<id>.resume`` holds the state of an
        interrupted training.
    output : Path
        ``packs/<id>.json``.
    device : {"auto", "cpu", "gpu"}
    checkpoint_interval_s : float, [s]
    compile, resume_on_other_gpu : bool
        See :class:`hrtem_ood.learning.training.fit.TrainingSettings`.
    only : str, optional
        Id of the one network to train; no pack is written then.

    Raises
    ------
    HrtemOodError
        Where networks failed, after the others were trained; the message gives the reason for each.
    """
    begin, where = time.monotonic(), torch_device(device)
    ids = tuple(store.artifact_id_of(path) for path in datasets)
    if ids != spec.datasets:
        raise ArtifactError(f"{output} needs the datasets {', '.join(spec.datasets)}, not {', '.join(ids)}.")
    log(f"device: {device_name(where)}")
    graphs = StepGraphs() if where.type == "cuda" else None
    settings = TrainingSettings(
        where,
        checkpoint_interval_s,
        compile,
        graphs=graphs,
        resume_on_other_gpu=resume_on_other_gpu,
    )
    wanted = [network for network in spec.networks if only in (None, network.id)]
    with catch_stop_signals() as stop:
        entries = _train_sets(spec, wanted, datasets, networks, output, settings._replace(stop=stop))
    if only is not None:
        return
    seconds = time.monotonic() - begin
    content = {
        "networks": {network.id: entries[network.id] for network in spec.networks},
        **store.provenance(spec, seconds=seconds, device=device_name(where), software=device_software(where)),
    }
    store.write_json(output, content)


def _train_sets(
    spec: PackSpec,
    wanted: Sequence[NetworkSpec],
    datasets: Sequence[Path],
    networks: Path,
    output: Path,
    settings: TrainingSettings,
) -> dict[str, dict[str, Any]]:
    """Train what is missing, one training set after the other, and return the entries of all networks."""
    entries: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    paths = dict(zip(spec.datasets, datasets, strict=True))
    for training_set in spec.training_sets:
        own = [each for each in wanted if not spec.further_training_sets or each.training_set == training_set.id]
        files = [paths[id_] for id_ in training_set.datasets]
        # images of one training set at a time: those of the last one are of no use any more
        each_set = settings._replace(prepared=PreparedImages())
        entries |= _train_all(own, training_set, files, networks, each_set, failed)
    if failed:
        messages = "\n  ".join(f"{id_}: {message}" for id_, message in failed.items())
        raise HrtemOodError(
            f"{len(failed)} of {len(wanted)} networks of {output} failed; the others are kept.\n  {messages}"
        )
    return entries


def _train_all(
    wanted: Sequence[NetworkSpec],
    training_set: TrainingSetSpec,
    datasets: Sequence[Path],
    networks: Path,
    settings: TrainingSettings,
    failed: dict[str, str],
) -> dict[str, dict[str, Any]]:
    """Train what is missing of a training set, note what failed and why, and return the entries of the others."""
    entries: dict[str, dict[str, Any]] = {}
    for network in wanted:
        if (path := networks / f"{network.id}.ckpt").exists():
            entries[network.id] = _entry(path)
            log(f"{network.id} is trained already")
    missing = [network for network in wanted if network.id not in entries]
    missing.sort(key=kind_of_step)  # those of one kind share a graph
    if missing:
        wishes = [network.hyperparameters for network in missing]
        shared = _read(datasets, training_set, wishes, networks, settings)
        gc.freeze()  # the collector need not scan after every network what lives as long as the process
        with Leases() as leases:
            turns = leases.iterate_exclusively(
                missing, lambda network: networks / f"{network.id}.ckpt", settings.stop.check
            )
            for network in track(turns, "networks", len(missing)):
                settings.stop.check()
                try:
                    entries[network.id] = _train_one(network, shared)
                except Exception as error:  # an error of one network must not stop the others
                    failed[network.id] = str(error) if isinstance(error, HrtemOodError) else _unexpected(error)
                    log(f"{network.id} failed: {failed[network.id]}")
                gc.collect()  # Trainer and network refer to each other, and hold much memory
    return entries


def _unexpected(error: Exception) -> str:
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Shared:
    """Data that the networks of a pack share.

    Attributes
    ----------
    training : dict of Images
        By ``resample_noise``, and whether they are repaired.
    validation : dict of Images
        By whether they are repaired.
    domain : TrainingDomain
    folder : Path
        Of networks.
    settings : TrainingSettings
    """

    training: dict[tuple[bool, bool], Images]
    validation: dict[bool, Images]
    domain: TrainingDomain
    folder: Path
    settings: TrainingSettings


def _read(
    datasets: Sequence[Path],
    spec: TrainingSetSpec,
    wishes: Sequence[Hyperparameters],
    folder: Path,
    settings: TrainingSettings,
) -> _Shared:
    """Read the images of a training set, once for all networks, and repair what no epoch changes."""
    pairs, validation_pairs = select_images(spec)

    def read(of: ImageSelection, variable: str, *, repair: bool) -> Images:
        images = read_pairs(datasets, of, variable=variable)
        return (images.repaired() if repair else images).to_device_if_fits(settings.device)

    with explain_out_of_memory(f"reading the training set {spec.id}", "Use fewer images, or give the job more memory."):
        training = {key: read(pairs, VARIABLE[key[0]], repair=key[1]) for key in {_kind_of(each) for each in wishes}}
        validation = {
            repair: read(validation_pairs, VARIABLE[False], repair=repair)
            for repair in {each.repair for each in wishes}
        }
    label = next(iter(training.values())).label
    some, all_ = bool(label.any()), bool(label.all())
    if all_ or not some:
        raise ConfigError(
            f"labels.phase_threshold_rad: {'every' if some else 'no'} pixel of the training images of "
            f"{', '.join(spec.datasets)} is labelled particle, so there is nothing to learn; "
            f"use a {'larger' if some else 'smaller'} threshold (or another labels.blur_A)."
        )
    return _Shared(training, validation, domain_of_datasets(datasets, spec), folder, settings)


def _kind_of(wish: Hyperparameters) -> tuple[bool, bool]:
    """Return which training images a network reads: by ``resample_noise``, and whether they are repaired."""
    return wish.resample_noise, wish.repair and not wish.repairs_batches


def _train_one(spec: NetworkSpec, shared: _Shared) -> dict[str, Any]:
    """Train a network, unless another job has done so meanwhile, and return its entry in the pack."""
    path, hyper = shared.folder / f"{spec.id}.ckpt", spec.hyperparameters
    begin, resume = time.monotonic(), path.with_suffix(".resume")
    if path.exists():
        return _entry(path)
    advice = (
        f"Use a smaller batch_size (now {hyper.batch_size}), a smaller architecture (now {hyper.architecture.label}) "
        "or smaller images; or give the job more memory."
    )
    with reproducible(), explain_out_of_memory(f"training {spec.id}", advice):
        training, validation = shared.training[_kind_of(hyper)], shared.validation[hyper.repair]
        trained = fit(spec, training, validation, shared.settings, resume)
    seconds = trained.earlier_s + time.monotonic() - begin
    if trained.diverged:
        log(f"{spec.id} diverged in epoch {len(trained.curves['train_loss'])}: a smaller learning_rate may help")
    else:
        log(f"{spec.id}: validation loss {trained.best_validation_loss:.4f} after epoch {trained.best_epoch + 1}")
    if path.exists():  # another job has trained it meanwhile; keep the file that its pack lists
        return _entry(path)
    where = shared.settings.device
    name, software = device_name(where), device_software(where)
    entry = write_network(path, spec, trained, shared.domain, seconds=seconds, device=name, software=software)
    resume.unlink(missing_ok=True)
    return entry


def _entry(path: Path) -> dict[str, Any]:
    """Return the entry of an existing network, and delete the state that its training may have left."""
    entry = pack_entry(read_network(path))
    path.with_suffix(".resume").unlink(missing_ok=True)
    return entry

"""Stage `evaluate`: per-image scores and features of the networks of a pack on the datasets, or the micrographs, of a suite."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hrtem_ood.array_module import Device
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import EvaluationSpec
from hrtem_ood.config.evaluation import EvaluationPrecision
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.architectures.registry import check_size
from hrtem_ood.learning.batches import Batches, Images, read_images
from hrtem_ood.learning.checkpoint import described_architecture, load_network, read_network, training_domain
from hrtem_ood.learning.evaluation.feature_hook import FeatureHook
from hrtem_ood.learning.evaluation.forward_precision import forward_precision
from hrtem_ood.learning.evaluation.metrics import scores
from hrtem_ood.learning.evaluation.micrograph_scores import ScoredNetwork, micrograph_scores
from hrtem_ood.learning.evaluation.score_table import NetworkScores, ScoreTable
from hrtem_ood.learning.torch_device import (
    device_name,
    device_software,
    explain_out_of_memory,
    reproducible,
    torch_device,
)
from hrtem_ood.progress import log, track
from hrtem_ood.stages.labelled_set import read_labelled_images

PIXELS = {"cpu": 2**17, "cuda": 2**20}
"""Pixels per batch, which bounds memory. The batch size depends only on the images' size and the kind of device, because
sums may differ between batch sizes. On CPUs, larger batches are slower, as they exceed the caches
(benchmarks/evaluation.py). On GPUs, small batches would not use the device fully; this was not measured."""


def evaluate(
    spec: EvaluationSpec,
    packs: Sequence[Path],
    suite: Path,
    results: Path,
    output: Path,
    *,
    device: Device,
    architectures: Mapping[str, Architecture] | None = None,
) -> None:
    """Score networks of one training set on every image of a suite; scores that another evaluation holds are copied.

    Parameters
    ----------
    spec : EvaluationSpec
    packs : sequence of Path
        ``packs/<id>.json`` of the packs that the networks come from. Networks that diverged get NaN.
    suite : Path
        ``suites/<id>.json``.
    results : Path
        Folder of ``networks``, ``datasets``, ``labelled_sets`` and ``evaluations``.
    output : Path
        ``evaluations/<id>.zarr.zip``.
    device : {"auto", "cpu", "gpu"}
    architectures : mapping of str to Architecture, optional
        By network, from the configuration. Needed for those that are not built in: a network's file does not choose the
        code that is run.
    """
    begin, where = time.monotonic(), torch_device(device)
    log(f"device: {device_name(where)}")
    networks, cells = _empty(spec, packs, suite, results)
    cells.copy_existing(results / "evaluations", version=spec.version, except_for=output)
    if not cells.filled.all():
        with reproducible():
            packed = {id_: entry["pack"] for id_, entry in networks.items()}
            _compute(cells, packed, suite, results, where, architectures or {})
    seconds = time.monotonic() - begin
    provenance = store.provenance(spec, seconds=seconds, device=device_name(where), software=device_software(where))
    store.write_zarr(output, cells.to_dataset(), provenance)


def networks_to_score(spec: EvaluationSpec, packs: Sequence[Path], suite: Path, results: Path) -> list[str]:
    """Return the networks of an evaluation with scores that no existing evaluation holds.

    Parameters
    ----------
    spec, packs, suite, results
        As of :func:`evaluate`.

    Returns
    -------
    list of str
    """
    _, cells = _empty(spec, packs, suite, results)
    cells.mark_existing(results / "evaluations", version=spec.version)
    return [id_ for id_, has_score in zip(cells.networks, cells.filled, strict=True) if not has_score.all()]


def _empty(
    spec: EvaluationSpec, packs: Sequence[Path], suite: Path, results: Path
) -> tuple[dict[str, dict[str, Any]], ScoreTable]:
    """Return the packs' entries of the networks of an evaluation, and its empty table of scores."""
    if store.artifact_id_of(suite) != spec.suite:
        raise ArtifactError(f"{spec.id} needs {spec.suite}, not {suite}.")
    networks, datasets = _entries(spec, packs), store.read_json(suite)["datasets"]
    weights = {id_: entry.get("sha256_of_weights") for id_, entry in networks.items()}
    images = {
        id_: _digest_of_images(Results(results).path(_stage_of(entry), id_), entry, suite)
        for id_, entry in datasets.items()
    }
    return networks, ScoreTable(weights, images, _images_in_each(datasets, suite), spec.numeric_precision)


def _stage_of(entry: Mapping[str, Any]) -> str:
    """Return the stage of a dataset that a suite lists: simulated images or labelled micrographs."""
    return str(entry.get("stage", "datasets"))


def _digest_of_images(path: Path, entry: Mapping[str, Any], suite: Path) -> str:
    """Return the digest of the images that are to be scored: the one that the suite lists, or the file's.

    The file's is used where the dataset was created again on another device than when the suite was written, because its
    counts then differ by rounding and are as good. A dataset with other images from the same device was exchanged, and
    is refused later, see :func:`_images`.
    """
    listed = str(entry["sha256"])
    try:
        attributes = store.zarr_attributes(path)
    except (ArtifactError, FileNotFoundError):  # perhaps it is not needed; else reading it says what is wrong
        return listed
    digest, here = attributes.get("sha256_of_images"), store.made_on(attributes)
    if digest in (listed, None) or entry.get("made_on") in (None, here):
        return listed
    log(
        f"{path} was created again on {here}; when {suite} was written, it was of {entry['made_on']}. It is scored as it is"
    )
    return str(digest)


def _entries(spec: EvaluationSpec, packs: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Read the packs' entries of the networks of an evaluation, in its order, each with its ``pack``."""
    entries: dict[str, dict[str, Any]] = {}
    for pack in packs:
        entries |= {id_: entry | {"pack": pack} for id_, entry in store.read_json(pack)["networks"].items()}
    missing = [id_ for id_ in spec.networks if id_ not in entries]
    if missing:
        listed = ", ".join(map(str, packs)) or "no pack"
        raise ArtifactError(f"{spec.id} needs {', '.join(missing)}, which {listed} does not list.")
    return {id_: entries[id_] for id_ in spec.networks}


def _images_in_each(datasets: Mapping[str, Any], suite: Path) -> int:
    images = {entry["images"] for entry in datasets.values()}
    if len(images) != 1:
        raise ArtifactError(f"{suite} lists datasets of {sorted(images)} images, but a suite has one structure set.")
    return int(images.pop())


def _compute(
    cells: ScoreTable,
    packs: Mapping[str, Path],
    suite: Path,
    results: Path,
    device: torch.device,
    architectures: Mapping[str, Architecture],
) -> None:
    """Compute the missing scores, reading every network and every dataset once."""
    ids, names = list(cells.networks), list(cells.datasets)
    missing = {ids[row]: cells.networks[ids[row]] for row in range(len(ids)) if not cells.filled[row].all()}
    columns = [column for column in range(len(names)) if not cells.filled[:, column].all()]
    stages = {name: _stage_of(entry) for name, entry in store.read_json(suite)["datasets"].items()}
    sources = {id_: _Source(digest, packs[id_], architectures.get(id_)) for id_, digest in missing.items()}
    networks: dict[str, ScoredNetwork] = {}
    for column in track(columns, "test datasets", len(columns)):
        path = Results(results).path(stages[names[column]], names[column])
        _check_dataset(path, cells.datasets[names[column]], suite)
        images = None if stages[names[column]] == "labelled_sets" else read_images(path)
        if not networks:
            networks = _networks(sources, results, None if images is None else images.counts.shape[-1], device)
        unknown = {id_: network for id_, network in networks.items() if not cells.filled[ids.index(id_), column]}
        if images is None:
            computed = _micrograph_scores(unknown, path, device, cells.precision)
        else:
            hooks = {id_: network.hook for id_, network in unknown.items()}
            computed = network_scores(hooks, images, device, cells.precision)
        for id_, each in computed.items():
            cells.fill(ids.index(id_), column, each)


def _micrograph_scores(
    networks: Mapping[str, ScoredNetwork], path: Path, device: torch.device, precision: EvaluationPrecision
) -> dict[str, NetworkScores]:
    micrographs = track(
        read_labelled_images(path), "labelled micrographs", int(store.zarr_attributes(path)["micrographs"])
    )
    try:
        return micrograph_scores(networks, micrographs, device, precision)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error


def _check_dataset(path: Path, sha256: str, suite: Path) -> None:
    if not path.exists():
        raise ArtifactError(f"{path} is missing, but {suite} lists it. Delete {suite} and run snakemake again.")
    if store.zarr_attributes(path).get("sha256_of_images") != sha256:
        raise ArtifactError(
            f"{path} holds other images than when {suite} was written. Delete {suite} and run snakemake again."
        )


class _Source(NamedTuple):
    """Source of a network: the sha256 of its weights, the pack that lists it, and the architecture of the configuration."""

    sha256: str | None
    pack: Path
    architecture: Architecture | None


def _networks(
    sources: Mapping[str, _Source], results: Path, side: int | None, device: torch.device
) -> dict[str, ScoredNetwork]:
    """Read networks, and check that they accept images of that size; micrographs have none in common."""
    networks: dict[str, ScoredNetwork] = {}
    for id_, source in sources.items():
        content = _checkpoint(Results(results).path("networks", id_), source.sha256, source.pack)
        try:
            architecture = source.architecture or described_architecture(content)
            network = load_network(content, architecture)
            networks[id_] = ScoredNetwork(FeatureHook(network), training_domain(content).side_px)
        except ArtifactError as error:
            raise ArtifactError(f"{source.pack}: {error}") from error
        if side is not None:
            check_size(network, architecture, side)
    with explain_out_of_memory(f"{len(networks)} networks", "Use a smaller execution.networks_per_evaluation."):
        for tested in networks.values():
            tested.hook.network.to(device)
    return networks


def _checkpoint(path: Path, sha256: str | None, pack: Path) -> dict[str, Any]:
    if not path.exists():
        raise ArtifactError(
            f"{path} is missing, but {pack} lists it. Delete {pack} and run snakemake again to train it again."
        )
    content = read_network(path)
    if content["sha256_of_weights"] != sha256:
        raise ArtifactError(
            f"{path} holds other weights than {pack} lists. Delete {pack} and run snakemake again to list the existing weights."
        )
    return content


@torch.inference_mode()
def network_scores(
    networks: Mapping[str, FeatureHook],
    images: Images,
    device: torch.device,
    precision: EvaluationPrecision = "float32",
) -> dict[str, NetworkScores]:
    """Compute all scores and features of some networks on all images of a dataset.

    Every batch is prepared once for all networks, and scores stay on the device until the end. A network's scores do
    not depend on the others.

    Parameters
    ----------
    networks : mapping of str to FeatureHook
        By id; in evaluation mode, on the device.
    images : Images
    device : torch.device
    precision : {"float32", "tf32", "bfloat16"}
        Of the forward passes; scores are computed in float32.

    Returns
    -------
    dict of str to NetworkScores
    """
    side = images.counts.shape[-1]
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {id_: [] for id_ in networks}
    for image, label in Batches(images.to_device_if_fits(device), batch_size(side, device), device):
        for id_, network in networks.items():
            advice = f"Images are {side} px wide; use a smaller network or smaller images, or more memory."
            with explain_out_of_memory(f"evaluating network {id_}", advice):
                with forward_precision(precision, device):
                    logits, feature = network(image)
                parts[id_].append((scores(logits.float(), label), feature.half()))
    results = {}
    for id_, batches in parts.items():
        values, features = zip(*batches, strict=True)
        results[id_] = NetworkScores(torch.cat(values, dim=1).cpu().numpy(), torch.cat(features).cpu().numpy())
    return results


def batch_size(side: int, device: torch.device) -> int:
    """Images per batch, for images of that side [px]; see :data:`PIXELS`."""
    return max(1, PIXELS[device.type] // side**2)

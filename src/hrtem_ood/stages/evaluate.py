"""Stage `evaluate`: per-image scores and features of the networks of a pack on the datasets, or the micrographs, of a suite."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from hrtem_ood.learning.checkpoint import (
    described_architecture,
    load_network,
    read_network,
    sees_repaired,
    training_domain,
)
from hrtem_ood.learning.evaluation.feature_hook import FeatureHook, ScoredNetwork
from hrtem_ood.learning.evaluation.forward_precision import forward_precision
from hrtem_ood.learning.evaluation.metrics import scores
from hrtem_ood.learning.evaluation.score_table import NetworkScores, ScoreTable
from hrtem_ood.learning.torch_device import (
    device_name,
    device_software,
    explain_out_of_memory,
    reproducible,
    torch_device,
)
from hrtem_ood.progress import log, track

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
    parts: Iterable[Path] = (),
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
    parts : iterable of Path, optional
        Evaluations of single networks that tasks made for this one: what these computed counts as its own work.
    """
    begin, where = time.monotonic(), torch_device(device)
    log(f"device: {device_name(where)}")
    networks, cells = _empty(spec, packs, suite, results)
    cells.copy_existing(results / "evaluations", version=spec.version, except_for=output)
    made = [store.zarr_attributes(path) for path in parts]
    computed = 1 - float(cells.filled.mean()) + sum(each["computed_share"] for each in made) / len(spec.networks)
    if not cells.filled.all():
        with reproducible():
            packed = {id_: entry["pack"] for id_, entry in networks.items()}
            _compute(cells, packed, suite, results, where, architectures or {})
    seconds = time.monotonic() - begin + sum(each["seconds"] for each in made)
    provenance = store.provenance(spec, seconds=seconds, device=device_name(where), software=device_software(where))
    # estimates of time need it
    store.write_zarr(output, cells.to_dataset(), provenance | {"computed_share": round(min(computed, 1.0), 6)})


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
    waiting = {repair: _Waiting(cells, device) for repair in (False, True)}
    for column in track(columns, "test datasets", len(columns)):
        path = Results(results).path(stages[names[column]], names[column])
        _check_dataset(path, cells.datasets[names[column]], suite)
        images = None if stages[names[column]] == "labelled_sets" else read_images(path)
        if not networks:
            networks = _networks(sources, results, None if images is None else images.counts.shape[-1], device)
        unknown = {id_: network for id_, network in networks.items() if not cells.filled[ids.index(id_), column]}
        if images is None:
            for id_, each in _micrograph_scores(unknown, path, device, cells.precision).items():
                cells.fill(ids.index(id_), column, each)
            continue
        for repair, group in waiting.items():
            hooks = {id_: network.hook for id_, network in unknown.items() if network.repair == repair}
            if hooks:
                group.add(column, images.repaired() if repair else images, hooks)
    for group in waiting.values():
        group.score()


class _Waiting:
    """Datasets that wait until together they make a batch: their scores are computed at once, which takes less time.

    Parameters
    ----------
    cells : ScoreTable
        Which is filled.
    device : torch.device
    """

    def __init__(self, cells: ScoreTable, device: torch.device) -> None:
        self._cells, self._device = cells, device
        self._images: dict[int, Images] = {}
        self._hooks: dict[str, FeatureHook] = {}

    def add(self, column: int, images: Images, hooks: dict[str, FeatureHook]) -> None:
        """Add a dataset that has no scores of some networks."""
        pixels = sum(each.counts.numel() for each in (images, *self._images.values()))
        if pixels > PIXELS[self._device.type] or hooks.keys() != self._hooks.keys():
            self.score()
        self._images[column], self._hooks = images, hooks

    def score(self) -> None:
        """Score all that wait."""
        if not self._images:
            return
        rows = {id_: row for row, id_ in enumerate(self._cells.networks)}
        computed = group_scores(self._hooks, list(self._images.values()), self._device, self._cells.precision)
        for column, of_networks in zip(self._images, computed, strict=True):
            for id_, each in of_networks.items():
                self._cells.fill(rows[id_], column, each)
        self._images.clear()


def _micrograph_scores(
    networks: Mapping[str, ScoredNetwork], path: Path, device: torch.device, precision: EvaluationPrecision
) -> dict[str, NetworkScores]:
    # not at the top: what reads and repairs micrographs takes seconds to import, and most suites are of images
    from hrtem_ood.learning.evaluation.micrograph_scores import micrograph_scores
    from hrtem_ood.stages.labelled_set import read_labelled_images

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
            side_px = training_domain(content).side_px
            networks[id_] = ScoredNetwork(FeatureHook(network), side_px, sees_repaired(content))
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


def network_scores(
    networks: Mapping[str, FeatureHook],
    images: Images,
    device: torch.device,
    precision: EvaluationPrecision = "float32",
) -> dict[str, NetworkScores]:
    """Compute all scores and features of some networks on all images of a dataset, see :func:`group_scores`."""
    return group_scores(networks, [images], device, precision)[0]


@torch.inference_mode()
def group_scores(
    networks: Mapping[str, FeatureHook],
    group: Sequence[Images],
    device: torch.device,
    precision: EvaluationPrecision = "float32",
) -> list[dict[str, NetworkScores]]:
    """Compute all scores and features of some networks on all images of some datasets.

    Every batch is prepared once for all networks, and scores stay on the device until the end. A network's scores do
    not depend on the other networks, and those on a dataset not on the other datasets: a batch that a network sees holds
    images of one.

    Parameters
    ----------
    networks : mapping of str to FeatureHook
        By id; in evaluation mode, on the device.
    group : sequence of Images
        All of one size.
    device : torch.device
    precision : {"float32", "tf32", "bfloat16"}
        Of the forward passes; scores are computed in float32.

    Returns
    -------
    list of dict of str to NetworkScores
        For each dataset, by network.
    """
    side = group[0].counts.shape[-1]
    size = batch_size(side, device)
    advice = f"Images are {side} px wide; use a smaller network or smaller images, or more memory."
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {id_: [] for id_ in networks}
    batches = (Batches(images.to_device_if_fits(device), size, device) for images in group)
    # a GPU adds up in blocks that depend on the number of images, so it scores those of one dataset at a time
    together = size if device.type == "cpu" else 0
    for images, label in _gathered(itertools.chain.from_iterable(batches), together):
        for id_, network in networks.items():
            with explain_out_of_memory(f"evaluating network {id_}", advice):
                with forward_precision(precision, device):
                    logits, feature = (_joined(each) for each in zip(*map(network, images), strict=True))
                parts[id_].append((scores(logits.float(), label), feature.half()))
    results: list[dict[str, NetworkScores]] = [{} for _ in group]
    for id_, computed in parts.items():
        values, features = zip(*computed, strict=True)
        all_scores, all_features = torch.cat(values, dim=1).cpu().numpy(), torch.cat(features).cpu().numpy()
        stop = 0
        for dataset, result in zip(group, results, strict=True):
            start, stop = stop, stop + len(dataset.counts)
            result[id_] = NetworkScores(all_scores[:, start:stop], all_features[start:stop])
    return results


def _gathered(batches: Iterable[tuple[Tensor, Tensor]], size: int) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Yield neighbouring batches that have at most ``size`` images together, and their labels as one."""
    images: list[Tensor] = []
    labels: list[Tensor] = []
    for image, label in batches:
        if sum(map(len, labels)) + len(label) > size and labels:
            yield images, _joined(labels)
            images, labels = [], []
        images.append(image)
        labels.append(label)
    if labels:
        yield images, _joined(labels)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))


def batch_size(side: int, device: torch.device) -> int:
    """Images per batch, for images of that side [px]; see :data:`PIXELS`."""
    return max(1, PIXELS[device.type] // side**2)

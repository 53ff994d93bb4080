"""Stages `suite` and `evaluate`: per-image scores of the networks of a pack on the datasets of a suite."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hrtem_ood import store
from hrtem_ood.campaign.campaign import artefact
from hrtem_ood.campaign.specs import EvaluateSpec, SuiteSpec
from hrtem_ood.device import Device
from hrtem_ood.errors import ArtefactError
from hrtem_ood.evaluation.cells import Cells
from hrtem_ood.evaluation.scores import scores
from hrtem_ood.networks.checkpoint import network_from, read_network
from hrtem_ood.networks.hardware import device_name, reproducible, torch_device
from hrtem_ood.networks.images import Batches, Images, read_images
from hrtem_ood.progress import track

BATCH = 16
"""Images per batch: a constant, as sums may come out differently in batches of another size."""


def index_suite(spec: SuiteSpec, datasets: Sequence[Path], output: Path) -> None:
    """Write the index of a suite, one small file that stands for all its datasets and changes when one of them does.

    Parameters
    ----------
    spec : SuiteSpec
    datasets : sequence of Path
        ``datasets/<id>.zarr.zip``, as ``spec.datasets`` names them.
    output : Path
        ``suites/<id>.json``.
    """
    begin = time.monotonic()
    found = tuple(store.artefact_id(path) for path in datasets)
    if found != spec.datasets:
        raise ArtefactError(f"{output} needs the datasets {', '.join(spec.datasets)}, not {', '.join(found)}.")
    entries = {}
    for path in track(datasets, "test datasets", len(datasets)):
        with store.open_zarr(path) as dataset:
            # of counts and labels: a dataset that was made again, with the same images, needs no new scores
            sha256 = dataset.attrs["sha256_of_images"]
            entries[store.artefact_id(path)] = {"images": dataset.sizes["image"], "sha256": sha256}
    told = store.provenance(spec, seconds=time.monotonic() - begin, device="cpu")
    store.write_json(output, {"datasets": entries, **told})


def evaluate(spec: EvaluateSpec, pack: Path, suite: Path, results: Path, output: Path, *, device: Device) -> None:
    """Score every network of a pack on every image of a suite; scores that another evaluation holds are copied.

    Parameters
    ----------
    spec : EvaluateSpec
    pack : Path
        ``packs/<id>.json``. Networks that diverged get NaN.
    suite : Path
        ``suites/<id>.json``.
    results : Path
        Folder of ``networks``, ``datasets`` and ``evaluations``.
    output : Path
        ``evaluations/<id>.zarr.zip``.
    device : {"auto", "cpu", "gpu"}
    """
    begin, where = time.monotonic(), torch_device(device)
    for path, wanted in ((pack, spec.pack), (suite, spec.suite)):
        if store.artefact_id(path) != wanted:
            raise ArtefactError(f"{output} needs {wanted}, not {path}.")
    networks, datasets = store.read_json(pack)["networks"], store.read_json(suite)["datasets"]
    cells = Cells(
        {id_: entry.get("sha256_of_weights") for id_, entry in networks.items()},
        {id_: entry["sha256"] for id_, entry in datasets.items()},
        _images_in_each(datasets, suite),
    )
    cells.reuse(results / "evaluations", version=spec.version, except_for=output)
    if not cells.known.all():
        with reproducible():
            _compute(cells, pack, suite, results, where)
    told = store.provenance(spec, seconds=time.monotonic() - begin, device=device_name(where))
    store.write_zarr(output, cells.to_dataset(), told)


def _images_in_each(datasets: Mapping[str, Any], suite: Path) -> int:
    images = {entry["images"] for entry in datasets.values()}
    if len(images) != 1:
        raise ArtefactError(f"{suite} lists datasets of {sorted(images)} images, but a suite has one structure set.")
    return int(images.pop())


def _compute(cells: Cells, pack: Path, suite: Path, results: Path, device: torch.device) -> None:
    """Compute the cells that are not known, reading every network and every dataset once."""
    ids, names = list(cells.networks), list(cells.datasets)
    rows = [row for row in range(len(ids)) if not cells.known[row].all()]
    columns = [column for column in range(len(names)) if not cells.known[:, column].all()]
    loaded = {row: _network(ids[row], cells.networks[ids[row]], pack, results).to(device) for row in rows}
    for column in track(columns, "test datasets", len(columns)):
        path = results / artefact("datasets", names[column])
        if not path.exists():
            raise ArtefactError(f"{path} is missing, but {suite} lists it. Delete {suite} and run snakemake again.")
        if store.zarr_attributes(path).get("sha256_of_images") != cells.datasets[names[column]]:
            raise ArtefactError(
                f"{path} holds other images than when {suite} was made. Delete {suite} and run snakemake again."
            )
        images = read_images(path).to(device)
        for row in rows:
            if not cells.known[row, column]:
                cells.fill(row, column, network_scores(loaded[row], images))


def _network(id_: str, sha256: str | None, pack: Path, results: Path) -> nn.Module:
    path = results / artefact("networks", id_)
    if not path.exists():
        raise ArtefactError(
            f"{path} is missing, but {pack} lists it. Delete {pack} and run snakemake again to train it anew."
        )
    content = read_network(path)
    if content["sha256_of_weights"] != sha256:
        raise ArtefactError(
            f"{path} holds other weights than {pack} lists. Delete {pack} and run snakemake again to list what is there."
        )
    return network_from(content)


@torch.inference_mode()
def network_scores(network: nn.Module, images: Images) -> np.ndarray:
    """Compute all scores of one network on all images of a dataset.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the device of the images.
    images : Images

    Returns
    -------
    float32 array, (score, image)
        In the order of ``SCORES``.
    """
    parts = [scores(network(image), label) for image, label in Batches(images, BATCH)]
    found: np.ndarray = torch.cat(parts, dim=1).cpu().numpy()
    return found

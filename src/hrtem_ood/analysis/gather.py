"""Reading all evaluations of a campaign, one after the other, as blocks of networks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood import store
from hrtem_ood.campaign.campaign import Campaign, Evaluated, artefact
from hrtem_ood.campaign.packs import trie_key
from hrtem_ood.errors import ArtefactError
from hrtem_ood.progress import track
from hrtem_ood.scores import SCORES

Floats = NDArray[np.float32]


def stored_order(campaign: Campaign) -> list[str]:
    """Ids of all networks in an order in which networks that are tested together are neighbours.

    By training set, in each of them by digest. It does not depend on how many networks one job tests.
    """
    place = {id_: index for index, id_ in enumerate(campaign.training_set_by_id)}
    networks = campaign.networks.values()
    return [spec.id for spec in sorted(networks, key=lambda spec: (place[spec.training_set], trie_key(spec)))]


def score_blocks(campaign: Campaign, results: Path, datasets: Sequence[str], rows: int) -> Iterator[Floats]:
    """Read every evaluation of a campaign once, and hold no more than one block and one group of networks.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    datasets : sequence of str
        Ids of test datasets, in the order wanted.
    rows : int
        Networks per block.

    Yields
    ------
    float32 array, (score, network, condition, image)
        The next ``rows`` networks in the order of :func:`stored_order`, the last block what is left. Scores in the order
        and units of :data:`hrtem_ood.scores.SCORES`; NaN where a dataset has fewer images than others, and for networks
        that diverged.

    Raises
    ------
    ArtefactError
        When an evaluation is missing, damaged, or of other networks or datasets than its name says.
    """
    images = max(campaign.datasets[id_].structures for id_ in datasets)
    waiting: list[Floats] = []
    for group in _groups(campaign, results, datasets, images):
        waiting.append(group)
        if sum(part.shape[1] for part in waiting) >= rows:
            joined = np.concatenate(waiting, axis=1)
            whole = joined.shape[1] // rows * rows
            waiting = [joined[:, whole:].copy()]  # a view would keep all of it
            for start in range(0, whole, rows):
                yield joined[:, start : start + rows]
    if waiting and sum(part.shape[1] for part in waiting):
        yield np.concatenate(waiting, axis=1)


def _groups(campaign: Campaign, results: Path, datasets: Sequence[str], images: int) -> Iterator[Floats]:
    """Yield the scores of networks that are tested together, from their evaluations on all suites."""
    jobs: dict[tuple[str, ...], list[Evaluated]] = {}
    for job in campaign.evaluations.values():
        jobs.setdefault(job.spec.networks, []).append(job)
    place = {id_: index for index, id_ in enumerate(stored_order(campaign))}
    groups = sorted(jobs, key=lambda networks: min(place[id_] for id_ in networks))
    column = {id_: index for index, id_ in enumerate(datasets)}
    for networks in track(groups, "groups of networks", len(groups)):
        row = {id_: index for index, id_ in enumerate(sorted(networks, key=place.__getitem__))}
        values = np.full((len(SCORES), len(row), len(datasets), images), np.nan, np.float32)
        for job in jobs[networks]:
            _fill(values, row, column, job, results)
        yield values


def _fill(values: Floats, row: dict[str, int], column: dict[str, int], job: Evaluated, results: Path) -> None:
    """Read one evaluation into its rows and columns."""
    path = results / artefact("evaluations", job.spec.id)
    with store.open_zarr(path, dask=False) as found:
        _check(path, job, found)
        rows = np.array([row[str(id_)] for id_ in found.network.values])[:, None]
        columns = np.array([column[str(id_)] for id_ in found.condition.values])[None, :]
        for index, name in enumerate(SCORES):
            values[index, rows, columns, : found.sizes["image"]] = found[name].values


def _check(path: Path, job: Evaluated, found: xr.Dataset) -> None:
    asked = ({network.id for network in job.networks}, set(job.suite.datasets))
    images = np.arange(found.sizes["image"])
    there = (set(map(str, found.network.values)), set(map(str, found.condition.values)))
    if there != asked or not np.array_equal(found.image.values, images):
        raise ArtefactError(
            f"{path} holds scores of other networks or test datasets than its name says. "
            f"Delete {path} and run snakemake again to make it anew."
        )


def gather_training(campaign: Campaign, results: Path, networks: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read how training ended for every network.

    Parameters
    ----------
    campaign : Campaign
    results : Path
    networks : sequence of str
        Ids of networks, in the order wanted.

    Returns
    -------
    dict of str to array, (network,)
        ``best_val_loss`` (float64, NaN where training diverged), ``diverged`` (bool), ``epochs_trained`` and
        ``parameter_count`` (int64), ``flops_per_image`` (float64; NaN where it is not known).
    """
    kinds: dict[str, type] = {"best_val_loss": float, "flops_per_image": float}
    kinds |= {"epochs_trained": int, "parameter_count": int, "diverged": bool}
    found: dict[str, NDArray[Any]] = {name: np.zeros(len(networks), kind) for name, kind in kinds.items()}
    row = {id_: index for index, id_ in enumerate(networks)}
    for pack in campaign.packs.values():
        path = results / artefact("packs", pack.id)
        trained = store.read_json(path)["networks"]
        for network in pack.networks:
            if network.id not in trained:
                raise ArtefactError(
                    f"{path} does not tell of network {network.id}. Delete {path} and run snakemake again to make it anew."
                )
            entry = trained[network.id]
            told = {
                "best_val_loss": entry.get("best_val_loss", np.nan),
                "diverged": entry["diverged"],
                "epochs_trained": entry["epochs"],
                "parameter_count": entry["parameter_count"],
                "flops_per_image": np.nan if entry["flops_per_image"] is None else entry["flops_per_image"],
            }
            for name, value in told.items():
                found[name][row[network.id]] = value
    return found

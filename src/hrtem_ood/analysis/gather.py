"""Reading all evaluations of a campaign into one array per score, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrtem_ood import store
from hrtem_ood.campaign.campaign import Campaign, Evaluated, artefact
from hrtem_ood.errors import ArtefactError
from hrtem_ood.progress import track
from hrtem_ood.scores import SCORES

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """Scores of all networks on all test datasets.

    Attributes
    ----------
    per_image : dict of str to float32 array, (network, condition, image)
        By score, in the units that :data:`hrtem_ood.scores.SCORES` tells; NaN where a dataset has fewer images than others.
    mean : dict of str to float32 array, (network, condition), likewise
        Means over images.
    """

    per_image: dict[str, Floats]
    mean: dict[str, Floats]


def gather_scores(campaign: Campaign, results: Path, networks: Sequence[str], datasets: Sequence[str]) -> Scores:
    """Read every evaluation of a campaign.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    networks, datasets : sequence of str
        Ids of networks and test datasets, in the order wanted.

    Returns
    -------
    Scores

    Raises
    ------
    ArtefactError
        When an evaluation is missing, damaged, or of other networks or datasets than its name says.
    """
    row = {id_: index for index, id_ in enumerate(networks)}
    column = {id_: index for index, id_ in enumerate(datasets)}
    shape = (len(networks), len(datasets), max(campaign.datasets[id_].structures for id_ in datasets))
    scores = Scores(
        {name: np.full(shape, np.nan, np.float32) for name in SCORES},
        {name: np.full(shape[:2], np.nan, np.float32) for name in SCORES},
    )
    jobs = list(campaign.evaluations.values())
    for job in track(jobs, "evaluations", len(jobs)):
        path = results / artefact("evaluations", job.spec.id)
        with store.open_zarr(path) as found:
            _check(path, job, found.network.values, found.condition.values)
            rows = np.array([row[str(id_)] for id_ in found.network.values])[:, None]
            columns = np.array([column[str(id_)] for id_ in found.condition.values])[None, :]
            images = found.image.values
            for name in SCORES:
                block = found[name].values
                scores.per_image[name][rows[..., None], columns[..., None], images] = block
                scores.mean[name][rows, columns] = block.mean(axis=2, dtype=np.float64)
    return scores


def _check(path: Path, job: Evaluated, networks: NDArray[np.str_], datasets: NDArray[np.str_]) -> None:
    asked = ({network.id for network in job.networks}, set(job.suite.datasets))
    if (set(map(str, networks)), set(map(str, datasets))) != asked:
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

"""Reading all evaluations of a campaign, one after the other, as blocks of networks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.feature_shift import MEASURES, feature_shift
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign, EvaluationJob
from hrtem_ood.campaign.domain import in_domain
from hrtem_ood.campaign.packs import trie_key
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.progress import track

MEASURED = "measured micrographs"
"""Stands for the structure set of labelled micrographs, which have none."""

Floats = NDArray[np.float32]


class ScoreBlock(NamedTuple):
    """Scores of some networks under all test conditions.

    Attributes
    ----------
    scores : float32 array, (score, network, condition, image)
        In the order and units of :data:`hrtem_ood.learning.evaluation.metric_names.METRICS`; NaN where a dataset has
        fewer images than others, and for networks that diverged.
    feature_shift : float32 array, (measure, network, condition)
        In the order of :data:`hrtem_ood.analysis.feature_shift.MEASURES`.
    """

    scores: Floats
    feature_shift: Floats

    def rows(self, start: int, stop: int | None = None) -> "ScoreBlock":
        """Return some of the networks."""
        return ScoreBlock(*(each[:, start:stop] for each in self))


def network_order(campaign: Campaign) -> list[str]:
    """Return the ids of all networks, in an order in which networks that are tested together are neighbours.

    By training set, in each of them by digest. It does not depend on how many networks one job tests.
    """
    place = {id_: index for index, id_ in enumerate(campaign.training_set_ids)}
    networks = campaign.networks.values()
    return [spec.id for spec in sorted(networks, key=lambda spec: (place[spec.training_set], trie_key(spec)))]


def score_blocks(campaign: Campaign, results: Path, datasets: Sequence[str], rows: int) -> Iterator[ScoreBlock]:
    """Read every evaluation of a campaign once, keeping at most one block and one group of networks in memory.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    datasets : sequence of str
        Ids of test datasets, in the order of the result.
    rows : int
        Networks per block.

    Yields
    ------
    ScoreBlock
        The next ``rows`` networks in the order of :func:`network_order`, fewer in the last block.

    Raises
    ------
    ArtifactError
        When an evaluation is missing, damaged, or of other networks or datasets than its name says.
    """
    images = max(image_counts(campaign, results, datasets))
    waiting: list[ScoreBlock] = []
    for group in _groups(campaign, results, datasets, images):
        waiting.append(group)
        if sum(part.scores.shape[1] for part in waiting) >= rows:
            joined = _joined(waiting)
            whole = joined.scores.shape[1] // rows * rows
            waiting = [ScoreBlock(*(each.copy() for each in joined.rows(whole)))]  # a view would keep all of it
            for start in range(0, whole, rows):
                yield joined.rows(start, start + rows)
    if waiting and sum(part.scores.shape[1] for part in waiting):
        yield _joined(waiting)


def image_counts(campaign: Campaign, results: Path, datasets: Sequence[str]) -> list[int]:
    """Return how many images each test dataset, or labelled set, has; those of the latter are listed in their suites."""
    counts = {id_: spec.n_structures for id_, spec in campaign.datasets.items()}
    for suite in campaign.suites.values():
        if suite.datasets[0] in campaign.labelled_sets:
            listed = Results(results).read_json("suites", suite.id)["datasets"]
            counts |= {id_: int(entry["images"]) for id_, entry in listed.items()}
    return [counts[id_] for id_ in datasets]


def structure_sets(campaign: Campaign, datasets: Sequence[str]) -> list[str]:
    """Return the structure set of each test dataset; :data:`MEASURED` of labelled sets."""
    return [campaign.structure_set_of_dataset.get(id_, MEASURED) for id_ in datasets]


def _joined(blocks: list[ScoreBlock]) -> ScoreBlock:
    return ScoreBlock(*(np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)))


def _groups(campaign: Campaign, results: Path, datasets: Sequence[str], images: int) -> Iterator[ScoreBlock]:
    """Yield the scores of networks that are tested together, from their evaluations on all test suites."""
    jobs: dict[tuple[str, ...], list[EvaluationJob]] = {}
    for job in campaign.evaluations.values():
        jobs.setdefault(job.spec.networks, []).append(job)
    place = {id_: index for index, id_ in enumerate(network_order(campaign))}
    groups = sorted(jobs, key=lambda networks: min(place[id_] for id_ in networks))
    column = {id_: index for index, id_ in enumerate(datasets)}
    inside = dict(zip(campaign.training_set_ids, in_domain(campaign, campaign.training_set_ids, datasets), strict=True))
    # labelled sets have no images of the same structures
    sets = np.array([campaign.structure_set_of_dataset.get(id_, id_) for id_ in datasets])
    groups_of_columns = [np.flatnonzero(sets == name) for name in dict.fromkeys(sets)]
    counts = image_counts(campaign, results, datasets)
    structures = [(columns, counts[columns[0]]) for columns in groups_of_columns]
    for networks in track(groups, "groups of networks", len(groups)):
        row = {id_: index for index, id_ in enumerate(sorted(networks, key=place.__getitem__))}
        values = np.full((len(METRICS), len(row), len(datasets), images), np.nan, np.float32)
        feature: dict[str, NDArray[np.float16]] = {}
        for job in jobs[networks]:
            _fill(values, feature, row, column, job, results)
        shift = np.full((len(MEASURES), len(row), len(datasets)), np.nan, np.float32)
        for id_, each in feature.items():
            shift[:, row[id_]] = feature_shift(each, inside[campaign.networks[id_].training_set], structures)
        yield ScoreBlock(values, shift)


def _fill(
    values: Floats,
    feature: dict[str, NDArray[np.float16]],
    row: dict[str, int],
    column: dict[str, int],
    job: EvaluationJob,
    results: Path,
) -> None:
    """Read one evaluation into its rows and columns."""
    path = Results(results).path("evaluations", job.spec.id)
    with store.open_zarr(path, dask=False) as evaluation:
        _check(path, job, evaluation)
        rows = np.array([row[str(id_)] for id_ in evaluation.network.values])[:, None]
        columns = np.array([column[str(id_)] for id_ in evaluation.condition.values])[None, :]
        for index, name in enumerate(METRICS):
            values[index, rows, columns, : evaluation.sizes["image"]] = evaluation[name].values
        shape, columns = values.shape[2:], columns[0]
        for id_, each, width in zip(
            evaluation.network.values, evaluation["feature"].values, evaluation.features.values, strict=True
        ):
            if str(id_) not in feature:
                feature[str(id_)] = np.full((*shape, width), np.nan, np.float16)
            feature[str(id_)][columns, : evaluation.sizes["image"]] = each[..., :width]


def _check(path: Path, job: EvaluationJob, scores: xr.Dataset) -> None:
    expected = ({network.id for network in job.networks}, set(job.suite.datasets))
    images = np.arange(scores.sizes["image"])
    stored = (set(map(str, scores.network.values)), set(map(str, scores.condition.values)))
    if stored != expected or not np.array_equal(scores.image.values, images):
        raise ArtifactError(
            f"{path} holds scores of other networks or test datasets than its name says. "
            f"Delete {path} and run snakemake again to create it anew."
        )


def gather_training(campaign: Campaign, results: Path, networks: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read the outcome of training of every network.

    Parameters
    ----------
    campaign : Campaign
    results : Path
    networks : sequence of str
        Ids of networks, in the order of the result.

    Returns
    -------
    dict of str to array, (network,)
        ``best_val_loss`` (float64, NaN where training diverged), ``diverged`` (bool), ``epochs_trained`` and
        ``parameter_count`` (int64), ``flops_per_image`` (float64; NaN where it is unknown).
    """
    kinds: dict[str, type] = {"best_val_loss": float, "flops_per_image": float}
    kinds |= {"epochs_trained": int, "parameter_count": int, "diverged": bool}
    columns: dict[str, NDArray[Any]] = {name: np.zeros(len(networks), kind) for name, kind in kinds.items()}
    row = {id_: index for index, id_ in enumerate(networks)}
    for pack in campaign.packs.values():
        path = Results(results).path("packs", pack.id)
        trained = store.read_json(path)["networks"]
        for network in pack.networks:
            if network.id not in trained:
                raise ArtifactError(f"{path} has no entry for network {network.id}. Delete it and run snakemake again.")
            entry = trained[network.id]
            values = {
                "best_val_loss": entry.get("best_val_loss", np.nan),
                "diverged": entry["diverged"],
                "epochs_trained": entry["epochs"],
                "parameter_count": entry["parameter_count"],
                "flops_per_image": np.nan if entry["flops_per_image"] is None else entry["flops_per_image"],
            }
            for name, value in values.items():
                columns[name][row[network.id]] = value
    return columns

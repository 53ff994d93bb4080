"""All scores of a campaign in one dataset, with OOD gaps, and the coordinates of networks and conditions."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from hrtem_ood.analysis import ood_gap
from hrtem_ood.analysis.feature_shift import MEASURES
from hrtem_ood.analysis.gather import (
    Floats,
    gather_training,
    image_counts,
    network_order,
    score_blocks,
    structure_sets,
)
from hrtem_ood.artifacts.zarr_writer import ZarrWriter
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import in_domain
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import TrainingSetSpec
from hrtem_ood.campaign.test_datasets import test_columns
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.physics.optics.condition import Condition, parameter_unit
from hrtem_ood.progress import log

CHUNK = 2**20
"""About this many means go into one chunk."""

NETWORKS, CONDITIONS = 128, 16
"""Networks and test datasets in one chunk of scores per image, so that one network, or one condition, is a small part of the
store."""

Coordinates = dict[str, tuple[str, NDArray[Any], dict[str, str]]]


def write_scores(campaign: Campaign, results: Path, writer: ZarrWriter) -> dict[str, Floats]:
    """Write the scores per image, block by block, and reduce them and the features of networks.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    writer : ZarrWriter
        Receives one array (network, condition, image) per score; :func:`metrics_dataset` returns the rest of the dataset.

    Returns
    -------
    dict of str to float32 array, (network, condition)
        Means over images by score, and measures of feature shift by name; NaN for networks that diverged.
    """
    datasets = test_columns(campaign)
    images = np.array(image_counts(campaign, results, datasets))
    shape = (len(campaign.networks), len(datasets), int(images.max()))
    rows = min(NETWORKS, shape[0])
    for name, (text, unit, _) in METRICS.items():
        codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=4)
        encoding = {
            "chunks": (rows, min(CONDITIONS, shape[1]), shape[2]),
            "compressors": codec,
            "attributes": _attributes(f"{text} per image", unit),
        }
        writer.add_array(name, ("network", "condition", "image"), shape, "float32", encoding)
    reduced = {name: np.empty(shape[:2], np.float32) for name in (*METRICS, *MEASURES)}
    start = 0
    for block in score_blocks(campaign, results, datasets, rows):
        stop = start + block.scores.shape[1]
        for name, values in zip(MEASURES, block.feature_shift, strict=True):
            reduced[name][start:stop] = values
        is_scored = np.isfinite(block.scores[list(METRICS).index("cross_entropy")])
        for name, values in zip(METRICS, block.scores, strict=True):
            # ratios of a labelled image without particles are undefined, and no reason to drop the others
            undefined = is_scored & np.isnan(values)
            writer.write(name, start, values)
            for count in np.unique(images):
                columns = images == count
                reduced[name][start:stop, columns] = _mean_without(
                    values[:, columns, :count], undefined[:, columns, :count]
                )
        start = stop
    return reduced


def _mean_without(values: Floats, left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over images, (network, condition), without some; NaN where none is left."""
    count = (~left_out).sum(axis=2)
    total = np.where(left_out, 0, values).sum(axis=2, dtype=np.float64)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def metrics_dataset(campaign: Campaign, results: Path, reduced: Mapping[str, Floats]) -> xr.Dataset:
    """Compute gaps and distances from the scores, with the coordinates of networks and conditions.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    reduced : mapping of str to float32 array, (network, condition)
        From :func:`write_scores`.

    Returns
    -------
    xarray.Dataset
        ``mean_*`` and ``gap_*`` of each score, ``mahalanobis``, ``feature_cka``, ``in_domain``, ``sigma`` and
        ``abs_delta_defocus_A`` (network, condition);
        ``epsilon`` and ``minimum_contrast`` (condition,). ``network`` is in the order of
        :func:`hrtem_ood.analysis.gather.network_order`; ``condition`` runs over test datasets, then over labelled sets,
        whose ``epsilon``, ``sigma``, ``abs_delta_defocus_A`` and condition are NaN: nobody knows them.
    """
    networks, datasets = network_order(campaign), test_columns(campaign)
    simulated = [id_ for id_ in datasets if id_ in campaign.datasets]
    with Results(results).open("transfer", campaign.transfer.id) as transfer:
        epsilon, sigma = transfer.epsilon.values, transfer.sigma.values

    training_sets = {
        spec.training_set: campaign.training_set_by_id[spec.training_set] for spec in campaign.networks.values()
    }
    place = {id_: index for index, id_ in enumerate(training_sets)}
    of_network = np.array([place[campaign.networks[id_].training_set] for id_ in networks])
    trained = [training_conditions(campaign, training_set) for training_set in training_sets.values()]
    tested = [campaign.datasets[id_].condition for id_ in simulated]
    index = {condition: number for number, condition in enumerate(campaign.transfer.conditions)}
    of_training = [[index[condition] for condition in conditions] for conditions in trained]
    of_test = [index[condition] for condition in tested]

    inside = in_domain(campaign, list(training_sets), datasets)[of_network]
    groups = np.array(structure_sets(campaign, datasets), dtype=object)
    unknown = len(datasets) - len(simulated)
    pair, single = ("network", "condition"), ("condition",)
    result = xr.Dataset(
        coords=network_coordinates(campaign, results, networks) | condition_coordinates(campaign, results, datasets)
    )
    for name, (text, unit, _) in METRICS.items():
        difference = ood_gap.gap(reduced[name], inside, groups)
        result[f"mean_{name}"] = (pair, reduced[name], _attributes(f"{text}, mean over images", unit))
        result[f"gap_{name}"] = (pair, difference, _attributes(f"{text} minus that in-domain", unit))
    for name, text in MEASURES.items():
        result[name] = (pair, reduced[name], _attributes(text))
    result["in_domain"] = (
        pair,
        inside,
        {"long_name": "test condition and structure recipe are ones of the training set"},
    )
    result["sigma"] = (
        pair,
        _with_unknown(ood_gap.largest_sigma(sigma, of_training, of_test), unknown)[of_network],
        _attributes("shared transfer σ"),
    )
    result["abs_delta_defocus_A"] = (
        pair,
        _with_unknown(ood_gap.smallest_defocus_change(trained, tested), unknown)[of_network],
        {"long_name": "smallest change of defocus from a training condition", "units": "Å"},
    )
    result["epsilon"] = (single, _with_unknown(epsilon[of_test], unknown), _attributes("transfer ε"))
    result["minimum_contrast"] = (
        single,
        ood_gap.minimum_contrast(result["epsilon"].values, epsilon),
        {"long_name": f"ε is below {ood_gap.MINIMUM_CONTRAST:g} of the campaign's median ε"},
    )
    without = ~inside.any(axis=1)
    if without.any():
        names = sorted(set(result.training_set.values[without]))
        log(
            f"{without.sum()} networks of training sets {', '.join(names)} are tested on no in-domain dataset (their own "
            "structure recipe under a training condition): they have no in-domain score, hence no gap"
        )
    return _chunked(result)


def _with_unknown(values: NDArray[np.floating], count: int) -> NDArray[np.floating]:
    """Add NaN for conditions that nobody knows, at the end of the last axis."""
    return np.concatenate([values, np.full((*values.shape[:-1], count), np.nan, values.dtype)], axis=-1)


def training_conditions(campaign: Campaign, training_set: TrainingSetSpec) -> list[Condition]:
    """Conditions of a training set, in the order of the campaign's labels."""
    labels = campaign.condition_labels
    return sorted({campaign.datasets[id_].condition for id_ in training_set.datasets}, key=labels.sort_key)


def network_coordinates(campaign: Campaign, results: Path, order: Sequence[str]) -> Coordinates:
    """Return training set and hyperparameters of each network, for networks in the given order.

    A single-condition training set has its condition's value of every parameter that varies within the campaign; a
    mixture has NaN there.
    """
    networks = [campaign.networks[id_] for id_ in order]
    names: dict[str, str] = {}
    for name, group in campaign.training_sets.items():
        for training_set in group:
            names.setdefault(training_set.id, name)
    varying = campaign.condition_labels.varying
    facts: dict[str, dict[str, Any]] = {}
    for id_, training_set in campaign.training_set_by_id.items():
        conditions = training_conditions(campaign, training_set)
        mixed = len(conditions) > 1
        facts[id_] = {
            "training_set": names[id_],
            "training_label": f"mixture of {len(conditions)} conditions" if mixed else conditions[0].label,
            "training_conditions": len(conditions),
            "training_images": sum(training_set.n_images),
            "mixed": mixed,
        } | {f"training_{name}": np.nan if mixed else _number(getattr(conditions[0], name)) for name in varying}
    rows = [
        facts[network.training_set]
        | {"training_id": network.training_set}
        | network.hyperparameters.model_dump(exclude={"architecture", "augmentations"})
        | {"architecture": network.hyperparameters.architecture.label}
        for network in networks
    ]
    if any(network.hyperparameters.augmentations for network in networks):  # else as before there were any
        for row, network in zip(rows, networks, strict=True):
            row["augmentations"] = network.hyperparameters.augmentations.label
    columns = {"network": _column(network.id for network in networks)}
    columns |= {key: _column(row[key] for row in rows) for key in rows[0]}
    columns |= gather_training(campaign, results, [network.id for network in networks])
    return {key: ("network", values, _units(key.removeprefix("training_"))) for key, values in columns.items()}


def condition_coordinates(campaign: Campaign, results: Path, datasets: list[str]) -> Coordinates:
    """Return structure set, test suites and every parameter of the condition of each test dataset; of labelled sets NaN."""
    specs = [campaign.datasets.get(id_) for id_ in datasets]
    conditions = [None if spec is None else spec.condition for spec in specs]
    measured = _joined_names(campaign)
    suites = [", ".join(name for name, suite in campaign.suite_of.items() if id_ in suite.datasets) for id_ in datasets]
    named = list(zip(datasets, conditions, strict=True))
    columns = {
        "condition": _column(datasets),
        "label": _column(measured[id_] if each is None else each.label for id_, each in named),
        "slug": _column(measured[id_] if each is None else each.slug for id_, each in named),
        "structure_set": _column(structure_sets(campaign, datasets)),
        "suites": _column(suites),
        "images": _column(image_counts(campaign, results, datasets)),
    }
    columns |= {
        name: np.array([np.nan if each is None else _number(getattr(each, name)) for each in conditions])
        for name in Condition.model_fields
    }
    image = np.arange(int(columns["images"].max()))
    result: Coordinates = {"image": ("image", image, {"long_name": "structure"})}
    return result | {key: ("condition", values, _units(key)) for key, values in columns.items()}


def _joined_names(campaign: Campaign) -> dict[str, str]:
    """Labelled set → names of its suites."""
    named = campaign.labelled_set_of.items()
    return {id_: ", ".join(name for name, spec in named if spec.id == id_) for id_ in campaign.labelled_sets}


def _number(value: float | None) -> float:
    """Return a parameter as a number: no aperture is an infinite one."""
    return np.inf if value is None else float(value)


def _column(values: Iterable[Any]) -> NDArray[Any]:
    """Make an array; of objects for text, as fixed-length unicode has no Zarr specification. None becomes NaN."""
    items = [np.nan if value is None else value for value in values]
    return np.array(items, dtype=object) if isinstance(items[0], str) else np.array(items)


def _units(name: str) -> dict[str, str]:
    return {"units": parameter_unit(name)} if name in Condition.model_fields else {}


def _attributes(text: str, unit: str = "1") -> dict[str, str]:
    return {"long_name": text, "units": unit}


def _chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Set chunks and codecs: whole networks, about :data:`CHUNK` values each."""
    sizes = dataset.sizes
    for variable in dataset.data_vars.values():
        if "network" in variable.dims:
            per_network = int(np.prod([sizes[dim] for dim in variable.dims if dim != "network"]))
            chunks = (min(sizes["network"], max(1, CHUNK // per_network)), *variable.shape[1:])
            variable.encoding = {
                "chunks": chunks,
                "compressors": (BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle"),),
            }
    return dataset

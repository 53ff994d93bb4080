"""From networks to cells: medians over the networks of each training set."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hrtem_ood.analysis.metrics import training_conditions
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.campaign.domain import condition_groups, domain_shifts
from hrtem_ood.campaign.results import Results
from hrtem_ood.physics.optics.condition import Condition


def read_metrics(campaign: Campaign, results: Path) -> xr.Dataset:
    """Read a campaign's metrics under simulated conditions without the scores per image, networks in the campaign's order.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.

    Returns
    -------
    xarray.Dataset
    """
    with Results(results).open("metrics", campaign.metrics_id) as stored:
        simulated = [str(id_) in campaign.datasets for id_ in stored.condition.values]
        loaded = stored.drop_dims("image").isel(condition=np.flatnonzero(simulated)).load()
    order = pd.Index(loaded.network.values.astype(object)).get_indexer(list(campaign.networks))
    loaded = loaded.isel(network=order)
    # zarr returns NumPy's variable-length strings, which pandas does not support
    texts = {name: values.astype(object) for name, values in loaded.coords.items() if values.dtype.kind == "T"}
    return loaded.assign_coords(texts)


def aggregate_by_training_set(campaign: Campaign, metrics: xr.Dataset) -> xr.Dataset:
    """Reduce the networks of every training set to medians.

    The median goes over all networks of a training set that did not diverge, with any seeds and hyperparameters.

    Parameters
    ----------
    campaign : Campaign
    metrics : xarray.Dataset
        From :func:`read_metrics`.

    Returns
    -------
    xarray.Dataset
        ``f1``, ``calibration_error``, ``entropy``, ``gap``, ``gap_q25``, ``gap_q75`` (medians and quartiles),
        ``in_domain``, ``shift`` and ``group`` (see :mod:`hrtem_ood.campaign.domain`), ``sigma`` and
        ``abs_delta_defocus_A``, (training_set, condition); ``epsilon`` and
        ``minimum_contrast``, (condition,). Along ``training_set``: ``name``, ``label``, ``short_label``, ``tick_label``,
        ``mixed``, ``row_group`` (name of its axis), ``networks`` and ``diverged`` (counts). Along ``condition``: as in
        ``metrics``, ``condition_short_label``, ``condition_tick_label`` and ``column_group``.
    """
    labels = campaign.condition_labels
    order = ordered_training_sets(campaign, labels)
    of_network = pd.Index(order).get_indexer(pd.Index(metrics.training_id.values))
    sound = ~metrics.diverged.values
    counts = np.bincount(of_network[sound], minlength=len(order))

    def reduced(name: str, quantile: float = 0.5) -> np.ndarray:
        frame = pd.DataFrame(metrics[name].values.astype(float)[sound])
        # pandas ignores NaN, and returns NaN without a warning if there are only NaN
        return frame.groupby(of_network[sound]).quantile(quantile).reindex(range(len(order))).to_numpy()

    first = np.array([np.flatnonzero(of_network == index)[0] for index in range(len(order))])
    both, tested = ("training_set", "condition"), [str(id_) for id_ in metrics.condition.values]
    result = xr.Dataset(
        {
            "f1": (both, reduced("mean_f1")),
            "calibration_error": (both, reduced("mean_calibration_error")),
            "entropy": (both, reduced("mean_entropy")),
            "gap": (both, reduced("gap_f1")),
            "gap_q25": (both, reduced("gap_f1", 0.25)),
            "gap_q75": (both, reduced("gap_f1", 0.75)),
        }
        | {
            "shift": (both, domain_shifts(campaign, order, tested)),
            "group": (both, condition_groups(campaign, order, tested)),
        }
        | {name: (both, metrics[name].values[first]) for name in ("in_domain", "sigma", "abs_delta_defocus_A")}
        | {name: metrics[name] for name in ("epsilon", "minimum_contrast")}
    )
    names = metrics.training_set.values[first]
    conditions = [campaign.datasets[str(id_)].condition for id_ in metrics.condition.values]
    return result.assign_coords(
        training_set=order,
        name=("training_set", names),
        label=("training_set", metrics.training_label.values[first]),
        short_label=("training_set", _row_labels(campaign, labels.short_label, order, names)),
        tick_label=("training_set", _row_labels(campaign, labels.tick_label, order, names)),
        mixed=("training_set", metrics.mixed.values[first]),
        row_group=("training_set", _row_groups(campaign, labels, order)),
        networks=("training_set", counts),
        diverged=("training_set", np.bincount(of_network[~sound], minlength=len(order))),
        condition_label=("condition", metrics.label.values),
        condition_short_label=("condition", [labels.short_label(condition) for condition in conditions]),
        condition_tick_label=("condition", [labels.tick_label(condition) for condition in conditions]),
        column_group=("condition", [labels.group(condition) for condition in conditions]),
    )


def ordered_training_sets(campaign: Campaign, labels: ConditionLabels) -> list[str]:
    """Ids of the training sets that networks train on.

    By structure set; in each of them single conditions in the order of the labels, then mixtures by size.
    """
    sets = list(campaign.used_structure_sets)
    used = dict.fromkeys(network.training_set for network in campaign.networks.values())
    keys = {}
    for position, id_ in enumerate(used):
        conditions = training_conditions(campaign, campaign.training_set_by_id[id_])
        key = labels.sort_key(conditions[0]) if len(conditions) == 1 else ()
        keys[id_] = (sets.index(_structures(campaign, id_)), len(conditions), key, position)
    return sorted(used, key=lambda id_: keys[id_])


def training_set_titles(campaign: Campaign, *, brief: bool = False) -> dict[str, str]:
    """Name every training set where it stands alone, by its id: the condition with symbol and unit, or a mixture's name.

    With ``brief``, a condition is named as in a sentence, see :meth:`ConditionLabels.brief`.
    """
    labels = campaign.condition_labels
    names: dict[str, str] = {}
    for name, group in campaign.training_sets.items():
        for training_set in group:
            names.setdefault(training_set.id, name)
    ids = list(names)
    titles = _row_labels(campaign, labels.brief if brief else labels.title, ids, np.array(list(names.values())))
    return dict(zip(ids, titles, strict=True))


def _structures(campaign: Campaign, training_set: str) -> str:
    """Name of the structure set of a training set."""
    return campaign.structure_set_of_dataset[campaign.training_set_by_id[training_set].datasets[0]]


def _row_groups(campaign: Campaign, labels: ConditionLabels, order: list[str]) -> list[str]:
    """Names of the axes of training sets; with their structure sets, unless most networks have the same one."""
    sets = Counter(_structures(campaign, network.training_set) for network in campaign.networks.values())
    usual, groups = sets.most_common(1)[0][0], []
    for training_set in order:
        conditions = training_conditions(campaign, campaign.training_set_by_id[training_set])
        group = labels.group(conditions[0]) if len(conditions) == 1 else "mixtures"
        structure_set = _structures(campaign, training_set)
        groups.append(group if structure_set == usual else f"{group} ({structure_set})")
    return groups


def _row_labels(
    campaign: Campaign, label_of: Callable[[Condition], str], order: list[str], names: np.ndarray
) -> list[str]:
    """Short labels of training sets: the condition, or a mixture's name; the name and its number too where they repeat.

    The number counts the sets of that name in the configuration, whichever of them are labelled.
    """
    number = {
        (name, each.id): place for name, group in campaign.training_sets.items() for place, each in enumerate(group, 1)
    }
    rows: list[tuple[str, ...]] = []
    for id_, name in zip(order, map(str, names), strict=True):
        conditions = training_conditions(campaign, campaign.training_set_by_id[id_])
        numbered = f"{name} {number[name, id_]}"
        if len(conditions) > 1:
            kind = f"{len(conditions)} conditions"
            rows.append((f"{name} ({kind})", f"{numbered} ({kind})"))
        else:
            kind = label_of(conditions[0])
            rows.append((kind, f"{kind} ({name})", f"{kind} ({numbered})"))
    counts = Counter(text for row in rows for text in row)
    return [next((text for text in row if counts[text] == 1), row[-1]) for row in rows]

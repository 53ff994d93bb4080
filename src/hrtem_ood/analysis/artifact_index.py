"""The table of every artifact id of a campaign: stage, path, names and parameters."""

from collections.abc import Iterable, Iterator

import pandas as pd

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.specs import Spec, TrainingSetSpec
from hrtem_ood.campaign.stage_table import FILE_STAGES


def index_table(campaign: Campaign) -> pd.DataFrame:
    """List every id of a campaign.

    Parameters
    ----------
    campaign : Campaign

    Returns
    -------
    pandas.DataFrame
        Columns ``stage``, ``id``, ``path`` (below the results folder; empty for training sets, which are not files),
        ``names`` (in the configuration, for readers) and ``parameters`` (canonical JSON).
    """
    rows = [(spec.stage, spec.id, _path(spec), names, spec.json_text) for spec, names in _specs(campaign)]
    return pd.DataFrame(rows, columns=["stage", "id", "path", "names", "parameters"])


def _path(spec: Spec) -> str:
    return FILE_STAGES[spec.stage].path(spec.id) if spec.stage in FILE_STAGES else ""


def _specs(campaign: Campaign) -> Iterator[tuple[Spec, str]]:
    """Yield every spec with its names, stage by stage."""
    shards = [(spec, name) for name in campaign.used_structure_sets for pair in campaign.shards(name) for spec in pair]
    shard_names = _joined((spec.id, name) for spec, name in shards)
    for spec in (*campaign.structures.values(), *campaign.exit_waves.values()):
        yield spec, shard_names[spec.id]
    for id_, dataset in campaign.datasets.items():
        yield dataset, f"{campaign.structure_set_of_dataset[id_]}: {dataset.condition.label}"

    names = _training_names(campaign)
    for training_set in campaign.training_set_by_id.values():
        yield training_set, names[training_set.id]
    for network in campaign.networks.values():
        yield network, names[network.training_set]
    for pack in campaign.packs.values():
        yield pack, ", ".join(names[each.id] for each in pack.training_sets)

    set_names = _joined((spec.id, name) for name, spec in campaign.labelled_set_of.items())
    for labelled_set in campaign.labelled_sets.values():
        yield labelled_set, set_names[labelled_set.id]
    suite_names = _joined((suite.id, name) for name, suite in campaign.suite_of.items())
    for suite in campaign.suites.values():
        yield suite, suite_names[suite.id]
    for job in campaign.evaluations.values():
        trained = dict.fromkeys(names[network.training_set] for network in job.networks)
        yield job.spec, f"{', '.join(trained)} on {suite_names[job.suite.id]}"
    yield campaign.transfer, campaign.name


def _training_names(campaign: Campaign) -> dict[str, str]:
    """Training set id → its names in the configuration, each with its condition."""
    labels = campaign.condition_labels

    def conditions_label(training_set: TrainingSetSpec) -> str:
        conditions = [campaign.datasets[id_].condition for id_ in training_set.datasets]
        return labels.short_label(conditions[0]) if len(conditions) == 1 else f"{len(conditions)} conditions"

    return _joined(
        (training_set.id, f"{name}: {conditions_label(training_set)}")
        for name, group in campaign.training_sets.items()
        for training_set in group
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join all different names of each id."""
    names: dict[str, dict[str, None]] = {}
    for id_, name in pairs:
        names.setdefault(id_, {})[name] = None
    return {id_: ", ".join(of_id) for id_, of_id in names.items()}

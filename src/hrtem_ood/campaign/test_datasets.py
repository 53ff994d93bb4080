"""Test datasets in the order of tables and figures, and those whose images are in the report. Light to import."""

from hrtem_ood.campaign.campaign import Campaign

COLUMNS = 12
"""Largest number of conditions of a structure set in the report."""


def test_datasets(campaign: Campaign) -> list[str]:
    """Ids of all simulated test datasets, each once: by structure set, then by condition."""
    ids = campaign.test_dataset_ids
    labels, sets = campaign.condition_labels, list(campaign.used_structure_sets)
    return sorted(
        ids,
        key=lambda id_: (
            sets.index(campaign.structure_set_of_dataset[id_]),
            labels.sort_key(campaign.datasets[id_].condition),
        ),
    )


def test_columns(campaign: Campaign) -> list[str]:
    """Ids of everything that networks are tested on: :func:`test_datasets`, then the sets of labelled micrographs."""
    return [*test_datasets(campaign), *campaign.labelled_sets]


def report_datasets(campaign: Campaign) -> dict[str, list[str]]:
    """Ids of the test datasets whose images are in the report, by structure set: evenly spaced over its conditions."""
    groups: dict[str, list[str]] = {}
    for id_ in test_datasets(campaign):
        groups.setdefault(campaign.structure_set_of_dataset[id_], []).append(id_)
    return {name: [ids[position] for position in evenly_spaced(len(ids), COLUMNS)] for name, ids in groups.items()}


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``count`` indices, evenly spaced, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(number * (count - 1) / (most - 1)) for number in range(most)]

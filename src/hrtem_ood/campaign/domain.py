"""Definition of in-domain, and of the shifts between training and test outside it; all code uses these."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.physics.optics.condition import Condition

IN_DOMAIN = "in-domain"

IMAGING_SHIFTS = ("defocus", "dose", "aberrations", "several")
"""Shifts of the imaging condition alone; ``several`` are two or all of the others at once."""

STRUCTURE_SHIFTS = ("structure", "structure and imaging")
"""Shifts of the structure recipe, under a training condition and under another one."""

BETWEEN = "between groups"
"""Group of cells with conditions of different groups."""

DEFOCUS_FIELDS = ("defocus_A", "defocus_sd_A")
DOSE_FIELDS = ("dose_e_per_A2", "dose_sd_e_per_A2")


def in_domain(campaign: Campaign, training_sets: Sequence[str], datasets: Sequence[str]) -> NDArray[np.bool_]:
    """Decide which test datasets are in-domain for which training sets.

    A test dataset is in-domain when its condition and its structure recipe are ones of the training set. Structures of
    one recipe differ in seed and number only, so that no test image is a training image.

    Parameters
    ----------
    campaign : Campaign
    training_sets : sequence of str, (training_set,)
        Ids.
    datasets : sequence of str, (condition,)
        Ids of test datasets, or of labelled sets, which are never in-domain: nobody knows their condition.

    Returns
    -------
    bool array, (training_set, condition)
    """
    tested = [None if id_ in campaign.labelled_sets else domain_of(campaign, id_) for id_ in datasets]
    trained = [
        {domain_of(campaign, id_) for id_ in campaign.training_set_by_id[name].datasets} for name in training_sets
    ]
    rows = [[kind in kinds for kind in tested] for kinds in trained]
    return np.array(rows, np.bool_).reshape(len(training_sets), len(datasets))


def domain_of(campaign: Campaign, dataset: str) -> tuple[str, Condition]:
    """Return structure recipe and condition of a dataset: a test dataset that shares both with training is in-domain."""
    return campaign.recipe_id(campaign.structure_set_of_dataset[dataset]), campaign.datasets[dataset].condition


def domain_shifts(campaign: Campaign, training_sets: Sequence[str], datasets: Sequence[str]) -> NDArray[np.object_]:
    """Return the shift from every training set to every test dataset.

    Parameters
    ----------
    campaign, training_sets, datasets
        As in :func:`in_domain`.

    Returns
    -------
    object array of str, (training_set, condition)
        :data:`IN_DOMAIN`, or one of :data:`IMAGING_SHIFTS` and :data:`STRUCTURE_SHIFTS`.
    """
    inside = in_domain(campaign, training_sets, datasets)
    shifts = np.full(inside.shape, IN_DOMAIN, dtype=object)
    tested = [domain_of(campaign, id_) for id_ in datasets]
    changes: dict[str, list[set[str]]] = {}  # of each training dataset to each test dataset: mixtures share them
    for row, name in enumerate(training_sets):
        trained = campaign.training_set_by_id[name].datasets
        for id_ in trained:
            if id_ not in changes:
                condition = campaign.datasets[id_].condition
                changes[id_] = [_changed_respects(condition, other) for _, other in tested]
        recipes = {domain_of(campaign, id_)[0] for id_ in trained}
        for column in np.flatnonzero(~inside[row]):
            changed = min((changes[id_][column] for id_ in trained), key=len)
            shifts[row, column] = _shift(changed, same_recipe=tested[column][0] in recipes)
    return shifts


def condition_groups(campaign: Campaign, training_sets: Sequence[str], datasets: Sequence[str]) -> NDArray[np.object_]:
    """Return to which group of ``analysis.apart`` every cell belongs.

    Parameters
    ----------
    campaign, training_sets, datasets
        As in :func:`in_domain`.

    Returns
    -------
    object array of str, (training_set, condition)
        Empty where neither training nor test has a condition of a group; the name of a group that has all of them;
        :data:`BETWEEN` otherwise.
    """
    group_of = {
        condition: name
        for name, grids in campaign.config.analysis.apart.items()
        for grid in grids
        for condition in campaign.conditions[grid]
    }
    tested = [group_of.get(campaign.datasets[id_].condition, "") for id_ in datasets]
    groups = np.full((len(training_sets), len(datasets)), "", dtype=object)
    for row, name in enumerate(training_sets):
        trained = {
            group_of.get(campaign.datasets[id_].condition, "") for id_ in campaign.training_set_by_id[name].datasets
        }
        groups[row] = [next(iter(trained)) if trained == {own} else BETWEEN for own in tested]
    return groups


def classify_shift(trained: Iterable[Condition], tested: Condition, *, same_recipe: bool) -> str:
    """Return the shift from training to a test dataset that is not in-domain.

    Parameters
    ----------
    trained : iterable of Condition
        Of a mixture, the condition that differs in the fewest respects counts.
    tested : Condition
    same_recipe : bool
        Whether the structure recipe is one of the training set.

    Returns
    -------
    str
        ``defocus``, ``dose`` or ``aberrations`` (anything else of the condition) alone; ``several`` of them; ``structure``
        alone; ``structure and imaging``.

    Raises
    ------
    ValueError
        Where nothing changes.
    """
    return _shift(
        min((_changed_respects(condition, tested) for condition in trained), key=len), same_recipe=same_recipe
    )


def _shift(changed: set[str], *, same_recipe: bool) -> str:
    """Name the shift with changes in some respects; see :func:`classify_shift`."""
    if not same_recipe:
        return "structure and imaging" if changed else "structure"
    if not changed:
        raise ValueError("Condition and structure recipe are ones of the training set: no shift.")
    return next(iter(changed)) if len(changed) == 1 else "several"


def _changed_respects(one: Condition, other: Condition) -> set[str]:
    names = [name for name in Condition.model_fields if getattr(one, name) != getattr(other, name)]
    return {"defocus" if name in DEFOCUS_FIELDS else "dose" if name in DOSE_FIELDS else "aberrations" for name in names}

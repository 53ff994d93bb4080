"""Checks of the section `analysis` against the conditions and training sets that it names."""

from collections.abc import Iterator

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS, STRUCTURE_SHIFTS
from hrtem_ood.config.analysis import DesignDraw
from hrtem_ood.physics.optics.condition import Condition

SUBSETS = ("imaging", *IMAGING_SHIFTS, *STRUCTURE_SHIFTS)
"""Subsets of cells have names that begin so; groups that are reported apart stand beside them in tables."""


def apart_errors(campaign: Campaign) -> Iterator[str]:
    """Check groups that are reported apart: a condition belongs to one of them, and no group is called like a subset of cells."""
    group_of: dict[Condition, tuple[str, str]] = {}
    for name, grids in campaign.config.analysis.apart.items():
        key = f"analysis.apart.{name}"
        if same := [each for each in SUBSETS if each.startswith(name)]:
            yield f"{key}: tables have cells called `{same[0]}`, too; give the group a name that no subset of cells begins with."
        for grid in grids:
            for condition in campaign.conditions[grid]:
                other, other_grid = group_of.setdefault(condition, (name, grid))
                if other != name:
                    yield (
                        f"{key}: {condition.label} of `{grid}` belongs to the group `{other}`, too (there of `{other_grid}`); "
                        "a condition can be in one group only. Take it out of one of them, or join the groups."
                    )
                    break


def draw_errors(campaign: Campaign) -> Iterator[str]:
    """Check draws of conditions of use: sets that can be compared, conditions that are tested, and no draw twice."""
    uses: dict[frozenset[Condition], tuple[str, int]] = {}
    sizes: dict[tuple[frozenset[Condition], int], int] = {}
    for number, draw in enumerate(campaign.config.analysis.design_draws, 1):
        key, names = f"analysis.design_draws, entry {number}", ", ".join(draw.use)
        errors = [*_not_one_set(campaign, key, draw)] or [
            *_unlike_sets(campaign, key, draw),
            *_untested(campaign, key, draw),
        ]
        yield from errors
        if errors:
            continue
        use = frozenset(condition for grid in draw.use for condition in campaign.conditions[grid])
        first_names, first = uses.setdefault(use, (names, number))
        if first_names != names:
            yield (
                f"{key}, use: `{names}` has the same conditions as `{first_names}` of entry {first}, so that one draw would "
                "count as two; name it as there, or draw other conditions. Draws that share some conditions are valid."
            )
            continue
        (training_set,) = campaign.training_sets[draw.designed]
        size = len(training_set.datasets)
        earlier = sizes.setdefault((use, size), number)
        if earlier != number:
            yield (
                f"{key}: entry {earlier} compares sets of {size} conditions for the same conditions of use, `{names}`, too; "
                "give one entry for each number of training conditions, with all its random sets."
            )


def _not_one_set(campaign: Campaign, key: str, draw: DesignDraw) -> Iterator[str]:
    for name in draw.training_sets:
        number = len(campaign.training_sets[name])
        if number != 1:
            yield (
                f"{key}: `{name}` is {number} training sets, one for each condition; a choice is one training set. Name one with "
                "`mixture: true`, or with a single condition."
            )


def _unlike_sets(campaign: Campaign, key: str, draw: DesignDraw) -> Iterator[str]:
    size: dict[str, tuple[int, int]] = {}
    for name in draw.training_sets:
        (training_set,) = campaign.training_sets[name]
        size[name] = (len(training_set.datasets), sum(training_set.n_images))
    conditions, images = size[draw.designed]
    for name, (other_conditions, other_images) in size.items():
        if (other_conditions, other_images) != (conditions, images):
            yield (
                f"{key}: `{name}` has {other_images} images of {other_conditions} condition(s), and `{draw.designed}` {images} "
                f"of {conditions}; sets that are compared need as many of both."
            )


def _untested(campaign: Campaign, key: str, draw: DesignDraw) -> Iterator[str]:
    recipe = campaign.recipe_id(campaign.config.training_sets[draw.designed].structure_sets[0])
    tested = {
        campaign.datasets[id_].condition
        for id_ in campaign.test_dataset_ids
        if campaign.recipe_id(campaign.structure_set_of_dataset[id_]) == recipe
    }
    for grid in draw.use:
        missing = [each for each in campaign.conditions[grid] if each not in tested]
        if missing:
            yield (
                f"{key}, use: {missing[0].label} of `{grid}` is tested by no suite on structures like those of "
                f"`{draw.designed}`; add `{grid}` to the conditions of one under `test_suites`."
            )

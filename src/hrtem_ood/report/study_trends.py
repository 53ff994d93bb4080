"""Published trends beside what a campaign measured: a table "the paper says / here"."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.analysis.structure_matrix import Matrix
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS
from hrtem_ood.physics.optics.condition import Condition

Floats = NDArray[np.float64]

FEWEST = 3
"""Defoci that a series needs."""

DOSE_RATIO = 4.0
"""Doses that differ by this factor or more count as low and high."""

ALIKE = 0.01
"""Scores that differ by less count as equal."""


@dataclass(frozen=True)
class Trend:
    """A published trend.

    Attributes
    ----------
    says : str
        What was published.
    here : str
        What this campaign measured.
    holds : bool or None
        None where it was not measured.
    """

    says: str
    here: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """``holds``, ``does not hold`` or ``not measured``."""
        return "not measured" if self.holds is None else "holds" if self.holds else "does not hold"


def trends(results: CampaignResults, campaign: Campaign, structures: Matrix | None) -> list[Trend]:
    """Return the published trends, in the order of the paper.

    The paper is Rangel DaCosta & Scott, arXiv:2512.09067; trends with defocus are those of its networks, which were trained
    and tested at a series of defoci at one dose.

    Parameters
    ----------
    results : CampaignResults
    campaign : Campaign
    structures : Matrix or None
        Scores by structure recipe of training and test; None of one recipe.

    Returns
    -------
    list of Trend
    """
    series = defocus_series(results, campaign)
    return [
        _hardest(series, "Testing at zero defocus, minimum contrast, is hardest."),
        _broad(series, "Training at zero defocus generalises broadly: the gap is above 0 everywhere."),
        _smooth(series, "The loss rises smoothly outward from the defocus of training."),
        _doses(results, campaign, "Training at a low dose fails at a high one, and the reverse is mild."),
        _structures(structures, "A shift of structures is asymmetric: A to B costs more than B to A."),
    ]


@dataclass(frozen=True)
class DefocusSeries:
    """Scores over conditions that differ in defocus alone.

    Attributes
    ----------
    defocus_A : float64 array, (condition,), [Å]
        Ascending.
    score : float64 array, (training condition, test condition)
        Larger is better.
    sign : int
        By which it is multiplied for the score itself.
    """

    defocus_A: Floats
    score: Floats
    sign: int


def defocus_series(results: CampaignResults, campaign: Campaign) -> DefocusSeries | None:
    """Return the longest series of conditions that differ in defocus alone, all of which train and test; None without one."""
    outcomes = results.outcomes
    rows = _single_rows(results, campaign)
    columns = {campaign.datasets[str(id_)].condition: place for place, id_ in enumerate(outcomes.condition.values)}
    groups: dict[Condition, list[Condition]] = defaultdict(list)
    for condition in rows:
        if condition in columns:
            groups[condition.model_copy(update={"defocus_A": 0.0})].append(condition)
    series: list[Condition] = max(groups.values(), key=len, default=[])
    longest = sorted(series, key=lambda each: each.defocus_A)
    if len(longest) < FEWEST:
        return None
    places = np.ix_([rows[each] for each in longest], [columns[each] for each in longest])
    score = outcomes.score.values[places]
    if not np.isfinite(score).all():
        return None
    return DefocusSeries(np.array([each.defocus_A for each in longest]), score, BETTER[campaign.config.analysis.metric])


def _single_rows(results: CampaignResults, campaign: Campaign) -> dict[Condition, int]:
    """Return the row of each training set of one condition, of the recipe of most of them."""
    recipes: dict[str, dict[Condition, int]] = defaultdict(dict)
    for place, id_ in enumerate(results.outcomes.training_set.values.astype(str)):
        datasets = campaign.training_set_by_id[id_].datasets
        if len(datasets) == 1:
            recipe = campaign.recipe_id(campaign.structure_set_of_dataset[datasets[0]])
            recipes[recipe].setdefault(campaign.datasets[datasets[0]].condition, place)
    return max(recipes.values(), key=len, default={})


def _hardest(series: DefocusSeries | None, says: str) -> Trend:
    if series is None:
        return _unmeasured(says)
    off = ~np.eye(len(series.defocus_A), dtype=bool)
    mean = np.array([series.score[off[:, place], place].mean() for place in range(len(off))])
    hardest, zero = int(np.argmin(mean)), int(np.argmin(np.abs(series.defocus_A)))
    listed = ", ".join(
        f"{series.sign * each:.2f} at {at:+g} Å" for each, at in zip(mean, series.defocus_A, strict=True)
    )
    return Trend(says, _signed(f"mean score of networks of the other defoci: {listed}"), hardest == zero)


def _broad(series: DefocusSeries | None, says: str) -> Trend:
    if series is None:
        return _unmeasured(says)
    zero = int(np.argmin(np.abs(series.defocus_A)))
    gap = np.delete(series.score[zero] - series.score[zero, zero], zero)
    others = np.delete(np.arange(len(series.defocus_A)), zero)
    rest = [np.delete(series.score[each] - series.score[each, each], each).min() for each in others]
    text = f"gaps {gap.min():+.2f} to {gap.max():+.2f}; the least of the others {min(rest):+.2f} to {max(rest):+.2f}"
    return Trend(says, _signed(text), bool((gap > 0).all()))


def _smooth(series: DefocusSeries | None, says: str) -> Trend:
    if series is None:
        return _unmeasured(says)
    steps: list[float] = []
    for place, row in enumerate(series.score):
        for outward in (row[place:], row[: place + 1][::-1]):
            steps += np.diff(outward).tolist()
    falling = sum(step < ALIKE for step in steps)
    return Trend(says, f"{falling} of {len(steps)} steps outward do not raise the score", falling == len(steps))


def _doses(results: CampaignResults, campaign: Campaign, says: str) -> Trend:
    outcomes = results.outcomes
    upward: list[float] = []
    downward: list[float] = []
    tested = [campaign.datasets[str(id_)].condition.dose_e_per_A2 for id_ in outcomes.condition.values]
    for condition, row in _single_rows(results, campaign).items():
        for column, dose in enumerate(tested):
            regret = float(outcomes.regret.values[row, column])
            if outcomes["shift"].values[row, column] not in IMAGING_SHIFTS or not np.isfinite(regret):
                continue
            ratio = dose / condition.dose_e_per_A2
            if ratio >= DOSE_RATIO:
                upward.append(regret)
            elif ratio <= 1 / DOSE_RATIO:
                downward.append(regret)
    if not upward or not downward:
        return _unmeasured(says)
    low_to_high, high_to_low = float(np.median(upward)), float(np.median(downward))
    text = (
        f"median regret {low_to_high:+.2f} at {DOSE_RATIO:g} times the dose or more ({len(upward)} cells), "
        f"{high_to_low:+.2f} at a {DOSE_RATIO:g}th or less ({len(downward)})"
    )
    return Trend(says, _signed(text), low_to_high < high_to_low - ALIKE)


def _structures(matrix: Matrix | None, says: str) -> Trend:
    if matrix is None:
        return _unmeasured(says)
    own = {row: int(np.argmax(same)) for row, same in enumerate(matrix.same_recipe) if same.any()}
    pairs = []
    for one, other in combinations(own, 2):
        there = float(matrix.score[one, own[other]] - matrix.score[other, own[other]])
        back = float(matrix.score[other, own[one]] - matrix.score[one, own[one]])
        if np.isfinite(there - back):
            text = f"`{matrix.rows[one]}` to `{matrix.rows[other]}` {there:+.2f}, back {back:+.2f}"
            pairs.append((abs(there - back), text))
    if not pairs:
        return _unmeasured(says)
    difference, text = max(pairs)
    return Trend(
        says,
        _signed(f"score less that of networks of the test's structures, most unequal: {text}"),
        difference > 2 * ALIKE,
    )


def _unmeasured(says: str) -> Trend:
    return Trend(says, "this campaign has no such conditions", None)


def _signed(text: str) -> str:
    return text.replace("-", "−")

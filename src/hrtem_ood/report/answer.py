"""The answer of a campaign, in at most ten sentences that follow from its numbers; the report and `summary` both show it."""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.analysis.key_numbers import key_numbers
from hrtem_ood.analysis.matrix import training_set_titles
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.results import CampaignScores
from hrtem_ood.analysis.trust import (
    LOSS,
    Choice,
    Estimate,
    choose_training_sets,
    estimate,
    explained_variance,
    weighted_median,
    weighted_share,
)
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS, IN_DOMAIN, STRUCTURE_SHIFTS
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.physics.optics.condition import PARAMETER_SYMBOLS
from hrtem_ood.report.study_text import varied_parameters
from hrtem_ood.report.templates import format_interval, format_score

Topic = Literal["Asked", "Trust", "Foresight", "Train on", "Expected", "Weakest", "Not measured"]

WEAKEST = 3
"""Test conditions that are named as the weakest."""

FEWEST_PAIRS = 4
LEAST_HELD = 2 / 3
"""A test condition is named whose intervals hold at most this share of at least :data:`FEWEST_PAIRS` pairs."""

NOTHING = "Nothing shown"
"""How a sentence begins whose interval contains no effect, or that has none."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Statement:
    """One sentence of the answer.

    Attributes
    ----------
    topic : str
    text : str
        Plain text; names in it may be those of a configuration, so that whoever shows it escapes it.
    evidence : str
        Section of the report with the numbers: the id of a figure or of another section.
    """

    topic: Topic
    text: str
    evidence: str


def answer(campaign: Campaign, scores: CampaignScores) -> list[Statement]:
    """Answer how far the networks of a campaign can be trusted, and what they should be trained on.

    Parameters
    ----------
    campaign : Campaign
    scores : CampaignScores

    Returns
    -------
    list of Statement
        Nine.
    """
    choices = choose_training_sets(scores.outcomes, scores.metrics, campaign.config.analysis)
    every = training_set_titles(campaign, brief=True)
    titles = [every[str(id_)] for id_ in scores.outcomes.training_set.values]
    return [
        _asked(campaign, scores),
        *_trust(campaign, scores),
        _forecast(campaign, scores),
        *(_train(campaign, scores, choices, statistic, titles) for statistic in ("mean", "worst")),
        _expected(campaign, scores, choices, titles),
        _weakest(campaign, scores),
        _not_measured(campaign, scores),
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}".replace("-", "−")


def _range(value: Estimate, *, percent: bool = False) -> str:
    """Write the interval of an estimate in brackets; without one, that there is none."""
    if not value.has_interval:
        return "[no interval]"
    if percent:
        return f"[{_percent(value.low)}, {_percent(value.high)}]"
    return f"[{format_score(value.low)}, {format_score(value.high)}]"


def _asked(campaign: Campaign, scores: CampaignScores) -> Statement:
    key = key_numbers(scores.cells)
    varied = ", ".join(varied_parameters(campaign)) or "nothing"
    text = (
        f"How far from their training conditions can networks be trusted? {_plural(key.networks, 'network')} on "
        f"{_plural(key.training_sets, 'training set')}, {_plural(key.conditions, 'test condition')}; varied: {varied}."
    )
    return Statement("Asked", text, "conditions")


def _shifted(scores: CampaignScores, kinds: tuple[str, ...]) -> Bools:
    return np.asarray(np.isin(scores.cells["shift"].values, kinds) & np.isfinite(scores.cells.gap.values))


def _places(scores: CampaignScores) -> NDArray[np.integer]:
    return np.asarray(np.unique(scores.cells.condition_label.values.astype(str), return_inverse=True)[1])


def _trust(campaign: Campaign, scores: CampaignScores) -> list[Statement]:
    """Say how networks do where they were trained, and what they lose elsewhere."""
    cells, analysis, place = scores.cells, campaign.config.analysis, _places(scores)
    level = f"{100 * analysis.confidence_level:g} % interval"
    inside = cells.in_domain.values & ~cells.minimum_contrast.values & np.isfinite(cells.f1.values)
    own = estimate(inside, place, weighted_median(cells.f1.values[inside]), analysis, "answer: in-domain")
    if own.n:
        first = (
            f"Tested as they were trained, networks reach F1 {format_score(own.value)} {_range(own)} (median of "
            f"{_plural(own.n, 'pair')} of training set and test, {level}; minimum contrast left out)."
        )
    else:
        first = f"{NOTHING} about tests under training conditions: there are none away from minimum contrast."
    other = _shifted(scores, IMAGING_SHIFTS)
    gaps = cells.gap.values[other].astype(float)
    change = estimate(other, place, weighted_median(gaps), analysis, "answer: gap")
    if not change.n:
        return [
            Statement("Trust", first, "ood_matrix"),
            Statement("Trust", f"{NOTHING} about other imaging conditions: no such test has a gap.", "ood_gap"),
        ]
    failing = estimate(other, place, weighted_share(gaps < -LOSS), analysis, "answer: failing")
    second = (
        f"Under other imaging conditions F1 changes by {format_interval(change.value, change.low, change.high)} at the "
        f"median; {100 * failing.value:.0f} % {_range(failing, percent=True)} of {_plural(failing.n, 'pair')} lose "
        f"more than {LOSS:g}{_depth(gaps)}{_structures(campaign, scores)}."
    )
    if not change.has_interval:
        second = second.replace("+–", "–") + f" {NOTHING} beyond these pairs: too few for an interval."
    return [Statement("Trust", first, "ood_matrix"), Statement("Trust", second, "ood_gap")]


def _depth(gaps: NDArray[np.float64]) -> str:
    """Say how much the pairs that fail lose: often all, which a median over all pairs hides."""
    lost = -gaps[gaps < -LOSS]
    return f" (half of these {format_score(float(np.median(lost)))} or more)" if lost.size else ""


def _structures(campaign: Campaign, scores: CampaignScores) -> str:
    """Say what other structures cost, where they were tested."""
    other = _shifted(scores, STRUCTURE_SHIFTS)
    if not other.any():
        return ""
    change = estimate(
        other,
        _places(scores),
        weighted_median(scores.cells.gap.values[other].astype(float)),
        campaign.config.analysis,
        "answer: structures",
    )
    return f"; on other structures it changes by {format_interval(change.value, change.low, change.high)}"


def _forecast(campaign: Campaign, scores: CampaignScores) -> Statement:
    """Say whether scores under other imaging conditions can be told beforehand."""
    analysis, outcomes, forecast = campaign.config.analysis, scores.outcomes, scores.forecast
    use = np.isfinite(forecast.low) & np.isfinite(forecast.high) & np.isfinite(outcomes.score.values)
    if not use.any():
        return Statement("Foresight", f"{NOTHING} about forecasts: too few pairs for one.", "forecast")
    statistic = explained_variance(outcomes.score.values[use], forecast.predicted[use])
    skill = estimate(use, outcomes.place.values, statistic, analysis, "answer: forecast")
    half = float(np.median((forecast.high - forecast.low)[use])) / 2
    held = (
        f"{100 * forecast.coverage:.0f} % of {_plural(forecast.n, 'pair')} lie within their {100 * analysis.forecast_level:g} % "
        f"intervals, ± {format_score(half)} at the median"
    )
    name = METRICS[analysis.metric].long_name
    share = f"{_percent(skill.value)} % {_range(skill, percent=True)} of the variance of {name}"
    source = (
        "the forecaster explains"
        if scores.fitted is not None
        else f"{_forecast_symbol(campaign, scores)} and the score in-domain explain"
    )
    if skill.low > 0:
        text = f"Failures can be foreseen: before any test, {source} {share}"
    elif skill.value > 0:
        text = (
            f"It is not shown that failures can be foreseen: before any test, {source} {share}, which may be none, as few "
            "conditions decide it"
        )
    else:
        text = f"{NOTHING} of foresight: before any test, {source} {share}"
    return Statement("Foresight", f"{text}; {held}{_least_held(campaign, scores)}.", "forecast")


def _forecast_symbol(campaign: Campaign, scores: CampaignScores) -> str:
    """Symbol of the predictor of the forecast, or its words with an article."""
    symbol = str(scores.predictors[campaign.config.analysis.forecast_predictor].attrs["long_name"])
    return f"the {symbol}" if symbol[:2].isalpha() else symbol


def _least_held(campaign: Campaign, scores: CampaignScores) -> str:
    """Name the test condition whose scores lie outside their intervals most often, where it is no accident of few."""
    forecast, score = scores.forecast, scores.outcomes.score.values
    some = np.isfinite(forecast.low) & np.isfinite(forecast.high) & np.isfinite(score)
    held = some & (score >= forecast.low) & (score <= forecast.high)
    share = np.where(some.sum(axis=0) >= FEWEST_PAIRS, held.sum(axis=0) / np.maximum(some.sum(axis=0), 1), 1.0)
    column = int(share.argmin())
    if share[column] > LEAST_HELD:
        return ""
    return f", but only {held[:, column].sum()} of {some[:, column].sum()} under {_condition_title(campaign, scores, column)}"


def _train(
    campaign: Campaign, scores: CampaignScores, choices: dict[str, Choice], statistic: str, titles: list[str]
) -> Statement:
    """Name the training set to use, and whether it is shown to be better than the next."""
    if statistic not in choices:
        return Statement(
            "Train on", f"{NOTHING} by {statistic}: no training set has a score everywhere.", "training-sets"
        )
    choice, metric = choices[statistic], campaign.config.analysis.metric
    own = int((scores.outcomes["shift"].values[choice.row] == IN_DOMAIN).sum())
    worst = "" if statistic == "mean" else f", under {_condition_title(campaign, scores, choice.at)}"
    text = (
        f"By {statistic} over {_plural(scores.outcomes.sizes['condition'], 'test dataset')}: {titles[choice.row]}, "
        f"{METRICS[metric].long_name} {format_score(choice.score)}{worst}, best of {_plural(choice.candidates, 'set')} "
        f"({own} of the tests as it was trained)"
    )
    if choice.next_row is None:
        return Statement("Train on", f"{text}: {NOTHING.lower()}, there is no other.", "training-sets")
    lead = f"{format_interval(choice.lead, choice.low, choice.high)} ahead of {titles[choice.next_row]}"
    if not np.isfinite(choice.low):
        lead = f"{format_score(choice.lead, signed=True)} ahead of {titles[choice.next_row]}, without an interval"
    text += f"; {lead}." if choice.lead_is_shown else f"; {NOTHING.lower()} of its lead, {lead}."
    return Statement("Train on", text, "training-sets")


def _condition_title(campaign: Campaign, scores: CampaignScores, column: int) -> str:
    """Name a test dataset by its condition; by its structures, too, where there are several."""
    labels, tested = campaign.condition_labels, scores.outcomes.condition.values.astype(str)
    sets = {campaign.structure_set_of_dataset[id_] for id_ in tested}
    title = labels.brief(campaign.datasets[tested[column]].condition)
    return title if len(sets) == 1 else f"{title} on {campaign.structure_set_of_dataset[tested[column]]}"


def _expected(campaign: Campaign, scores: CampaignScores, choices: dict[str, Choice], titles: list[str]) -> Statement:
    """Say what the training sets of choice are forecast to reach elsewhere, beside what they reached."""
    metric = METRICS[campaign.config.analysis.metric].long_name
    rows = dict.fromkeys(choice.row for choice in choices.values())
    parts = [part for row in rows if (part := _expected_of(campaign, scores, row, titles[row]))]
    if not parts:
        return Statement("Expected", f"{NOTHING} about what the training set of choice will reach.", "forecast")
    text = f"{metric} where these were not trained, forecast without a test there"
    return Statement("Expected", f"{text}: {'; '.join(parts)}.", "forecast")


def _expected_of(campaign: Campaign, scores: CampaignScores, row: int, title: str) -> str:
    """Return the mean and the lowest forecast of one training set, each with the measured score; empty where it has none."""
    forecast, sign = scores.forecast, BETTER[campaign.config.analysis.metric]
    some = np.flatnonzero(np.isfinite([forecast.predicted[row], forecast.low[row], forecast.high[row]]).all(axis=0))
    if not some.size:
        return ""
    predicted, measured = sign * forecast.predicted[row], sign * scores.outcomes.score.values[row]
    column = int(some[np.argmin(forecast.predicted[row, some])])
    low, high = sorted((sign * forecast.low[row, column], sign * forecast.high[row, column]))
    return (
        f"{title}, mean over {_plural(some.size, 'condition')} {format_score(predicted[some].mean())} (measured "
        f"{format_score(measured[some].mean())}), lowest {format_score(predicted[column])} "
        f"[{format_score(low)}, {format_score(high)}] under {_condition_title(campaign, scores, column)} (measured "
        f"{format_score(measured[column])})"
    )


def _weakest(campaign: Campaign, scores: CampaignScores) -> Statement:
    """Name the test conditions with the lowest median F1 of networks that were not trained there."""
    cells = scores.cells
    off = np.where(cells.in_domain.values, np.nan, cells.f1.values.astype(float))
    some = np.flatnonzero(np.isfinite(off).any(axis=0))
    if not some.size:
        return Statement("Weakest", f"{NOTHING}: no test is off-domain.", "ood_matrix")
    median = np.array([np.nanmedian(off[:, column]) for column in some])
    order = np.argsort(median, kind="stable")[:WEAKEST]
    tested = [str(id_) for id_ in scores.outcomes.condition.values]
    names = [
        f"{_condition_title(campaign, scores, tested.index(str(cells.condition.values[some[each]])))} "
        f"({format_score(median[each])})"
        for each in order
    ]
    text = f"Lowest F1 of networks not trained there, median over training sets: {', '.join(names)}"
    weakest = some[order[0]]
    trained = cells.f1.values[cells.in_domain.values[:, weakest], weakest]
    trained = trained[np.isfinite(trained)]
    own = f"; trained under the first, at most {format_score(float(np.max(trained)))}" if trained.size else ""
    return Statement("Weakest", f"{text}{own}.", "ood_matrix")


def _not_measured(campaign: Campaign, scores: CampaignScores) -> Statement:
    """Say what the numbers tell nothing about."""
    config = campaign.config
    used = [config.structure_sets[name] for name in campaign.used_structure_sets]
    materials = sorted({str(each.material) for each in used if hasattr(each, "material")})
    seeds = {network.hyperparameters.seed for network in campaign.networks.values()}
    architectures = [each for grid in config.networks.values() for each in grid.architecture]
    sides = sorted({sum(spec.n_images) for spec in campaign.training_set_by_id.values()})
    parts = [f"Other structures than {', '.join(materials) or 'those of the files'}"]
    if scores.measured is None:
        parts.append("micrographs (all images are simulated)")
    parts += [
        *_untried_conditions(campaign),
        f"other architectures than {', '.join(sorted({each.label for each in architectures}))}",
        f"more than {_plural(max(sides), 'training image')}",
        f"more than {_plural(len(seeds), 'seed')}",
    ]
    untested = int((~np.isfinite(scores.cells.f1.values)).sum())
    if untested:
        parts.append(f"{_plural(untested, 'pair')} without a score")
    return Statement(
        "Not measured",
        f"{', '.join(parts)}. Intervals take training sets and conditions as drawn at random.",
        "parameters",
    )


def _untried_conditions(campaign: Campaign) -> list[str]:
    """Say which conditions a campaign leaves out, though its parameters suggest them."""
    labels, parts = campaign.condition_labels, ["parameters that do not vary"]
    trained = {
        campaign.datasets[id_].condition for each in campaign.training_set_by_id.values() for id_ in each.datasets
    }
    tested_only = [name for name in labels.varying if len({getattr(each, name) for each in trained}) == 1]
    if tested_only:
        parts.append(f"training at other {' or '.join(PARAMETER_SYMBOLS[name] for name in tested_only)}")
    if len(labels.common_values) > 1:
        parts.append("combinations of parameters, which vary one at a time")
    return parts


def by_topic(statements: list[Statement]) -> list[tuple[str, list[Statement]]]:
    """Put consecutive statements of one topic together."""
    return [(topic, list(some)) for topic, some in itertools.groupby(statements, key=lambda each: each.topic)]

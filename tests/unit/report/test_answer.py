"""The answer of a campaign: sentences that follow from its numbers, the same in the report and on the terminal."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hrtem_ood.analysis.results import read_scores
from hrtem_ood.analysis.trust import (
    choose_training_sets,
    estimate,
    explained_variance,
    weighted_median,
    weighted_share,
)
from hrtem_ood.campaign.report_files import REPORT
from hrtem_ood.cli.render.summary import answer_lines
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.report.answer import Statement, _least_held, answer
from hrtem_ood.stages.metrics import metrics as run_metrics
from hrtem_ood.stages.report import report as run_report


def answered(made: Any) -> dict[str, list[Statement]]:
    run_metrics(made.campaign, made.results)
    topics: dict[str, list[Statement]] = {}
    for each in answer(made.campaign, read_scores(made.campaign, made.results)):
        topics.setdefault(each.topic, []).append(each)
    return topics


def test_statistics_with_weights_are_those_of_repeated_cells() -> None:
    values = np.array([3.0, 1.0, 2.0, 10.0])
    weights = np.array([[1, 1, 1, 1], [0, 2, 0, 3], [1, 0, 0, 0], [0, 0, 0, 0]], float)
    drawn = [np.repeat(values, row.astype(int)) for row in weights[:3]]
    np.testing.assert_allclose(weighted_median(values)(weights)[:3], [np.median(each) for each in drawn])
    np.testing.assert_allclose(weighted_share(values > 2)(weights)[:3], [(each > 2).mean() for each in drawn])
    predicted = values + np.array([0.5, 0, -1, 2])
    ours = explained_variance(values, predicted)(weights)
    for row, part in zip(ours[:2], weights[:2].astype(int), strict=True):
        score, guess = np.repeat(values, part), np.repeat(predicted, part)
        assert row == pytest.approx(1 - ((score - guess) ** 2).sum() / ((score - score.mean()) ** 2).sum())
    for statistic in (weighted_median(values), weighted_share(values > 2), explained_variance(values, predicted)):
        assert np.isnan(statistic(weights)[3])
    assert np.isnan(ours[2])  # one cell varies by nothing


def test_cells_of_one_training_set_or_condition_give_no_interval() -> None:
    place, analysis = np.arange(3), Analysis(bootstrap_resamples=100)
    use = np.array([[True, True, False], [False, False, False]])
    for cells in (use, use.T):
        where = np.arange(cells.shape[1])
        found = estimate(cells, where, weighted_median(np.array([0.2, 0.4])), analysis, "x")
        assert (found.value, found.n, found.has_interval) == (pytest.approx(0.3), 2, False)
    both = estimate(np.eye(3, dtype=bool), place, weighted_median(np.array([0.1, 0.2, 0.3])), analysis, "x")
    assert both.low <= both.value == 0.2 <= both.high
    assert estimate(use & False, place, weighted_median(np.array([])), analysis, "x").n == 0


@pytest.mark.slow
def test_sentences_have_the_numbers_of_the_campaign(synthetic: Any) -> None:
    found = answered(synthetic)
    assert list(found) == ["Asked", "Trust", "Foresight", "Train on", "Expected", "Weakest", "Not measured"]
    assert "6 networks on 3 training sets, 3 test conditions; varied: Δf −100 to 100 Å." in found["Asked"][0].text
    inside, outside = (each.text for each in found["Trust"])
    assert inside.startswith("Tested as they were trained, networks reach F1 0.90 [0.90, 0.90] (median of 4 pairs")
    # gaps −0.2, −0.4, −0.2, −0.4, −0.2: all lose more than 0.1
    assert re.search(
        r"F1 changes by −0\.20 \[−0\.\d\d, −0\.20\] at the median; 100 % \[100, 100\] of 5 pairs lose more than 0\.1 "
        r"\(half of these 0\.20 or more\)",
        outside,
    )
    assert found["Foresight"][0].text.startswith("Nothing shown")
    by_mean, by_worst = (each.text for each in found["Train on"])
    # the mixture has 0.9, 0.7, 0.9; single sets 0.9, 0.7, 0.5
    assert by_mean.startswith(
        "By mean over 3 test datasets: mixed (2 conditions), F1 0.83, best of 3 sets (2 of the tests as it was trained); "
    )
    assert "+0.13 [" in by_mean
    assert by_worst.startswith(
        "By worst over 3 test datasets: mixed (2 conditions), F1 0.70, under Δf 0 Å, best of 3 sets (2 of the tests as it "
        "was trained);"
    )
    assert (
        "Δf −100 Å (0.50), Δf +100 Å (0.50), Δf 0 Å (0.70); trained under the first, at most 0.90."
        in found["Weakest"][0].text
    )
    assert "Other structures than CdSe, micrographs (all images are simulated)" in found["Not measured"][0].text


@pytest.mark.slow
def test_a_lead_is_shown_only_by_its_interval(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["networks"]["unet"]["seed"] = [0, 1, 2, 3]

    def rule(network: Any, dataset: Any, _image: int) -> float:
        mixed = "mixed" in names[network.training_set]
        return 0.5 + 0.2 * mixed + 0.001 * network.hyperparameters.seed + dataset.condition.defocus_A / 1000

    made = make(config)
    names = {each.id: name for name, group in made.campaign.training_sets.items() for each in group}
    made = make(config, rule=rule)
    texts = [each.text for each in answered(made)["Train on"]]
    assert all("nothing shown" not in text and "; +0.20 [+0.20, +0.20] ahead of Δf" in text for text in texts)
    one = make(config | {"networks": {"unet": config["networks"]["unet"] | {"seed": 0}}}, rule=rule)
    texts = [each.text for each in answered(one)["Train on"]]
    assert all("nothing shown of its lead, +0.20 ahead of Δf" in text for text in texts)
    assert all("without an interval" in text for text in texts)


def test_what_is_forecast_stands_beside_what_was_measured_and_within_what_a_score_can_be(synthetic: Any) -> None:
    run_metrics(synthetic.campaign, synthetic.results)
    scores = read_scores(synthetic.campaign, synthetic.results)
    made = scores.forecast
    made.predicted[:], made.low[:], made.high[:] = np.nan, np.nan, np.nan
    mixed = list(scores.outcomes.mixed.values).index(True)
    place = [synthetic.campaign.datasets[str(id_)].condition.defocus_A for id_ in scores.outcomes.condition.values]
    zero = place.index(0)
    made.predicted[mixed, zero], made.low[mixed, zero], made.high[mixed, zero] = 0.61, 0.5, 0.72
    (found,) = (each.text for each in answer(synthetic.campaign, scores) if each.topic == "Expected")
    assert found == (
        "F1 where these were not trained, forecast without a test there: mixed (2 conditions), mean over 1 condition 0.61 "
        "(measured 0.70), lowest 0.61 [0.50, 0.72] under Δf 0 Å (measured 0.70)."
    )


def test_a_condition_whose_scores_leave_their_intervals_is_named(synthetic: Any) -> None:
    run_metrics(synthetic.campaign, synthetic.results)
    scores = read_scores(synthetic.campaign, synthetic.results)
    score, rows = scores.outcomes.score.values, 6
    many = scores.outcomes.isel(training_set=np.resize(np.arange(len(score)), rows))
    values = many.score.values
    wide = np.full(values.shape, 0.1)
    wide[:4, 1] = -0.1  # four of six intervals lie beside the score
    forecast = replace(scores.forecast, predicted=values, low=values - wide, high=values + 0.2)
    found = _least_held(synthetic.campaign, replace(scores, outcomes=many, forecast=forecast))
    title = synthetic.campaign.condition_labels.title(
        synthetic.campaign.datasets[str(many.condition.values[1])].condition
    )
    assert found == f", but only 2 of 6 under {title}"
    wide[:] = 0.1
    inside = replace(scores.forecast, predicted=values, low=values - wide, high=values + 0.2)
    assert _least_held(synthetic.campaign, replace(scores, outcomes=many, forecast=inside)) == ""


def test_choices_are_in_the_metrics_own_sign(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["analysis"]["metric"] = "cross_entropy"
    made = make(config)
    run_metrics(made.campaign, made.results)
    scores = read_scores(made.campaign, made.results)
    chosen = choose_training_sets(scores.outcomes, scores.metrics, made.campaign.config.analysis)
    assert chosen["worst"].score == pytest.approx(0.3, abs=1e-6)  # the largest of the mixture's, 1 − F1
    assert chosen["mean"].score == pytest.approx(0.5 / 3, abs=1e-6)
    assert chosen["mean"].lead == pytest.approx(0.4 / 3, abs=1e-5)


def test_without_other_conditions_nothing_is_shown(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["conditions"] = {"only": {"defocus_A": 100, "dose_e_per_A2": 400}}
    config["training_sets"] = {"single": config["training_sets"]["single"] | {"conditions": "only"}}
    config["networks"]["unet"] |= {"training_sets": "single", "seed": 0}
    config["test_suites"]["test"]["conditions"] = "only"
    found = answered(make(config))
    assert "0.90 [no interval]" in found["Trust"][0].text
    texts = [found["Trust"][1], *found["Foresight"], *found["Expected"], *found["Train on"], *found["Weakest"]]
    assert all("nothing shown" in each.text.lower() for each in texts), texts
    assert "nan" not in " ".join(each.text for each in texts)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_report_and_terminal_say_the_same(synthetic: Any) -> None:
    run_metrics(synthetic.campaign, synthetic.results)
    run_report(synthetic.campaign, synthetic.results)
    text = (synthetic.folder / REPORT).read_text()
    sentences = answer(synthetic.campaign, read_scores(synthetic.campaign, synthetic.results))
    lines = answer_lines(synthetic.campaign, synthetic.results)
    assert len(lines) == 10
    assert [line.split("  ", 1)[1].strip() for line in lines[1:]] == [each.text for each in sentences]
    shown = re.findall(r"<dd>(.+?) <a href=\"#([^\"]+)\"", text)
    assert [(html.unescape(sentence), target) for sentence, target in shown] == [
        (each.text, each.evidence) for each in sentences
    ]
    for each in sentences:
        assert text.count(f'id="{each.evidence}"') == 1, each

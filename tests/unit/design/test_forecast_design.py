"""Training conditions by the forecast: the best of all choices, why, and when no choice is recommended."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from rich.console import Console
from tests.unit.transfer.forecast.laws import with_mixtures

from hrtem_ood.cli.render.forecast_design import forecast_design_summary, forecast_design_table
from hrtem_ood.design import forecast_choice
from hrtem_ood.design.forecast_choice import ForecastGoal, best_choice
from hrtem_ood.design.forecast_design import ForecastDesign
from hrtem_ood.design.forecast_design import forecast_choice as forecast_of
from hrtem_ood.design.recommendation import DesignRequest
from hrtem_ood.errors import ArgumentError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.mixtures import CandidateTable


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    cells = with_mixtures(20, 12, loss=0.03, sd=0.01)
    return Forecaster.fit(cells, metric="f1", bounds=(0, 1), pixel_size_A=0.4)


def table(log_cnr: np.ndarray) -> CandidateTable:
    """Describe candidates that are the targets, by ln CNR alone."""
    summary = np.zeros((len(log_cnr), 4))
    summary[:, 0] = log_cnr
    return CandidateTable(summary, summary, *np.zeros((4, len(log_cnr), len(log_cnr))))


LOG_CNR = np.linspace(-0.8, 2.2, 9)


@pytest.mark.parametrize("aim", ["mean", "worst"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_choice_is_the_best_of_all(forecaster: Forecaster, aim: str, size: int) -> None:
    goal = ForecastGoal(forecaster, table(LOG_CNR), 1, aim)  # type: ignore[arg-type]
    chosen, exact = best_choice(goal, size)
    assert exact
    every = list(combinations(range(9), size))
    scores = goal.scores(every)
    value = scores.mean(axis=1) if aim == "mean" else scores.min(axis=1)
    assert value[every.index(chosen)] == pytest.approx(value.max(), abs=5e-4)


def test_two_conditions_span_the_extremes_and_more_fill_the_hull_evenly(forecaster: Forecaster) -> None:
    goal = ForecastGoal(forecaster, table(LOG_CNR), 1, "worst")
    assert best_choice(goal, 2)[0] == (0, 8)
    assert best_choice(goal, 3)[0] == (0, 4, 8)


def test_greedy_with_swaps_is_as_good_where_all_can_be_compared(
    forecaster: Forecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal = ForecastGoal(forecaster, table(LOG_CNR), 1, "mean")
    best = goal.values([best_choice(goal, 3)[0]])[0]
    monkeypatch.setattr(forecast_choice, "EXACT", 10)
    chosen, exact = best_choice(goal, 3)
    assert not exact
    assert goal.values([chosen])[0][0] == pytest.approx(best[0], abs=2e-3)


def made(forecaster: Forecaster, choices: dict[str, tuple[int, ...]], log_cnr: np.ndarray = LOG_CNR) -> ForecastDesign:
    goal = ForecastGoal(forecaster, table(log_cnr), 1, "worst")
    conditions = tuple(Condition(defocus_A=each, dose_e_per_A2=400) for each in range(len(log_cnr)))
    request = DesignRequest(("wide",), ("wide",), 2, "worst", "sigma", ("train", "test"))
    forecasts = {name: forecast_of(goal, chosen) for name, chosen in choices.items()}
    return ForecastDesign(request, forecaster, conditions, conditions, choices, forecasts, exact=True, n_images=8)


def test_it_says_why(forecaster: Forecaster) -> None:
    design = made(forecaster, {"designed": (0, 8), "uniform": (3, 4)})
    text = "\n".join(forecast_design_summary(design))
    assert design.verdict == "recommended"
    assert "beat uniform ones is not shown yet" in text
    assert "here -0.80 to 2.20" in text
    assert f"weakest condition of use is {design.weakest.label}" in text
    assert "No choice is recommended" not in text
    # an interval of a mean is that of its parts
    own = design.forecasts["designed"]
    mean, low, high = own.over_targets("mean")
    assert (mean, low, high) == (own.predicted.mean(), own.low.mean(), own.high.mean())
    assert "domain" not in text


def test_what_lies_outside_the_domain_is_told_and_its_intervals_are_marked(forecaster: Forecaster) -> None:
    choices = {"designed": (0, 8), "uniform": (3, 4)}
    inside = made(forecaster, choices)
    goal = ForecastGoal(forecaster, table(LOG_CNR), 80, "worst")
    more = dataclasses.replace(inside, forecasts={name: forecast_of(goal, each) for name, each in choices.items()})
    for name, each in more.forecasts.items():
        assert each.outside == ("80 training images (domain: 1)",)
        np.testing.assert_array_equal(each.predicted, inside.forecasts[name].predicted)  # those of the edge
    text = "\n".join(forecast_design_summary(more))
    assert "for all choices 80 training images (domain: 1); forecasts are those at the edge of the domain" in text
    assert "their intervals do not cover what lies beyond it" in text
    assert rendered(more).count(" *") == 2 * len(choices)
    assert " *" not in rendered(inside)


def rendered(design: ForecastDesign) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(forecast_design_table(design).renderables[1])
    return captured.get()


def test_where_forecasts_of_that_size_failed_it_is_told(forecaster: Forecaster) -> None:
    design = made(forecaster, {"designed": (0, 8), "uniform": (3, 4)})
    weak = dataclasses.replace(forecaster.performance.bins[-1], least=-1.0, most=2.0, coverage=0.75, bias=0.07)
    performance = dataclasses.replace(forecaster.performance, bins=(weak,))
    text = "\n".join(
        forecast_design_summary(made(dataclasses.replace(forecaster, performance=performance), design.choices))
    )
    # bins are of single forecasts: means of choices lie in others
    own = design.forecasts["designed"].predicted
    narrow = dataclasses.replace(weak, least=float(own.max()) - 1e-6, most=float(own.max()) + 1e-6)
    performance = dataclasses.replace(forecaster.performance, bins=(narrow,))
    text_of_one = "\n".join(
        forecast_design_summary(made(dataclasses.replace(forecaster, performance=performance), design.choices))
    )
    assert f"Of its forecasts from {own.max():.2f} to {own.max():.2f}, only 75 %" in text_of_one
    said = "Of its forecasts from -1.00 to 2.00, only 75 % of the scores lay within the 90 % intervals"
    assert text.count(f"{said}, and they were 0.07 too high on average.") == 1


def test_a_choice_names_no_candidate_twice() -> None:
    with pytest.raises(ArgumentError, match=r"choices: \(3, 3\) names a candidate twice"):
        table(LOG_CNR).describe(np.array([[0, 8], [3, 3]]), 8)


def test_where_intervals_overlap_entirely_nothing_is_recommended(forecaster: Forecaster) -> None:
    design = made(forecaster, {"designed": (0, 8), "uniform": (0, 7, 8)[::2], "random_1": (1, 8)}, np.full(9, 0.5))
    assert design.verdict == "alike"
    assert "Any spread-out choice will do" in forecast_design_summary(design)[0]
    assert "to three digits, as the designed choice: uniform, random_1." in forecast_design_summary(design)[1]


def test_without_another_choice_there_is_nothing_to_compare(forecaster: Forecaster) -> None:
    design = made(forecaster, {"designed": (0, 8)})
    assert design.verdict == "alone"
    text = "\n".join(forecast_design_summary(design))
    assert "there is no other to compare it with" in text
    assert "overlap" not in text


def test_where_every_condition_of_use_lies_outside_the_domain_nothing_is_recommended(forecaster: Forecaster) -> None:
    choices = {"designed": (0, 8), "uniform": (3, 4)}
    far = np.array([*LOG_CNR[:1], *np.full(7, 40.0), *LOG_CNR[-1:]])
    assert made(forecaster, choices, far).verdict == "recommended"  # two conditions of use lie within
    beyond = made(forecaster, choices, LOG_CNR + 40)
    assert beyond.verdict == "outside"
    assert "which knows nothing there" in forecast_design_summary(beyond)[0]

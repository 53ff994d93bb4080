"""Training conditions by the forecast: the best of all choices, why, and when no choice is recommended."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from tests.unit.transfer.forecast.laws import with_mixtures

from hrtem_ood.cli.render.forecast_design import forecast_design_summary
from hrtem_ood.design import forecast_choice
from hrtem_ood.design.forecast_choice import ForecastGoal, best_choice
from hrtem_ood.design.forecast_design import ForecastDesign
from hrtem_ood.design.forecast_design import forecast_choice as forecast_of
from hrtem_ood.design.recommendation import DesignRequest
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
    return ForecastDesign(
        request, forecaster, conditions, conditions, choices, forecasts, exact=True, n_images=8, outside={}
    )


def test_it_says_why(forecaster: Forecaster) -> None:
    design = made(forecaster, {"designed": (0, 8), "uniform": (3, 4)})
    text = "\n".join(forecast_design_summary(design))
    assert design.recommended
    assert "here -0.80 to 2.20" in text
    assert f"weakest condition of use is {design.weakest.label}" in text
    assert "No choice is recommended" not in text
    # an interval of a mean is that of its parts
    own = design.forecasts["designed"]
    mean, low, high = own.over_targets("mean")
    assert (mean, low, high) == (own.predicted.mean(), own.low.mean(), own.high.mean())
    outside = dataclasses.replace(design, outside={"log_n_images": 9})
    assert "Outside the domain of the forecaster" in "\n".join(forecast_design_summary(outside))


def test_where_intervals_overlap_entirely_nothing_is_recommended(forecaster: Forecaster) -> None:
    design = made(forecaster, {"designed": (0, 8), "uniform": (0, 7, 8)[::2], "random_1": (1, 8)}, np.full(9, 0.5))
    assert not design.recommended
    assert "Any spread-out choice will do" in forecast_design_summary(design)[0]

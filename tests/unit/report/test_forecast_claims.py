"""The study page of a campaign with a forecaster: claims on it, designs over several draws, and groups reported apart."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hrtem_ood.analysis.design_draws import DrawScores, draw_table, pooled_difference
from hrtem_ood.analysis.results import analyse_campaign
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import BETWEEN
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.errors import ConfigError
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.study_page import page_text
from hrtem_ood.stages.metrics import metrics

DOSES = np.geomspace(50, 1600, 15).round().tolist()


@pytest.fixture
def confirm(config: dict[str, Any]) -> dict[str, Any]:
    """Make a study of fifteen doses, with two draws of conditions of use and four conditions apart."""
    conditions = [{"defocus_A": 60, "dose_e_per_A2": dose, "focal_spread_A": 20} for dose in DOSES]
    config["conditions"] = {
        "varied": conditions,
        "apart": {"defocus_A": [-150, -60, 90, 180], "dose_e_per_A2": 400, "focal_spread_A": 20},
        "use_1": conditions[:9],
        "use_2": conditions[5:],
    }
    choices = {
        "d1": [0, 8], "u1": [3, 5], "r1": [4, 6], "r2": [5, 7],
        "d2": [5, 14], "u2": [8, 10], "r3": [9, 11], "r4": [10, 12],
    }  # fmt: skip
    config["conditions"] |= {name: [conditions[each] for each in chosen] for name, chosen in choices.items()}
    entry = {"structure_set": "train", "n_images": 4, "n_validation_structures": 1}
    config["training_sets"] = {"single": entry | {"conditions": ["varied", "apart"]}}
    config["training_sets"] |= {name: entry | {"conditions": name, "mixture": True} for name in choices}
    config["networks"] = {
        "unet": {"training_sets": ["single"], "seed": 0, "epochs": 1},
        "design": {"training_sets": list(choices), "seed": [0, 1, 2], "epochs": 1},
    }
    config["test_suites"] = {"test": {"structure_set": "test", "conditions": ["varied", "apart"]}}
    claim = {
        "predictor": "forecast",
        "better_than": ["delta_log_dose", "sigma"],
        "rho_at_least": 0.8,
        "cells": "single",
    }
    config["analysis"] = {
        "bootstrap_resamples": 100,
        "baseline_predictor": "delta_log_dose",
        "apart": {"fixed": "apart"},
        "claims": [claim | {"outcome": "gap"}, claim | {"outcome": "regret"}],
        "forecast_claim": {"coverage": [0.8, 1.0], "width_at_most": 0.4},
        "design_draws": [
            {"use": "use_1", "designed": "d1", "uniform": "u1", "random": ["r1", "r2"]},
            {"use": "use_2", "designed": "d2", "uniform": "u2", "random": ["r3", "r4"]},
        ],
    }
    return config


def rule_of(campaign: Campaign) -> Callable[..., float]:
    """F1 falls with the distance of ln dose to the hull of training, and twice as much downwards."""

    def rule(network: Any, dataset: Any, _image: int) -> float:
        spec = campaign.training_set_by_id[network.training_set]
        trained = [math.log(campaign.datasets[id_].condition.dose_e_per_A2) for id_ in spec.datasets]
        change = math.log(dataset.condition.dose_e_per_A2)
        change -= min(max(change, min(trained)), max(trained))
        chance = 0.02 * math.sin(
            37 * sum(trained) + 11 * dataset.condition.dose_e_per_A2 + network.hyperparameters.seed
        )
        return 0.85 - 0.08 * max(change, 0) - 0.16 * max(-change, 0) + chance

    return rule


@pytest.mark.slow
def test_claims_are_answered_from_the_numbers(confirm: dict[str, Any], make: Callable[..., Any]) -> None:
    made = Campaign(CampaignConfig.model_validate(confirm))
    written = make(confirm, rule=rule_of(made))
    metrics(written.campaign, written.results)
    results = analyse_campaign(written.campaign, written.results)
    assert results.fitted is not None, results.no_forecaster
    ranking = results.tables["predictor_ranking"].set_index(["outcome", "cells", "predictor"])
    for outcome in ("gap", "regret"):
        row = ranking.loc[(outcome, "imaging, single-condition training", "forecast")]
        assert row.rho > 0.9
        assert row.n == 15 * 14, "conditions apart are not among them"
        assert ranking.loc[(outcome, "fixed", "forecast")].n == 4 * 3
    group, shift = results.outcomes["group"].values, results.outcomes["shift"].values
    assert (group == BETWEEN).sum() == 2 * 15 * 4 + 8 * 4
    assert np.isfinite(results.forecast.predicted).sum() == ((group == "") & (shift != "in-domain")).sum()
    text = page_text(ReportData(written.campaign, written.results, results), {}, "command")
    assert "- **Gaps** under other imaging conditions: `forecast` has ρ = +" in text
    assert "- **Held**: ρ is 0.8 or more" in text
    assert "- **Shown**: `forecast` ranks gaps better than `delta_log_dose`" in text
    # these conditions differ in dose alone, to which σ is not sensitive: it ranks nothing
    assert "- **Open**: `forecast` ranks gaps better than `sigma`" in text
    assert "## Apart: `fixed`" in text
    assert "pooled over 2 draws of conditions of use: mean better than uniform by +" in text
    assert "worst better than random by +" in text
    assert f"fitted to {len(results.fitted.chosen.cells)} cells" in text


def test_without_enough_cells_the_page_says_how_many_are_needed(
    config: dict[str, Any], make: Callable[..., Any]
) -> None:
    written = make(
        config
        | {"analysis": {"bootstrap_resamples": 100, "forecast_claim": {"coverage": [0.8, 1], "width_at_most": 1}}}
    )
    metrics(written.campaign, written.results)
    results = analyse_campaign(written.campaign, written.results)
    assert results.fitted is None
    assert "needs at least 18 cells" in results.no_forecaster
    assert "forecast" not in set(results.tables["predictor_ranking"].predictor)


def test_unknown_names_of_draws_and_groups_are_refused(confirm: dict[str, Any]) -> None:
    confirm["analysis"]["design_draws"][1]["random"] = ["r3", "single_"]
    with pytest.raises(ConfigError, match=r"design_draws, entry 2: there is no `single_`"):
        load_campaign(confirm)
    confirm["analysis"]["design_draws"][1]["random"] = ["d2"]
    with pytest.raises(ConfigError, match="name a training set twice"):
        load_campaign(confirm)
    del confirm["analysis"]["design_draws"]
    confirm["analysis"]["apart"] = {"fixed": "aparts"}
    with pytest.raises(ConfigError, match=r"analysis.apart.fixed: there is no `aparts`"):
        load_campaign(confirm)


def draw(use: str, size: int, better: float) -> DrawScores:
    score = np.array([[0.5, 0.6, 0.7], [0.6, 0.7, 0.8]])
    sets = {"designed": score + better, "uniform": score, "random_1": score - 0.1, "random_2": score + 0.1}
    return DrawScores(use, size, sets, dict.fromkeys(sets, float("nan")))


def test_designs_are_pooled_over_draws_by_hand() -> None:
    draws = [draw("a", 2, 0.2), draw("a", 4, 0.1), draw("b", 2, 0.3)]
    for kind in ("uniform", "random"):
        value, low, high = pooled_difference(draws, kind, "mean", resamples=300, level=0.95)
        assert value == pytest.approx(0.2)
        assert low < value < high
        assert 0.05 < high - low < 0.35, "networks differ by 0.1 and draws by 0.15"
        assert pooled_difference(draws, kind, "worst", resamples=100, level=0.95)[0] == pytest.approx(0.2)
    table = draw_table(draws[:1], 1).set_index("training_set")
    assert table["mean"].to_dict() == pytest.approx(
        {"designed": 0.85, "uniform": 0.65, "random_1": 0.55, "random_2": 0.75}
    )
    assert table["worst"].to_dict() == pytest.approx(
        {"designed": 0.75, "uniform": 0.55, "random_1": 0.45, "random_2": 0.65}
    )
    assert np.isnan(pooled_difference([], "random", "mean", resamples=100, level=0.95)[0])

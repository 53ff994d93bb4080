"""Figures against the numbers that they are drawn from, and the catalogue against its modules."""

import inspect
import itertools
import math
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.synthetic import write_network_file

from hrtem_ood.analysis import learning_curves as curves_module
from hrtem_ood.analysis.learning_curves import read_learning_curves
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.analysis.results import CampaignResults, analyse_campaign
from hrtem_ood.analysis.structure_matrix import Matrix, structure_matrix
from hrtem_ood.analysis.training_set_comparison import TrainingSetScores
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.report_files import FIGURES, figure_names
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.report import figures
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.figures import design, learning_curves, ood_gap, predictor_ranking, structures
from hrtem_ood.report.figures.catalogue import figure_module
from hrtem_ood.stages.metrics import metrics as run_metrics

Make = Callable[..., Any]


def of(made: Any) -> CampaignResults:
    run_metrics(made.campaign, made.results)
    return analyse_campaign(made.campaign, made.results)


@pytest.fixture
def grid(make: Make, config: dict[str, Any]) -> Any:
    """Return a campaign with enough cells for a forecast."""
    config["conditions"] = {"trained": {"defocus_A": list(range(-200, 201, 50)), "dose_e_per_A2": 400}}
    config["test_suites"]["test"]["conditions"] = "trained"
    config["networks"]["unet"]["seed"] = 0
    config["analysis"] = {"bootstrap_resamples": 100}
    return make(config)


@pytest.mark.slow
def test_the_gap_is_drawn_against_the_predictor_of_the_forecast(grid: Any) -> None:
    found, name = of(grid), "texture_gap"
    figure = ood_gap.draw_gap(
        found.cells, found.tables["predictors"], found.predictors[name], grid.campaign.config.analysis
    )
    assert len(figure.axes) == 4  # three panels and a colour bar
    table = found.tables["ood_gap"].query("not in_domain").dropna(subset="f1_gap_median")
    values = [
        float(found.predictors[name].sel(training_set=row.training_id, condition=row.dataset))
        for row in table.itertuples()
    ]
    shown = np.concatenate([np.asarray(part.get_offsets()) for part in figure.axes[2].collections[-2:]])
    expected = np.column_stack([values, table.f1_gap_median])
    np.testing.assert_allclose(sorted(shown.tolist()), sorted(expected.tolist()), atol=1e-6)
    rho = stats.spearmanr(values, table.f1_gap_median).statistic
    assert f"ρ = {rho:+.2f}".replace("-", "−") in figure.axes[2].get_title()
    two = ood_gap.draw_gap(found.cells, found.tables["predictors"], found.predictors["sigma"], Analysis())
    assert len(two.axes) == 3  # σ has a panel anyway


@pytest.mark.slow
def test_the_forecast_is_checked_at_several_levels(grid: Any) -> None:
    found = of(grid)
    table = found.tables["calibration"].set_index("nominal")
    assert list(table.index) == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    assert table.n[0.9] == found.forecast.n == len(found.tables["forecast"]) > 50
    assert table.coverage[0.9] == found.forecast.coverage
    width = found.tables["forecast"].high - found.tables["forecast"].low
    assert table.width[0.9] == pytest.approx(width.median())
    assert table.width.is_monotonic_increasing


def test_naive_predictors_are_always_in_the_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_ranking, "MOST", 4)
    families = dict.fromkeys("abcdef", "transfer") | {"abs_delta_defocus_A": "naive", "texture_gap": "transfer"}
    rows = [
        (outcome, "imaging", family, name, -index / 10 if name != "b" else math.nan)
        for outcome in ("gap", "regret")
        for index, (name, family) in enumerate(families.items())
    ]
    table = pd.DataFrame(rows, columns=["outcome", "cells", "family", "predictor", "rho"])
    assert predictor_ranking.select_predictors(table, ("imaging",), Analysis()) == [
        "a",
        "c",
        "abs_delta_defocus_A",
        "texture_gap",
    ]
    told = predictor_ranking.describe(table, Analysis())
    assert "Of 7 predictors, 4 are drawn" in told
    assert "without ρ: b." in told


@pytest.mark.slow
def test_structures_are_compared_under_conditions_that_all_recipes_share(make: Make, config: dict[str, Any]) -> None:
    larger = config["structure_sets"]["train"] | {"particles": {"radius_A": [4, 4], "separation_A": 2}}
    config["structure_sets"] |= {"larger": larger | {"seed": 5}, "larger-test": larger | {"n_structures": 3, "seed": 6}}
    config["conditions"]["alone"] = {"defocus_A": 300, "dose_e_per_A2": 400}
    config["training_sets"]["larger"] = config["training_sets"]["single"] | {"structure_set": "larger"}
    config["training_sets"]["single"]["conditions"] = ["trained", "alone"]
    config["networks"]["unet"]["training_sets"] = ["single", "larger"]
    config["test_suites"]["test"]["conditions"] = ["trained", "focus", "alone"]
    config["test_suites"]["larger"] = {"structure_set": "larger-test", "conditions": ["trained", "focus"]}
    by_sets = {
        ("train", "test"): 0.9,
        ("train", "larger-test"): 0.4,
        ("larger", "test"): 0.6,
        ("larger", "larger-test"): 0.8,
    }
    sets = Campaign(CampaignConfig.model_validate(config))
    names = sets.structure_set_of_dataset

    def rule(network: Any, dataset: Any, _image: int) -> float:
        trained = sets.training_set_by_id[network.training_set].datasets[0]
        known = dataset.condition == sets.datasets[trained].condition and dataset.condition.defocus_A < 300
        return by_sets[names[trained], names[dataset.id]] if known else 0.1

    made = make(config, rule=rule)
    found = of(made)
    matrix = structure_matrix(made.campaign, found.outcomes)
    assert (matrix.rows, matrix.columns) == (["train", "larger"], ["test", "larger-test"])
    np.testing.assert_allclose(matrix.score, [[0.9, 0.4], [0.6, 0.8]], atol=1e-6)
    np.testing.assert_array_equal(matrix.cells, 2)  # not under +300 Å, where one recipe is tested alone
    np.testing.assert_array_equal(matrix.same_recipe, np.eye(2, dtype=bool))
    figure = structures.draw_structures(
        matrix, found.tables["predictor_ranking"], made.campaign.config.analysis, colours="crest"
    )
    assert {text.get_text() for text in figure.subfigs[0].axes[0].texts} == {"0.90", "0.40", "0.60", "0.80", "2"}
    assert "structures" in figure_names(made.campaign)
    config["test_suites"]["larger"]["structure_set"] = "test"
    config["training_sets"]["larger"]["structure_set"] = "train"
    assert "structures" not in figure_names(Campaign(CampaignConfig.model_validate(config)))


def test_figures_do_not_grow_without_bound() -> None:
    number = 60
    names = [f"recipe-{index}" for index in range(number)]
    matrix = Matrix(names, names, np.eye(number), np.ones((number, number), int), np.eye(number, dtype=bool))
    table = pd.DataFrame(columns=["outcome", "cells", "family", "predictor", "rho", "rho_low", "rho_high", "n"])
    figure = structures.draw_structures(matrix, table, Analysis(), colours="crest")
    assert max(figure.get_size_inches()) < 20
    assert "first 40 recipes" in structures.describe(matrix, Analysis())
    one = TrainingSetScores(
        "set", ["network"], [0], 0, *2 * [[str(n) for n in range(200)]], np.linspace(1, 0, 200)[None], 1
    )
    figure = design.draw_comparison([one] * 20, Analysis(), "condition")
    assert max(figure.get_size_inches()) < 14
    told = design.describe([one] * 20, Analysis())
    assert "the first 12 of 20 training sets; on the right 40 of 200 test conditions" in told
    assert len(figure.axes[1].get_yticks()) == 40


@pytest.mark.slow
def test_learning_curves_are_of_a_sample(make: Make, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves_module, "MAX_NETWORKS", 4)
    config["networks"]["unet"]["seed"] = [0, 1, 2]
    ids = list(make(config).campaign.networks)  # nine networks: 0, 3, 5, 8 are evenly spread
    made = make(config, diverged=(ids[1],), rule=lambda network, *_: math.nan if network.id == ids[1] else 0.5)
    for id_ in ids[:5]:
        write_network_file(made, id_, diverged=id_ == ids[1])
    run_metrics(made.campaign, made.results)
    metrics = read_metrics(made.campaign, made.results)
    found = read_learning_curves(made.results, metrics, aggregate_by_training_set(made.campaign, metrics))
    assert [curve.network for curve in found.sample] == [
        ids[0],
        ids[3],
        ids[1],
    ]  # the last makes room for one that diverged
    assert (found.networks, found.absent) == (9, 1)
    assert [curve.diverged for curve in found.sample] == [False, False, True]
    table = found.table().set_index("network")
    assert list(table.loc[ids[0]].validation_loss) == [0.8, 0.3, 0.4]
    assert list(table.loc[ids[0]].epoch) == [1, 2, 3]
    told = learning_curves.describe(found)
    assert "3 of 9 networks" in told
    assert "The files of 1 others" in told
    figure = learning_curves.draw_curves(found)
    best = figure.axes[0].lines[-1]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.3)
    assert "diverged" in figure.axes[2].get_title()


def test_every_row_of_the_catalogue_has_its_module_and_every_module_its_row() -> None:
    modules = {module.name for module in pkgutil.iter_modules(figures.__path__)} - {"catalogue"}
    names = [row.name for row in FIGURES]
    assert sorted(names) == sorted(modules)
    for name in names:
        module = figure_module(name)
        for function in (module.draw, module.caption):
            (parameter,) = inspect.signature(function).parameters.values()
            assert parameter.annotation is ReportData
    sections = [row.section for row in FIGURES]
    assert len(set(sections)) == len(list(itertools.groupby(sections))), "figures of one section are neighbours"

"""The ranking of predictors and the forecast on outcomes with a right answer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.ranking.forecast import forecast
from hrtem_ood.analysis.ranking.isotonic import fit_monotone, leave_group_out
from hrtem_ood.analysis.ranking.outcomes import oriented_bounds, training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import rank_predictors
from hrtem_ood.analysis.ranking.predictor_scores import CellSubset, score_predictors
from hrtem_ood.analysis.ranking.weighted_spearman import WeightedSpearman
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.stages.metrics import metrics

ROWS, COLUMNS = 14, 18


def contest(outcome: np.ndarray, **others: object) -> CellSubset:
    settings = {"resamples": 400, "level": 0.95, "stream": "test"} | others
    return CellSubset(outcome, np.ones(outcome.shape, bool), np.arange(outcome.shape[1]), **settings)


def table(outcome: np.ndarray, reference: str = "noise", **predictors: np.ndarray):
    return score_predictors(contest(outcome), predictors, reference).set_index("predictor")


def test_weighted_spearman_is_spearman_of_repeated_cells() -> None:
    rng = np.random.default_rng(0)
    tied, single = rng.integers(0, 6, (2, 40)).astype(float), rng.standard_normal((2, 40))
    weight = rng.integers(0, 4, (5, 40)).astype(float)
    predictors = np.array([tied[0], single[0]])
    for outcome in (tied[1], single[1]):
        found = WeightedSpearman(predictors, outcome)(weight)
        for row, column in np.ndindex(found.shape):
            count = weight[column].astype(int)
            expected = stats.spearmanr(np.repeat(predictors[row], count), np.repeat(outcome, count)).statistic
            assert found[row, column] == pytest.approx(expected, abs=1e-12)


def test_what_does_not_vary_has_no_correlation() -> None:
    weight = np.ones((2, 10))
    weight[1] = np.eye(10)[3] * 9  # one cell only
    rising = np.arange(10.0)[None]
    assert np.isnan(WeightedSpearman(rising, np.full(10, 0.3))(weight)).all()
    (found,) = WeightedSpearman(rising, np.arange(10.0) ** 3)(weight)
    assert found[0] == pytest.approx(1)
    assert np.isnan(found[1])


def test_monotone_fit_by_hand() -> None:
    fitted = fit_monotone(np.array([1.0, 2, 2, 3, 4]), np.array([0.0, 4, 2, 1, 5]))
    # 2 has the mean 3 of two, then 1 violates: pooled (4 + 2 + 1)/3
    np.testing.assert_allclose(fitted.y, [0, 7 / 3, 7 / 3, 5])
    np.testing.assert_allclose(fitted(np.array([0.0, 1.5, 3.5, 9])), [0, 7 / 6, 11 / 3, 5])


def test_what_is_left_out_is_predicted_by_a_fit_to_the_others() -> None:
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 6, 80)
    x, y = rng.integers(0, 9, 80).astype(float), rng.standard_normal(80)
    x[groups == 2] += 20  # points that no other group has
    found = leave_group_out(x, y, groups)
    for group in range(6):
        out = groups == group
        np.testing.assert_allclose(found[out], fit_monotone(x[~out], y[~out])(x[out]), atol=1e-12)
    np.testing.assert_array_equal(leave_group_out(x, y, np.zeros(80, int)), np.full(80, y.mean()))


def test_an_informative_predictor_wins_and_noise_spans_zero() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 1, (ROWS, COLUMNS))
    outcome = -((1 - truth) ** 2) + 0.05 * rng.standard_normal(truth.shape)
    noise, blurred = rng.standard_normal((2, *truth.shape))
    found = table(outcome, truth=truth, weak=truth + 0.6 * blurred, noise=noise)
    assert list(found.index) == ["truth", "weak", "noise"]
    assert found.rho["truth"] > 0.9
    assert found.rho_low["truth"] > 0.85
    assert found.rho_low["noise"] < 0 < found.rho_high["noise"]
    assert found.left_out_r2["truth"] > 0.9
    assert found.left_out_r2["noise"] < 0.05
    assert found.gain_low["truth"] > 0.5
    assert found.rho_gain["noise"] == found.gain_low["noise"] == found.gain_high["noise"] == 0


def test_a_predictor_that_points_the_wrong_way_is_not_turned_round() -> None:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 1, (ROWS, COLUMNS))
    found = table(truth, truth=truth, wrong=-truth, noise=rng.standard_normal(truth.shape))
    assert found.rho["wrong"] == pytest.approx(-1)
    assert found.left_out_r2["wrong"] < 0.05


def test_leaving_out_training_sets_tells_a_label_from_a_law() -> None:
    """A predictor that merely names the training set fits within, as rows differ, but tells nothing of a new one."""
    rng = np.random.default_rng(3)
    law = rng.uniform(-1, 1, (ROWS, COLUMNS))
    outcome = 0.5 * rng.standard_normal((ROWS, 1)) + law
    label = np.repeat(rng.permutation(ROWS)[:, None].astype(float), COLUMNS, axis=1)
    found = table(outcome, label=label, law=law, noise=rng.standard_normal(outcome.shape))
    assert found.isotonic_r2["label"] > 0.05
    assert found.left_out_r2["label"] < 0
    assert found.left_out_r2["law"] > 0.4


def test_intervals_know_that_cells_share_rows() -> None:
    """A label of rows, not of cells: its interval must be that of some tens of things, not of hundreds."""
    rng = np.random.default_rng(4)
    outcome = np.repeat(rng.standard_normal((ROWS, 1)), COLUMNS, axis=1) + 0.01 * rng.standard_normal((ROWS, COLUMNS))
    label = np.repeat(rng.standard_normal((ROWS, 1)), COLUMNS, axis=1)
    found = table(outcome, label=label, noise=rng.standard_normal(outcome.shape))
    width = found.rho_high["label"] - found.rho_low["label"]
    assert width > 3 * 2 * 1.96 / np.sqrt(ROWS * COLUMNS)


def test_too_few_cells_get_no_scores_and_missing_cells_are_left_out_for_all() -> None:
    outcome = np.full((3, 3), np.nan)
    outcome[0, :2] = [1, 2]
    assert score_predictors(contest(outcome), {"noise": outcome}, "noise").empty
    rng = np.random.default_rng(5)
    outcome, values = rng.standard_normal((2, 6, 6))
    holes = values.copy()
    holes[2, 3] = np.nan
    found = table(outcome, noise=values, holes=holes)
    assert (found.n == 35).all()


# --- forecast --------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_forecasts_cover_what_they_say(level: float) -> None:
    """Over many campaigns: rows and columns with effects of their own, errors that are not normal."""
    covered = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0, 1, (20, 24))
        own, there = 0.02 * rng.standard_normal((20, 1)), 0.02 * rng.standard_normal((1, 24))
        base = rng.uniform(0.7, 0.9, 20)
        score_ = base[:, None] - 0.5 * (1 - x) ** 2 + own + there + 0.04 * rng.laplace(size=x.shape)
        made = forecast(
            score_, base, x, np.ones(x.shape, bool), np.arange(24), folds=5, level=level, stream=f"test {seed}"
        )
        assert made.n == x.size
        covered.append(made.coverage)
    assert np.mean(covered) == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize("metric", ["f1", "cross_entropy"])
def test_forecasts_and_intervals_stay_within_what_a_score_can_be(metric: str) -> None:
    rng = np.random.default_rng(2)
    x, base = rng.uniform(0, 1, (8, 9)), rng.uniform(0.8, 1, 8)
    score_ = np.clip(base[:, None] + 0.2 * rng.standard_normal(x.shape), 0, 1) - (metric == "cross_entropy")
    settings = {"folds": 5, "level": 0.9, "stream": "test"}
    free = forecast(score_, base, x, np.ones(x.shape, bool), np.arange(9), **settings)
    kept = forecast(score_, base, x, np.ones(x.shape, bool), np.arange(9), bounds=oriented_bounds(metric), **settings)
    least, most = (0, 1) if metric == "f1" else (-np.inf, 0)
    assert np.nanmax(free.high) > most
    for before, after in zip(vars(free).values(), vars(kept).values(), strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, np.clip(before, least, most))
    assert kept.coverage == free.coverage  # no score lies in what is cut off


def test_a_forecast_uses_neither_its_row_nor_its_column() -> None:
    rng = np.random.default_rng(8)
    x, base = rng.uniform(0, 1, (8, 9)), np.full(8, 0.8)
    score_ = base[:, None] - 0.4 * (1 - x)
    settings = {"folds": 100, "level": 0.8, "stream": "test"}
    everything = np.ones(x.shape, bool)
    before = forecast(score_, base, x, everything, np.arange(9), **settings)
    changed = score_.copy()
    changed[3, :], changed[:, 5] = 0.1, 0.2
    after = forecast(changed, base, x, everything, np.arange(9), **settings)
    assert after.predicted[3, 5] == before.predicted[3, 5]
    assert after.predicted[0, 0] != before.predicted[0, 0]


def test_a_forecast_of_little_says_nothing() -> None:
    made = forecast(
        np.ones((2, 2)), np.ones(2), np.ones((2, 2)), np.ones((2, 2), bool), np.arange(2),
        folds=5, level=0.9, stream="test",
    )  # fmt: skip
    assert made.n == 0
    assert np.isnan(made.coverage)


# --- outcomes of a campaign ------------------------------------------------------------------


@pytest.mark.slow
def test_outcomes_of_two_materials(config: dict[str, Any], make: Callable[..., Any]) -> None:
    """Gap and regret from a rule: another material costs 0.2, each Å of defocus 0.001, and whoever trained there knows."""
    sets = config["structure_sets"]
    config["materials"]["Au"] = {"formula": "Au", "structure": "fcc", "a_A": 4.078}
    sets["gold"] = sets["train"] | {"material": "Au", "seed": 5}
    sets["gold_test"] = sets["test"] | {"material": "Au", "seed": 6}
    config["training_sets"]["gold"] = {
        "structure_set": "gold",
        "conditions": "focus",
        "n_images": 4,
        "n_validation_structures": 1,
    }
    config["networks"]["unet"]["training_sets"] = ["single", "mixed", "gold"]
    config["test_suites"]["gold"] = {"structure_set": "gold_test", "conditions": ["trained", "focus"]}

    def rule(network: Any, dataset: Any, _: int) -> float:
        known = [made.datasets[id_] for id_ in made.training_set_by_id[network.training_set].datasets]
        change = min(abs(each.condition.defocus_A - dataset.condition.defocus_A) for each in known)
        same = made.recipe_id(made.structure_set_of_dataset[known[0].id]) == made.recipe_id(
            made.structure_set_of_dataset[dataset.id]
        )
        return 0.8 - 0.001 * change - 0.2 * (not same)

    made = Campaign(CampaignConfig.model_validate(config))
    written = make(config, rule=rule)
    metrics(made, written.results)
    found = training_set_outcomes(made, read_metrics(made, written.results))
    kind, gap, regret = found["shift"].values, found.gap.values, found.regret.values
    np.testing.assert_allclose(found.in_domain_score, 0.8, atol=1e-6)
    np.testing.assert_allclose(gap[kind == "structure"], -0.2, atol=1e-6)
    np.testing.assert_allclose(gap[kind == "defocus"].min(), -0.2, atol=1e-6)
    assert set(np.unique(kind)) == {"in-domain", "defocus", "structure", "structure and imaging"}
    # nobody trained on CdSe in focus alone, or on gold out of focus: no regret there
    for column, id_ in enumerate(made.test_dataset_ids):
        focus = made.datasets[id_].condition.defocus_A == 0
        gold = made.structure_set_of_dataset[id_] == "gold_test"
        assert np.isnan(regret[:, column]).all() == (focus != gold)
    some = np.isfinite(regret)
    np.testing.assert_allclose(regret[some], (found.score.values - 0.8)[some], atol=1e-6)
    # the predictors know two recipes, and which is which
    with store.open_zarr(written.path("predictors", made.predictors_id)) as compared:
        values = compared.load()
    assert list(values.training_set.values) == made.training_set_ids
    assert list(values.condition.values) == made.test_dataset_ids
    inside = values.sigma.values[kind == "in-domain"]
    np.testing.assert_allclose(inside[inside > 0], 1)
    assert (values.abs_delta_defocus_A.values[kind == "in-domain"] == 0).all()
    table = rank_predictors(values, found, made.config.analysis)
    assert {"gap", "regret"} == set(table.outcome)
    ranked = table[(table.outcome == "gap") & (table.cells == "defocus only")].set_index("predictor")
    assert ranked.rho["abs_delta_defocus_A"] > 0.99  # the rule itself
    assert ranked.rho_gain["abs_delta_defocus_A"] == 0

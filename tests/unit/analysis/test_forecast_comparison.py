"""Forecasts of a campaign beside single predictors, on outcomes with a right answer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from tests.unit.synthetic import Written
from tests.unit.transfer.forecast.laws import crossed

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.ranking.forecast_comparison import (
    COLUMNS,
    MONOTONE,
    CampaignCells,
    campaign_cells,
    coverage_by_bin,
    forecast_campaign,
    forecast_gains,
    forecast_table,
    outcome_forecasts,
)
from hrtem_ood.analysis.ranking.outcomes import LABEL_FREE, training_set_outcomes
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.errors import ArgumentError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.stages.metrics import metrics
from hrtem_ood.stages.predictors import campaign_datasets
from hrtem_ood.transfer.forecast.cross_validation import Forecasts, metric_bounds
from hrtem_ood.transfer.forecast.descriptors import NAMES, PLACE, describe_all
from hrtem_ood.transfer.forecast.ridge import CONTRAST
from hrtem_ood.transfer.predictors.inputs import TrainingSet

NUMBER = 16


@pytest.fixture(scope="module")
def made_up() -> tuple[CampaignCells, xr.Dataset, xr.Dataset]:
    """Train under each of 16 conditions and test under all: cells, outcomes, and two predictors."""
    cells = crossed(NUMBER, 0.02)
    row, column = (each.ravel() for each in np.indices((NUMBER, NUMBER)))
    score, both = cells.score.reshape(NUMBER, NUMBER), ("training_set", "condition")
    own = np.diag(score)
    shift = np.where(np.eye(NUMBER, dtype=bool), "in-domain", "several").astype(object)
    outcomes = xr.Dataset(
        {
            "score": (both, score), "gap": (both, score - own[:, None]), "regret": (both, score - own[None, :]),
            "shift": (both, shift), "group": (both, np.full(score.shape, "", object)),
            "in_domain_score": ("training_set", own), "mixed": ("training_set", np.zeros(NUMBER, bool)),
            "minimum_contrast": ("condition", np.zeros(NUMBER, bool)), "place": ("condition", np.arange(NUMBER)),
            **{name: (both, np.full(score.shape, np.nan)) for name in LABEL_FREE},
        },
        coords={"training_set": [f"t{i}" for i in range(NUMBER)], "condition": [f"c{i}" for i in range(NUMBER)]},
    )  # fmt: skip
    distance = cells.descriptors[:, PLACE["log_cnr_distance"]].reshape(NUMBER, NUMBER)
    noise = np.random.default_rng(5).standard_normal(score.shape)
    predictors = xr.Dataset(
        {
            "distance": (both, distance, {"direction": "smaller", "family": "transfer"}),
            "noise": (both, noise, {"direction": "larger", "family": "naive"}),
        }
    )
    return CampaignCells(cells, row, column, score.shape), outcomes, predictors


ANALYSIS = Analysis(forecast_predictor="distance", baseline_predictor="noise", bootstrap_resamples=200, folds=6)


def test_the_table_against_scipy(made_up: tuple[CampaignCells, xr.Dataset, xr.Dataset]) -> None:
    chosen, outcomes, predictors = made_up
    made = {"contrast": forecast_campaign(chosen, CONTRAST, "f1")}
    table = forecast_table(predictors, outcomes, ANALYSIS, made, ("distance", "noise")).set_index("model")
    assert list(table.reset_index().columns) == COLUMNS
    assert list(table.index) == [MONOTONE, "contrast", "distance", "noise"]
    score, predicted = outcomes.score.values, made["contrast"].predicted
    use = ~np.eye(NUMBER, dtype=bool) & np.isfinite(predicted)
    assert use.sum() > 80
    own = np.diag(predicted)
    row = table.loc["contrast"]
    for name, ours, theirs in (
        ("rho_score", predicted, score),
        ("rho_gap", predicted - own[:, None], outcomes.gap.values),
        ("rho_regret", predicted - own[None, :], outcomes.regret.values),
    ):
        some = use & np.isfinite(ours)
        assert row[name] == pytest.approx(stats.spearmanr(ours[some], theirs[some]).statistic)
    error = (score - predicted)[use]
    assert row.rmse == pytest.approx(np.sqrt(np.mean(error**2)))
    assert row.r2 == pytest.approx(1 - np.mean(error**2) / np.var(score[use]))
    low, high = (each[use] for each in (made["contrast"].low, made["contrast"].high))
    assert row.width == np.median(high - low)
    assert row.coverage == np.mean((score[use] >= low) & (score[use] <= high))
    assert set(table.n) == {use.sum()}
    distance = -predictors.distance.values[use]
    assert table.rho_score["distance"] == pytest.approx(stats.spearmanr(distance, score[use]).statistic)
    assert np.isnan(table.loc["distance", ["r2", "rmse", "width", "coverage"]].to_numpy(float)).all()
    # the law is that of the model, and no monotone function of the distance
    assert row.rmse < 0.06 < table.rmse[MONOTONE]
    assert row.rho_score > 0.9 > table.rho_score["distance"]


def test_less_is_better_turns_the_ranks_and_nothing_else(made_up: tuple[CampaignCells, xr.Dataset, xr.Dataset]) -> None:
    """Of a cross-entropy, outcomes have the opposite sign and forecasts have not. No score is near its bounds here."""
    chosen, outcomes, predictors = made_up
    outcomes = outcomes.assign({name: 0.1 * outcomes[name] for name in ("gap", "regret")})
    outcomes = outcomes.assign({name: 0.45 + 0.1 * outcomes[name] for name in ("score", "in_domain_score")})
    losses = outcomes.assign({name: outcomes[name] - 1 for name in ("score", "in_domain_score")})
    reversed_ = Analysis(**(ANALYSIS.model_dump(exclude_none=True) | {"metric": "cross_entropy"}))
    whole = forecast_campaign(chosen, CONTRAST, "f1")
    made = Forecasts(*(0.45 + 0.1 * each for each in (whole.predicted, whole.low, whole.high)))
    loss = {"contrast": Forecasts(1 - made.predicted, 1 - made.high, 1 - made.low)}
    one = forecast_table(predictors, outcomes, ANALYSIS, {"contrast": made}, ("noise",))
    other = forecast_table(predictors, losses, reversed_, loss, ("noise",))
    # numbers that are shifted round otherwise, which splits ties
    np.testing.assert_allclose(one[COLUMNS[1:]].to_numpy(float), other[COLUMNS[1:]].to_numpy(float), atol=1e-4)


def test_gains_over_single_predictors_have_intervals(made_up: tuple[CampaignCells, xr.Dataset, xr.Dataset]) -> None:
    chosen, outcomes, predictors = made_up
    made = {"contrast": forecast_campaign(chosen, CONTRAST, "f1")}
    outcome = outcome_forecasts(made["contrast"].predicted, outcomes, 1)
    gains = forecast_gains(predictors, outcomes, ANALYSIS, made, ("distance", "noise"))
    assert len(gains) == 4
    for row in gains.itertuples():
        own, measured = outcome[row.outcome], outcomes[row.outcome].values
        other = predictors[row.predictor].values * (-1 if row.predictor == "distance" else 1)
        use = ~np.eye(NUMBER, dtype=bool) & np.isfinite(own)
        rho = [stats.spearmanr(each[use], measured[use]).statistic for each in (own, other)]
        assert row.gain == pytest.approx(rho[0] - rho[1])
        assert row.low < row.gain < row.high
        if row.predictor == "noise":
            assert row.low > 0.3


def test_coverage_in_bins_by_hand() -> None:
    predicted = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, np.nan]])
    made = Forecasts(predicted, predicted - 0.1, predicted + 0.2)
    score = np.array([[0.15, 0.5, 0.3], [0.65, 0.5, 0.5]])
    use = np.array([[True, True, True], [True, False, True]])
    bins = coverage_by_bin(made, score, use, bins=2)
    assert bins.n.tolist() == [2, 2]
    np.testing.assert_allclose(bins[["least", "most"]], [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_allclose(bins.coverage, [0.5, 0.5])
    np.testing.assert_allclose(bins.width, [0.3, 0.3])
    np.testing.assert_allclose(bins.rmse, np.sqrt([(0.05**2 + 0.3**2) / 2, 0.25**2 / 2]))
    assert coverage_by_bin(made, score, np.zeros_like(use)).empty


def test_what_a_score_can_be() -> None:
    assert metric_bounds("f1") == metric_bounds("iou") == (0, 1)
    assert metric_bounds("cross_entropy") == (0, None)
    assert {"f1", "iou", "cross_entropy"} <= set(METRICS)


def test_cells_of_a_campaign_know_its_conditions_in_both_roles(
    config: dict[str, Any], make: Callable[..., Written]
) -> None:
    written = make(config)
    campaign, results = written.campaign, written.results
    metrics(campaign, results)
    outcomes = training_set_outcomes(campaign, read_metrics(campaign, results))
    datasets = campaign_datasets(campaign, results)
    sets = [
        TrainingSet(id_, tuple(datasets[each] for each in spec.datasets), spec.n_images)
        for id_, spec in sorted(campaign.training_set_by_id.items())
    ]
    assert [each.id for each in sets] == campaign.training_set_ids
    descriptors = describe_all(sets, [datasets[id_] for id_ in campaign.test_dataset_ids])
    # a member that is named twice is one member
    (mixed,) = (each for each in sets if len(each.datasets) == 2)
    twice = TrainingSet("twice", (*mixed.datasets, mixed.datasets[0]), (1, 2, 1))
    once = TrainingSet("once", mixed.datasets, (2, 2))
    np.testing.assert_array_equal(describe_all([twice], twice.datasets), describe_all([once], twice.datasets))
    chosen = campaign_cells(campaign, outcomes, descriptors)
    assert len(chosen.cells) == 3 * 3, "two training sets of one condition and their mixture, three test conditions"
    number = {}
    for cell, (row, column) in enumerate(zip(chosen.row, chosen.column, strict=True)):
        members = {each.condition for each in sets[row].datasets}
        test = campaign.datasets[campaign.test_dataset_ids[column]].condition
        assert chosen.cells.trained[cell].sum() == len(members)
        assert chosen.cells.trained[cell, chosen.cells.tested[cell]] == (test in members)
        assert number.setdefault(test, chosen.cells.tested[cell]) == chosen.cells.tested[cell]
        np.testing.assert_array_equal(chosen.cells.descriptors[cell], descriptors[row, column])
    assert len(number) == 3
    np.testing.assert_array_equal(chosen.matrix(chosen.cells.score), outcomes.score.values)
    # where forecasts are the measured scores, so are gap and regret
    for name, values in outcome_forecasts(outcomes.score.values, outcomes, 1).items():
        np.testing.assert_allclose(values, outcomes[name].values)
    with pytest.raises(ArgumentError, match="needs at least 18 cells"):
        forecast_campaign(chosen, CONTRAST, "f1")
    # a descriptor without a value takes its cell out
    descriptors[1, 2, NAMES.index("test_centroid")] = np.inf
    assert len(campaign_cells(campaign, outcomes, descriptors).cells) == 8


def test_a_loss_keeps_its_own_sign(config: dict[str, Any], make: Callable[..., Written]) -> None:
    written = make(config | {"analysis": {"metric": "cross_entropy", "bootstrap_resamples": 100}})
    metrics(written.campaign, written.results)
    outcomes = training_set_outcomes(written.campaign, read_metrics(written.campaign, written.results))
    shape = (len(outcomes.training_set), len(outcomes.condition), len(NAMES))
    chosen = campaign_cells(written.campaign, outcomes, np.zeros(shape))
    assert outcomes.score.values.max() < 0 < chosen.cells.score.min()

"""Cost of architectures, diverged networks, uncertainty; medians and quartiles by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hrtem_ood.analysis.diagnostics import architectures, diverged, uncertainty_correlation
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.campaign.results import Results
from hrtem_ood.cli.render import summary
from hrtem_ood.cli.render.summary import summary_table
from hrtem_ood.stages.metrics import metrics as run_metrics
from hrtem_ood.stages.report import report as run_report

Make = Callable[..., Any]


def gathered(made: Any) -> Any:
    run_metrics(made.campaign, made.results)
    return read_metrics(made.campaign, made.results)


def test_every_architecture_tells_its_cost(make: Make, config: dict[str, Any]) -> None:
    config["networks"]["unet"]["architecture"] = [{"base_channels": 4}, {"name": "resnet_unet", "base_channels": 8}]
    found = architectures(gathered(make(config)))
    assert list(found.architecture) == ["unet(base_channels=4, depth=3)", "resnet_unet(base_channels=8, depth=5)"]
    assert list(found.networks) == [6, 6]
    assert set(found.parameter_count) == {1234}
    assert set(found.flops_per_image) == {5_000_000}


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_diverged_networks_are_named_everywhere(make: Make, config: dict[str, Any]) -> None:
    config["networks"]["unet"] |= {"lr_schedule": ["one_cycle", "exponential"], "seed": 0}
    lost = next(iter(make(config).campaign.networks))
    made = make(config, rule=lambda network, *_: np.nan if network.id == lost else 0.5, diverged=(lost,))
    metrics = gathered(made)
    found = diverged(metrics)
    assert list(found.network) == [lost]
    assert list(found.epochs_trained) == [1]
    assert list(found.lr_schedule) == [made.campaign.networks[lost].hyperparameters.lr_schedule]  # the campaign has two
    assert "weight_decay" not in found
    assert int(architectures(metrics).diverged.sum()) == 1
    run_report(made.campaign, made.results)
    text = (made.folder / "report.html").read_text()
    assert lost in text
    assert "<th>lr schedule</th>" in text
    assert "1 network diverged" in text
    assert "1 of 6 networks diverged" in str(summary_table(made.campaign, made.results).caption)


def test_of_many_training_sets_the_best_and_the_worst_are_shown(
    synthetic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered(synthetic)
    whole = summary_table(synthetic.campaign, synthetic.results)
    assert whole.row_count == 3  # −100, +100 and their mixture, whose medians are 0.6, 0.6 and 0.7
    monkeypatch.setattr(summary, "MOST_SHOWN", 1)
    monkeypatch.setattr(summary, "FEWEST_SHOWN", 1)
    some = summary_table(synthetic.campaign, synthetic.results)
    assert list(some.columns[0].cells) == ["mixed (2 conditions)", "+100"]
    path = Results(synthetic.results).path("reports", synthetic.campaign.report_id) / "tables/ood_matrix.csv"
    text = f"Shown are the 1 best and the 1 worst by off-domain median; {path} has the scores of all."
    assert text in str(some.caption)


def test_of_rows_on_several_structure_sets_some_of_each_are_shown(
    synthetic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_SHOWN", 4)
    monkeypatch.setattr(summary, "FEWEST_SHOWN", 1)
    rows = pd.DataFrame({"structure_set": ["easy"] * 3 + ["hard"] * 8, "score": [0.9, 0.8, 0.7, *np.arange(8) / 20]})
    some, left_out = _shown(synthetic, rows)
    assert list(some.score) == [0.9, 0.8, 0.7, 0.35, 0.3, 0.05, 0.0]  # no row twice
    assert "the 2 best and the 2 worst on each structure set by mean" in left_out
    # a row without a score is neither among the best nor among the worst
    rows.loc[[0, 3, 4], "score"] = np.nan
    assert list(_shown(synthetic, rows)[0].score) == [0.8, 0.7, 0.35, 0.3, 0.15, 0.1]
    # without any score, or where that shows all rows, nothing is left out
    for whole in (rows.assign(score=np.nan), rows.assign(structure_set=[*"aabbccddeef"], score=np.arange(11))):
        some, left_out = _shown(synthetic, whole)
        pd.testing.assert_frame_equal(some, whole)
        assert not left_out


def _shown(made: Any, rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    return summary._best_and_worst(made.campaign, made.results, rows, "score", "mean", "ood_matrix")


def test_conditions_that_vary_in_many_parameters_have_short_names(make: Make, config: dict[str, Any]) -> None:
    values = np.arange(6)
    keys = {"defocus_A": 20.0 * values, "dose_e_per_A2": 100.0 + values, "focal_spread_A": 10.0 + values}
    keys |= {"C12": 5.0 * values, "C30": 1e4 * values}
    rows = [{name: float(each[place]) for name, each in keys.items()} for place in values]
    config["conditions"] = {"varied": rows}
    config["training_sets"] = {"single": config["training_sets"]["single"] | {"conditions": "varied"}}
    config["networks"]["unet"] |= {"training_sets": "single", "seed": 0}
    config["test_suites"] = {"test": {"structure_set": "test", "conditions": "varied"}}
    made = make(config)
    gathered(made)
    table = summary_table(made.campaign, made.results)
    names = [str(each) for each in table.columns[0].cells]
    assert names[1] == "Δf +20 Å, 101 e/Å², …"
    assert len(set(names)) == 6
    assert set(map(str, table.columns[5].cells)) <= set(names)


def test_no_word_of_divergence_where_there_is_none(synthetic: Any) -> None:
    metrics = gathered(synthetic)
    assert diverged(metrics).empty
    assert "diverged" not in str(summary_table(synthetic.campaign, synthetic.results).caption)


def test_signs_of_trouble_by_hand(make: Make, config: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    values: dict[Any, float] = {}

    def rule(network: Any, dataset: Any, image: int) -> float:
        return values.setdefault((network.id, dataset.id, image), float(rng.uniform()))

    made = make(config, rule=rule)
    metrics = gathered(made)
    reduced = aggregate_by_training_set(made.campaign, metrics)
    found = uncertainty_correlation(reduced, made.campaign.config.analysis).set_index("score")
    entropy = found.loc["predictive entropy"]
    # the long way: medians over seeds of means over images
    frame = metrics[["mean_f1", "mean_entropy", "in_domain"]].to_dataframe().reset_index()
    frame["training"] = frame.network.map(dict(zip(metrics.network.values, metrics.training_id.values, strict=True)))
    by_cell = frame.groupby(["training", "condition"])[["mean_f1", "mean_entropy", "in_domain"]].median()
    assert entropy.n == len(by_cell) == 9
    assert entropy.rho == pytest.approx(stats.spearmanr(by_cell.mean_f1, by_cell.mean_entropy).statistic)
    assert entropy.rho_low <= entropy.rho <= entropy.rho_high
    seen = by_cell.in_domain.astype(bool)
    assert entropy.in_domain == pytest.approx(by_cell.mean_entropy[seen].median())
    assert entropy.off_domain == pytest.approx(by_cell.mean_entropy[~seen].median())
    # what the synthetic calibration error is: it falls as F1 rises
    assert found.loc["expected calibration error"].rho == pytest.approx(-1)


def test_cells_are_medians_and_quartiles_over_networks(make: Make, config: dict[str, Any]) -> None:
    config["networks"]["unet"]["seed"] = [0, 1, 2, 3]
    offset = {0: 0.0, 1: 0.1, 2: 0.2, 3: 0.9}  # the median is not the mean

    def rule(network: Any, dataset: Any, _image: int) -> float:
        known = dataset.condition.defocus_A == 100
        return 0.9 if known else 0.9 - offset[network.hyperparameters.seed]

    made = make(config, rule=rule)
    reduced = aggregate_by_training_set(made.campaign, gathered(made))
    (mixed,) = made.campaign.training_sets["mixed"]
    single = next(
        id_
        for id_ in reduced.training_set.values
        if id_ != mixed.id and bool(reduced.in_domain.sel(training_set=id_)[reduced.defocus_A.values == 100].all())
    )
    row = reduced.sel(training_set=single).isel(condition=int(np.flatnonzero(reduced.defocus_A.values == 0)[0]))
    gaps = -pd.Series(offset.values())
    assert float(row.f1) == pytest.approx(0.75)
    assert float(row.gap) == pytest.approx(gaps.median())
    assert float(row.gap_q25) == pytest.approx(gaps.quantile(0.25), abs=1e-6)
    assert float(row.gap_q75) == pytest.approx(gaps.quantile(0.75), abs=1e-6)

"""The forecaster on cells of a known law, and on those of finished campaigns beside the monotone forecast and single predictors.

    python benchmarks/forecast.py [CONFIG… [--results FOLDER]]

On 2,025 cells whose noise varies tenfold: coverage of its 90 % intervals, also among the quiet and the noisy half, and their
widths over those of an oracle that knows the noise, and over those of conformal intervals of one width. Its bound is the error
of the law itself.

Of each campaign that is named, merged on top of config/config.yaml and finished in the results folder, two tables follow.
Hypotheses, fixed before any of these campaigns was looked at:

1. over cells under an imaging shift, both models rank gaps and regrets better (by a larger Spearman ρ) than |Δ ln CNR|, |Δ ln
   dose| and the texture gap alone: the intervals of the differences exclude 0;
2. their 90 % intervals cover 87 to 93 %, and are narrower than those of the monotone forecast;
3. the descriptors besides ln CNR (model `transfer`) add little to it (model `contrast`): r.m.s. errors differ by less than 0.01.

The forest is a peer that is fitted and scored on the same folds: 300 extremely randomised trees (Geurts, Ernst & Wehenkel,
Machine Learning 63 (2006) 3) of all descriptors. It shows what a model without a shape would add; it is not kept.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from report import Budget, report

from hrtem_ood.analysis.campaign_forecast import read_predictors
from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.ranking.forecast_comparison import (
    CampaignCells,
    campaign_cells,
    coverage_by_bin,
    forecast_campaign,
    forecast_gains,
    forecast_table,
)
from hrtem_ood.analysis.ranking.outcomes import BETTER, training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, merge, read_yaml
from hrtem_ood.errors import ArgumentError, HrtemOodError
from hrtem_ood.transfer.forecast.cells import Cells, crossed_blocks
from hrtem_ood.transfer.forecast.conformal import conformal_quantile
from hrtem_ood.transfer.forecast.cross_validation import (
    LEVEL,
    Forecasts,
    clipped,
    cross_validate,
    fewest_cells,
    interval_model,
    metric_bounds,
)
from hrtem_ood.transfer.forecast.descriptors import NAMES, PLACE
from hrtem_ood.transfer.forecast.ridge import CONTRAST, MODELS

CONFIG = Path(__file__).parents[1] / "config"
CONDITIONS = 45
SINGLE = (
    "log_cnr_difference",
    "delta_log_dose",
    "texture_gap",
    "texture_accuracy_union",
    "abs_delta_defocus_A",
    "sigma",
)
"""Predictors that stand beside the forecasts."""

TREES, LEAF = 300, 2
"""Size of the peer, and the least number of cells in a leaf."""


def cells_of_a_law() -> tuple[Cells, np.ndarray, np.ndarray]:
    """Draw cells whose score and noise follow laws; return them, the law's scores, and the noise (cell,)."""
    rng = np.random.default_rng(0)
    log_cnr = rng.uniform(-1, 2.5, CONDITIONS)
    trained, tested = (each.ravel() for each in np.indices((CONDITIONS, CONDITIONS)))
    train, test = log_cnr[trained], log_cnr[tested]
    law = 0.7 + 0.06 * train + 0.04 * test - 0.03 * test**2 - 0.1 * abs(test - train) - 0.02 * train * test
    noise = 0.01 * np.exp(0.65 * (test + 1))
    descriptors = np.zeros((len(law), len(NAMES)))
    for name, values in (("train_log_cnr", train), ("test_log_cnr", test), ("log_cnr_distance", abs(test - train))):
        descriptors[:, PLACE[name]] = values
    score = law + noise * rng.standard_normal(len(law))
    return Cells(score, descriptors, np.eye(CONDITIONS, dtype=bool)[trained], tested), law, noise


def synthetic() -> dict[str, float]:
    """Measure the forecaster on cells of a known law."""
    from scipy.stats import norm

    cells, law, noise = cells_of_a_law()
    cross_validate(cells, CONTRAST)  # imports scikit-learn
    begin = process_time()
    forecasts = cross_validate(cells, CONTRAST).at(LEVEL)
    seconds = process_time() - begin
    finite = np.isfinite(forecasts.low)
    score, predicted, low, high = (
        each[finite] for each in (cells.score, forecasts.predicted, forecasts.low, forecasts.high)
    )
    law, noise = law[finite], noise[finite]
    held, width, quiet = (score >= low) & (score <= high), high - low, noise < np.median(noise)
    same = 2 * conformal_quantile(np.abs(score - predicted), LEVEL)
    return {
        "share of cells within the domain of the others": float(finite.mean()),
        "coverage of 90 % intervals": float(held.mean()),
        "coverage, quiet half": float(held[quiet].mean()),
        "coverage, noisy half": float(held[~quiet].mean()),
        "median width / oracle": float(np.median(width / (2 * norm.ppf((1 + LEVEL) / 2) * noise))),
        "median width / one width for all": float(np.median(width) / same),
        "r.m.s. error of the law": float(np.sqrt(np.mean((predicted - law) ** 2))),
        "r.m.s. noise": float(np.sqrt(np.mean(noise**2))),
        "cross-validation of 2,025 cells, CPU [s]": seconds,
    }


def forest(chosen: CampaignCells, metric: str) -> Forecasts:
    """Forecast as the forecaster does, with the same folds and intervals, by trees."""
    from sklearn.ensemble import ExtraTreesRegressor

    cells = chosen.cells
    blocks = list(crossed_blocks(cells))
    predicted, reach = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    for block in blocks:
        if block.others.sum() >= fewest_cells(CONTRAST):
            trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=0)
            trees.fit(cells.descriptors[block.others], cells.score[block.others])
            predicted[block.inside] = trees.predict(cells.descriptors[block.inside])
    error = np.abs(cells.score - predicted)
    for block in blocks:
        use = block.others & np.isfinite(error)
        conditions = int(cells.touched[use].any(axis=0).sum())
        size, factor = interval_model(cells.descriptors[use], error[use], conditions)
        if size is not None and LEVEL in factor:
            reach[block.inside] = factor[LEVEL] * size(cells.descriptors[block.inside])
    forecasts = clipped(predicted, reach, metric_bounds(metric))
    return Forecasts(*(chosen.matrix(each) for each in (forecasts.predicted, forecasts.low, forecasts.high)))


def campaign_tables(campaign: Campaign, results: Path) -> None:
    """Print the tables of a finished campaign."""
    analysis, write = campaign.config.analysis, sys.stdout.write
    outcomes = training_set_outcomes(campaign, read_metrics(campaign, results))
    predictors, descriptors, _ = read_predictors(campaign, results)
    chosen = campaign_cells(campaign, outcomes, descriptors)
    conditions = int(chosen.cells.touched.any(axis=0).sum())
    write(f"\n{campaign.config.campaign}: {len(chosen.cells)} cells under {conditions} conditions\n")
    models: dict[str, Callable[[], Forecasts]] = {
        name: partial(forecast_campaign, chosen, features, analysis.metric) for name, features in MODELS.items()
    }
    forecasts = {}
    for name, make in (models | {"forest": lambda: forest(chosen, analysis.metric)}).items():
        try:
            each = make()
        except ArgumentError as error:
            write(f"{name}: {error}\n")
            continue
        if np.isfinite(each.predicted).any():
            forecasts[name] = each
        else:
            write(f"{name}: no cell has enough others that share no condition with it\n")
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        write(f"{forecast_table(predictors, outcomes, analysis, forecasts, SINGLE).round(3).to_string(index=False)}\n")
        gains = forecast_gains(predictors, outcomes, analysis, forecasts, SINGLE[:3])
        write(f"\nρ of each model less that of a predictor\n{gains.round(3).to_string(index=False)}\n")
        score, use = BETTER[analysis.metric] * outcomes.score.values, cell_subsets(outcomes)["imaging"]
        for name, each in forecasts.items():
            bins = coverage_by_bin(each, score, use)
            write(f"\n{name}, by bins of the forecast\n{bins.round(3).to_string(index=False)}\n")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="*", type=Path, help="configurations of finished campaigns")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    for path in arguments.config:
        raw = read_yaml(CONFIG / "config.yaml")
        try:
            campaign = load_campaign(raw if path.name == "config.yaml" else merge(raw, read_yaml(path)))
            campaign_tables(campaign, arguments.results)
        except HrtemOodError as error:
            sys.exit(f"{path}: {error}")
    report(
        "forecast",
        synthetic(),
        [
            Budget("coverage, quiet half", 0.95, "max"),
            Budget("coverage, noisy half", 0.87, "min"),
            Budget("median width / one width for all", 0.8, "max"),
            Budget("cross-validation of 2,025 cells, CPU [s]", 10, "max"),
        ],
        [
            "Cells of a known law whose noise varies tenfold; each is forecast from cells that share no condition with it.",
            "Oracle: intervals by the noise that each cell was drawn with. One width for all: plain conformal prediction.",
        ],
    )


if __name__ == "__main__":
    main()

"""Results of a campaign: input of tables, figures and report."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from hrtem_ood.analysis.campaign_forecast import CampaignForecast, read_predictors, try_to_fit
from hrtem_ood.analysis.learning_curves import Curves, read_learning_curves
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.analysis.measured import Measured, measured_scores
from hrtem_ood.analysis.ranking.forecast import Forecast
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets, forecast_table, forecasts, rank_predictors
from hrtem_ood.analysis.tables import all_tables, with_measured
from hrtem_ood.analysis.training_set_comparison import TrainingSetScores, compare_tables, score_training_sets
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import Analysis

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Nominal coverages at which the forecast is checked, besides that of the configuration."""


@dataclass(frozen=True)
class CampaignScores:
    """Scores of a campaign, and their forecast.

    Attributes
    ----------
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.
    predictors : xarray.Dataset
        From :mod:`hrtem_ood.stages.predictors`, of all predictors.
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.
    forecast : Forecast
        Of cells under an imaging shift: by the forecaster, or where none can be fitted, by one predictor.
    fitted : CampaignForecast or None
        The forecaster.
    no_forecaster : str
        Why there is none; else empty.
    measured : Measured or None
        Scores on labelled micrographs; None where the campaign has none.
    """

    metrics: xr.Dataset
    cells: xr.Dataset
    predictors: xr.Dataset
    outcomes: xr.Dataset
    forecast: Forecast
    fitted: CampaignForecast | None
    no_forecaster: str
    measured: Measured | None


@dataclass(frozen=True)
class CampaignResults(CampaignScores):
    """Results of a campaign: its scores, and what tables and figures are made from.

    Attributes
    ----------
    compared : list of TrainingSetScores
        Empty if the configuration names none.
    curves : Curves
        Of some networks.
    tables : dict of str to pandas.DataFrame
        By the names in :func:`hrtem_ood.campaign.report_files.table_names`.
    """

    compared: list[TrainingSetScores]
    curves: Curves
    tables: dict[str, pd.DataFrame]


def read_scores(campaign: Campaign, results: Path) -> CampaignScores:
    """Reduce the scores of a campaign to cells, and forecast them.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics and predictors are read.

    Returns
    -------
    CampaignScores
    """
    metrics, analysis = read_metrics(campaign, results), campaign.config.analysis
    cells, outcomes = aggregate_by_training_set(campaign, metrics), training_set_outcomes(campaign, metrics)
    stored = read_predictors(campaign, results)
    fitted, no_forecaster = try_to_fit(campaign, outcomes, stored)
    if fitted is None:
        forecast_of_cells = forecasts(stored.predictors, outcomes, analysis)[1]
    else:
        use = cell_subsets(outcomes)["imaging"]
        forecast_of_cells = fitted.as_forecast(outcomes, use, analysis.forecast_level)
    measured = measured_scores(campaign, results, cells) if campaign.labelled_sets else None
    return CampaignScores(
        metrics, cells, stored.predictors, outcomes, forecast_of_cells, fitted, no_forecaster, measured
    )


def analyse_campaign(campaign: Campaign, results: Path) -> CampaignResults:
    """Reduce the scores of a campaign, and make its tables.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics, predictors and some networks are read.

    Returns
    -------
    CampaignResults
    """
    scores, analysis = read_scores(campaign, results), campaign.config.analysis
    metrics, cells, values, outcomes = scores.metrics, scores.cells, scores.predictors, scores.outcomes
    fitted, measured = scores.fitted, scores.measured
    if fitted is None:
        coverage = calibration(values, outcomes, analysis)
    else:
        coverage = fitted.calibration(cell_subsets(outcomes)["imaging"])
    compared, curves = score_training_sets(campaign, metrics), read_learning_curves(results, metrics, cells)
    tables = all_tables(metrics, cells, analysis) | {
        "predictor_ranking": rank_predictors(
            values, outcomes, analysis, {} if fitted is None else fitted.outcomes(outcomes)
        ),
        "forecast": forecast_table(outcomes, scores.forecast, analysis),
        "calibration": coverage,
        "learning_curves": curves.table(),
    }
    tables |= compare_tables(compared, analysis)
    if measured is not None:
        tables |= {"ood_matrix": with_measured(tables["ood_matrix"], measured.cells), "measured": measured.table}
    return CampaignResults(**vars(scores), compared=compared, curves=curves, tables=tables)


def calibration(predictors: xr.Dataset, outcomes: xr.Dataset, analysis: Analysis) -> pd.DataFrame:
    """Forecast at several nominal coverages, and count the cells within their intervals.

    Parameters
    ----------
    predictors, outcomes, analysis
        As in :func:`hrtem_ood.analysis.ranking.predictor_ranking.forecasts`.

    Returns
    -------
    pandas.DataFrame
        ``nominal`` and measured ``coverage`` [1], ``n`` (cells), and median and quartiles of the intervals' widths:
        ``width``, ``width_q25``, ``width_q75``. Small campaigns have no interval at high levels: NaN there.
    """
    rows = []
    for level in sorted({*LEVELS, analysis.forecast_level}):
        table, forecast = forecasts(predictors, outcomes, analysis.model_copy(update={"forecast_level": level}))
        width = table.high - table.low
        quartiles = [float(width.quantile(share)) for share in (0.5, 0.25, 0.75)]
        rows.append((level, forecast.coverage, forecast.n, *quartiles))
    return pd.DataFrame(rows, columns=["nominal", "coverage", "n", "width", "width_q25", "width_q75"])

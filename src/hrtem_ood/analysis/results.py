"""All that a campaign's scores come down to, in one place: what tables, figures and report draw on."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from hrtem_ood.analysis.correlation import predictor_table
from hrtem_ood.analysis.learning_curves import Curves, curves
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.analysis.ranking.forecast import Forecast
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import forecasts, rank_predictors
from hrtem_ood.analysis.tables import all_tables
from hrtem_ood.analysis.training_set_comparison import TrainingSetScores, compare_tables, score_training_sets
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.config.analysis import Analysis

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Nominal coverages at which the forecast is checked, besides the one that the configuration asks for."""


@dataclass(frozen=True)
class CampaignResults:
    """What the scores of a campaign come down to.

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
    compared : list of Compared
        Empty where the configuration names none.
    curves : Curves
        Of some networks.
    tables : dict of str to pandas.DataFrame
        By the names in :func:`hrtem_ood.campaign.report_files.table_names`.
    """

    metrics: xr.Dataset
    cells: xr.Dataset
    predictors: xr.Dataset
    outcomes: xr.Dataset
    forecast: Forecast
    compared: list[TrainingSetScores]
    curves: Curves
    tables: dict[str, pd.DataFrame]


def analyse_campaign(campaign: Campaign, results: Path) -> CampaignResults:
    """Reduce the scores of a campaign.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics, predictors and some networks are read.

    Returns
    -------
    CampaignResults
    """
    metrics, chosen = read_metrics(campaign, results), campaign.config.analysis
    reduced, found = aggregate_by_training_set(campaign, metrics), training_set_outcomes(campaign, metrics)
    with Results(results).open("predictors", campaign.predictors_id) as stored:
        values = stored.load()
    told, made = forecasts(values, found, chosen)
    side_by_side, learnt = score_training_sets(campaign, metrics), curves(results, metrics, reduced)
    tables = all_tables(metrics, reduced, predictor_table(reduced)) | {
        "league": rank_predictors(values, found, chosen),
        "forecast": told,
        "calibration": calibration(values, found, chosen),
        "learning_curves": learnt.table(),
    }
    tables |= compare_tables(side_by_side, chosen)
    return CampaignResults(metrics, reduced, values, found, made, side_by_side, learnt, tables)


def calibration(predictors: xr.Dataset, found: xr.Dataset, analysis: Analysis) -> pd.DataFrame:
    """Forecast at several nominal coverages, and count how many cells the intervals hold.

    Parameters
    ----------
    predictors, found, analysis
        As in :func:`hrtem_ood.analysis.ranking.predictor_ranking.forecasts`.

    Returns
    -------
    pandas.DataFrame
        ``nominal`` and measured ``coverage`` [1], ``n`` (cells), and median and quartiles of the intervals' widths:
        ``width``, ``width_q25``, ``width_q75``. Small campaigns have no interval at high levels: NaN there.
    """
    rows = []
    for level in sorted({*LEVELS, analysis.forecast_level}):
        table, made = forecasts(predictors, found, analysis.model_copy(update={"forecast_level": level}))
        width = table.high - table.low
        quartiles = [float(width.quantile(share)) for share in (0.5, 0.25, 0.75)]
        rows.append((level, made.coverage, made.n, *quartiles))
    return pd.DataFrame(rows, columns=["nominal", "coverage", "n", "width", "width_q25", "width_q75"])

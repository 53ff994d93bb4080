"""Answers to the claims of a campaign: differences with intervals, and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.analysis.key_numbers import rows_as_dicts
from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.forecast import Forecast, forecast
from hrtem_ood.analysis.ranking.outcomes import oriented_bounds
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets, orient, outcome_subset
from hrtem_ood.analysis.ranking.predictor_scores import score_predictors
from hrtem_ood.analysis.ranking.weighted_spearman import WeightedSpearman
from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.config.analysis import FORECAST, Analysis


@dataclass(frozen=True)
class Difference:
    """A difference that is claimed to lie above 0, with its interval.

    Attributes
    ----------
    against : str
    value, low, high : float
    """

    against: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``shown`` (the interval lies above 0), ``refuted`` (below), or ``open`` (it contains 0, or there is none)."""
        return "shown" if self.low > 0 else "refuted" if self.high < 0 else "open"


def all_predictors(
    results: CampaignResults, analysis: Analysis, outcome: str | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return every predictor by name, (training_set, condition), those that the ranking excludes included.

    With an outcome, the forecaster's forecast of it is among them.
    """
    values = orient(results.predictors, results.outcomes, analysis.model_copy(update={"exclude_predictors": None}))
    if outcome is not None and results.fitted is not None:
        values[FORECAST] = results.fitted.outcomes(results.outcomes)[outcome]
    return values


def claimed_predictors(analysis: Analysis) -> list[str]:
    """Return the predictors of all claims, those of comparison first, each once; without the forecaster."""
    compared = [name for claim in analysis.claims for name in claim.better_than]
    named = dict.fromkeys([*compared, *(claim.predictor for claim in analysis.claims)])
    return [name for name in named if name != FORECAST]


def rho_differences(
    results: CampaignResults,
    analysis: Analysis,
    outcome: str,
    predictor: str,
    others: Sequence[str],
    cells: str = "imaging",
) -> list[Difference]:
    """Compare the ρ of one predictor with those of others, over a subset of cells.

    Parameters
    ----------
    results : CampaignResults
    analysis : Analysis
    outcome : {"gap", "regret"}
    predictor : str
    others : sequence of str
    cells : str
        Name of the subset; see :func:`hrtem_ood.analysis.ranking.predictor_ranking.cell_subsets`.

    Returns
    -------
    list of Difference
        Of ρ, with paired two-way bootstrap intervals, as in the ranking; without enough cells or the predictor, empty.
    """
    values = all_predictors(results, analysis, outcome)
    if predictor not in values:
        return []
    subset = outcome_subset(results.outcomes, analysis, outcome, cells, cell_subsets(results.outcomes)[cells])
    differences = []
    for other in (each for each in others if each in values):
        table = score_predictors(subset, {name: values[name] for name in dict.fromkeys((predictor, other))}, other)
        if not table.empty and predictor != other:
            row = rows_as_dicts(table[table.predictor == predictor])[0]
            differences.append(Difference(other, row["rho_gain"], row["gain_low"], row["gain_high"]))
    return differences


def predictor_correlations(results: CampaignResults, analysis: Analysis) -> pd.DataFrame:
    """Correlate the predictors of the claims over the cells of imaging shift of single-condition training.

    Returns
    -------
    pandas.DataFrame
        Spearman's ρ of each two, by name; empty without claims.
    """
    values, names = all_predictors(results, analysis), claimed_predictors(analysis)
    use = cell_subsets(results.outcomes)["imaging, single-condition training"]
    if not names:
        return pd.DataFrame()
    table = np.array([values[name][use] for name in names])
    table = table[:, np.isfinite(table).all(axis=0)]
    once = np.ones((1, table.shape[1]))
    rho = [WeightedSpearman(table, one)(once)[:, 0] for one in table]
    return pd.DataFrame(rho, index=names, columns=names)


@dataclass(frozen=True)
class ForecastCoverage:
    """Coverage of the forecast's intervals.

    Attributes
    ----------
    nominal, coverage, low, high : float
        Nominal coverage; measured coverage, with its interval.
    width : float
        Median width of the intervals.
    spread : float
        From the 5th to the 95th percentile of the scores that were forecast.
    rmse, plain_rmse : float
        Of the forecast, and of one by the in-domain score without a predictor.
    deviation : float
        Standard deviation of the scores: the error of their mean, which is known afterwards only.
    n : int
    """

    nominal: float
    coverage: float
    low: float
    high: float
    width: float
    spread: float
    rmse: float
    plain_rmse: float
    deviation: float
    n: int

    @property
    def verdict(self) -> str:
        """``met`` where the interval of the coverage contains the nominal one, else ``too narrow`` or ``too wide``."""
        return "too narrow" if self.high < self.nominal else "too wide" if self.low > self.nominal else "met"


def forecast_coverage(results: CampaignResults, analysis: Analysis) -> ForecastCoverage | None:
    """Count the scores within the forecast's intervals, with a two-way bootstrap interval; None without a forecast."""
    result, complete = results.forecast, np.isfinite(results.forecast.low)
    row, column = np.nonzero(complete)
    if not row.size:
        return None
    scores = results.outcomes.score.values
    inside = (result.low[complete] <= scores[complete]) & (scores[complete] <= result.high[complete])
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, results.outcomes.place.values[column]))
    shares: list[NDArray[np.float64]] = []
    for weight in two_way_bootstrap_weights(rows, columns, analysis.bootstrap_resamples, "coverage of the forecast"):
        total = weight.sum(axis=1)
        shares.append((weight @ inside)[total > 0] / total[total > 0])
    low, high = percentile_interval(np.concatenate(shares), analysis.confidence_level)
    ends = np.quantile(scores[complete], [0.05, 0.95])
    return ForecastCoverage(
        nominal=analysis.forecast_level,
        coverage=float(inside.mean()),
        low=low,
        high=high,
        width=float(np.median((result.high - result.low)[complete])),
        spread=float(ends[1] - ends[0]),
        rmse=result.rmse,
        plain_rmse=_forecast_without_predictor(results, analysis).rmse,
        deviation=float(np.std(scores[complete])),
        n=result.n,
    )


def _forecast_without_predictor(results: CampaignResults, analysis: Analysis) -> Forecast:
    """Forecast the same cells with a constant predictor."""
    has_forecast = np.isfinite(results.forecast.predicted)
    return forecast(
        results.outcomes.score.values,
        results.outcomes.in_domain_score.values,
        np.where(has_forecast, 0.0, np.nan),
        has_forecast,
        results.outcomes.place.values,
        folds=analysis.folds,
        level=analysis.forecast_level,
        stream="folds of the forecast",
        bounds=oriented_bounds(analysis.metric),
    )


def comparisons(results: CampaignResults, statistic: str) -> list[Difference]:
    """Return by how much the first of the compared training sets is better than each other.

    Parameters
    ----------
    results : CampaignResults
    statistic : {"mean", "worst"}
        Of the score over the test conditions.

    Returns
    -------
    list of Difference
        With signs such that above 0 is better for the first.
    """
    table = results.tables["compare"]
    sign = results.compared[0].sign if results.compared else 1
    differences = []
    for row in rows_as_dicts(table.iloc[1:]):
        ends = sorted(-sign * row[f"{statistic}_{end}"] for end in ("low", "high"))
        differences.append(
            Difference(row["training_set"], 0.0 - sign * row[f"{statistic}_difference"], ends[0], ends[1])
        )
    return differences

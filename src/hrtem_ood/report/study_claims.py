"""What is claimed before the run, measured: differences with intervals, and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.analysis.key_numbers import rows_as_dicts
from hrtem_ood.analysis.ranking.bootstrap import two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.forecast import Forecast, forecast
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets, orient
from hrtem_ood.analysis.ranking.predictor_scores import CellSubset, score_predictors
from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.config.analysis import Analysis

NAIVE = ("abs_delta_defocus_A", "sigma", "delta_log_dose")
"""What the claim is to beat: change of defocus, overlap of transfer, change of dose."""

REGRET = "texture_regret"
"""The predictor that the claim is about where the outcome is the regret; for the gap, it is that of the forecast."""


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
        """``shown`` (the interval lies above 0), ``refuted`` (below), or ``open`` (it holds 0, or there is none)."""
        return "shown" if self.low > 0 else "refuted" if self.high < 0 else "open"


def primary_predictor(outcome: str, analysis: Analysis) -> str:
    """Return the predictor that the claim on an outcome is about."""
    return analysis.forecast_predictor if outcome == "gap" else REGRET


def rho_differences(
    found: CampaignResults, analysis: Analysis, outcome: str, own: str, others: Sequence[str]
) -> list[Difference]:
    """Compare the ρ of one predictor with those of others, over all cells of imaging shift.

    Parameters
    ----------
    found : CampaignResults
    analysis : Analysis
    outcome : {"gap", "regret"}
    own : str
    others : sequence of str

    Returns
    -------
    list of Difference
        Of ρ, with paired two-way bootstrap intervals, as in the league; without enough cells, empty.
    """
    values = orient(found.predictors, found.outcomes, analysis.model_copy(update={"exclude_predictors": None}))
    contest = CellSubset(
        found.outcomes[outcome].values,
        cell_subsets(found.outcomes)["imaging"],
        found.outcomes.place.values,
        analysis.bootstrap_resamples,
        analysis.confidence_level,
        f"league of {outcome} over imaging",
    )
    differences = []
    for other in others:
        table = score_predictors(contest, {name: values[name] for name in dict.fromkeys((own, other))}, other)
        if not table.empty and own != other:
            row = rows_as_dicts(table[table.predictor == own])[0]
            differences.append(Difference(other, row["rho_gain"], row["gain_low"], row["gain_high"]))
    return differences


def predictor_correlations(found: CampaignResults, analysis: Analysis) -> pd.DataFrame:
    """Tell how naive predictors go together over the cells of imaging shift of single-condition training.

    Returns
    -------
    pandas.DataFrame
        Spearman's ρ of each two, by name.
    """
    values = orient(found.predictors, found.outcomes, analysis.model_copy(update={"exclude_predictors": None}))
    use = cell_subsets(found.outcomes)["imaging, single-condition training"]
    names = list(dict.fromkeys((*NAIVE, analysis.forecast_predictor, REGRET)))
    return pd.DataFrame({name: values[name][use] for name in names}).corr(method="spearman")


@dataclass(frozen=True)
class ForecastCoverage:
    """What the forecast's intervals hold.

    Attributes
    ----------
    nominal, coverage, low, high : float
        Asked for; reached, with its interval.
    width : float
        Median width of the intervals.
    spread : float
        From the 5th to the 95th percentile of the scores that were forecast.
    rmse, plain_rmse : float
        Of the forecast, and of one that knows the score in-domain and no predictor.
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
    n: int

    @property
    def verdict(self) -> str:
        """``met`` where the interval of the coverage holds the nominal one, else ``too narrow`` or ``too wide``."""
        return "too narrow" if self.high < self.nominal else "too wide" if self.low > self.nominal else "met"


def forecast_coverage(found: CampaignResults, analysis: Analysis) -> ForecastCoverage | None:
    """Count what the forecast's intervals hold, with a two-way bootstrap interval; None where there is no forecast."""
    made, told = found.forecast, np.isfinite(found.forecast.low)
    row, column = np.nonzero(told)
    if not row.size:
        return None
    scores = found.outcomes.score.values
    inside = (made.low[told] <= scores[told]) & (scores[told] <= made.high[told])
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, found.outcomes.place.values[column]))
    shares: list[NDArray[np.float64]] = []
    for weight in two_way_bootstrap_weights(rows, columns, analysis.bootstrap_resamples, "coverage of the forecast"):
        total = weight.sum(axis=1)
        shares.append((weight @ inside)[total > 0] / total[total > 0])
    low, high = np.quantile(
        np.concatenate(shares), [(1 - analysis.confidence_level) / 2, (1 + analysis.confidence_level) / 2]
    )
    plain = _plain(found, analysis)
    ends = np.quantile(scores[told], [0.05, 0.95])
    return ForecastCoverage(
        analysis.forecast_level,
        float(inside.mean()),
        float(low),
        float(high),
        float(np.median((made.high - made.low)[told])),
        float(ends[1] - ends[0]),
        made.rmse,
        plain.rmse,
        made.n,
    )


def _plain(found: CampaignResults, analysis: Analysis) -> Forecast:
    """Forecast the same cells with a predictor that tells nothing."""
    return forecast(
        found.outcomes.score.values,
        found.outcomes.in_domain.values,
        np.where(np.isfinite(found.forecast.predicted), 0.0, np.nan),
        np.isfinite(found.forecast.predicted),
        found.outcomes.place.values,
        folds=analysis.folds,
        level=analysis.forecast_level,
        stream="folds of the forecast",
    )


def comparisons(found: CampaignResults, what: str) -> list[Difference]:
    """Return by how much the first training set that is compared is better than each other.

    Parameters
    ----------
    found : CampaignResults
    what : {"mean", "worst"}
        Score over the test conditions.

    Returns
    -------
    list of Difference
        Turned such that above 0 is better for the first.
    """
    table = found.tables["compare"]
    sign = found.compared[0].sign if found.compared else 1
    differences = []
    for row in rows_as_dicts(table.iloc[1:]):
        ends = sorted(-sign * row[f"{what}_{end}"] for end in ("low", "high"))
        differences.append(Difference(row["training_set"], 0.0 - sign * row[f"{what}_difference"], ends[0], ends[1]))
    return differences

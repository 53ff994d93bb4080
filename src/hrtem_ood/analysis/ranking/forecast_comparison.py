"""Forecasts of a campaign side by side: the forecaster's models, the monotone forecast, and single predictors."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.ranking.predictor_ranking import OUTCOMES, cell_subsets, forecasts, orient
from hrtem_ood.analysis.ranking.predictor_scores import CellSubset, score_predictors
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS, IN_DOMAIN
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.forecast.cells import FOLDS, Cells
from hrtem_ood.transfer.forecast.cross_validation import LEVEL, Forecasts, cross_validate, metric_bounds
from hrtem_ood.transfer.forecast.forecaster import check_enough
from hrtem_ood.transfer.forecast.performance import BINS, ForecastBin, forecast_bins
from hrtem_ood.transfer.forecast.ridge import Features

Floats = NDArray[np.float64]

COLUMNS = ["model", "rho_score", "rho_gap", "rho_regret", "r2", "rmse", "width", "coverage", "n"]
"""Columns of the table of :func:`forecast_table`."""

MONOTONE = "monotone"
"""Name of the forecast by a monotone function of one predictor."""


@dataclass(frozen=True)
class CampaignCells:
    """Cells of a campaign that a forecaster is fitted to: in-domain ones, and those under an imaging shift.

    Attributes
    ----------
    cells : Cells
        Scores have the metric's own sign.
    row, column : int array, (cell,)
        Training set and test dataset of each, as in the outcomes.
    shape : (int, int)
        Numbers of both.
    """

    cells: Cells
    row: NDArray[np.integer]
    column: NDArray[np.integer]
    shape: tuple[int, int]

    def matrix(self, values: Floats) -> Floats:
        """Arrange values (cell,) as (training_set, condition), NaN elsewhere."""
        filled = np.full(self.shape, np.nan)
        filled[self.row, self.column] = values
        return filled


def number_conditions(
    campaign: Campaign, outcomes: xr.Dataset
) -> tuple[dict[Condition, int], list[list[Condition]], list[Condition]]:
    """Give numbers to the conditions of training and test, in the order of training sets, then of tests.

    Returns
    -------
    number : dict of Condition to int
        From 0.
    members : list of list of Condition, (training_set,)
    tests : list of Condition, (condition,)
    """
    members = [
        [campaign.datasets[id_].condition for id_ in campaign.training_set_by_id[str(name)].datasets]
        for name in outcomes.training_set.values
    ]
    tests = [campaign.datasets[str(id_)].condition for id_ in outcomes.condition.values]
    number: dict[Condition, int] = {}
    for condition in (*(each for some in members for each in some), *tests):
        number.setdefault(condition, len(number))
    return number, members, tests


def campaign_cells(campaign: Campaign, outcomes: xr.Dataset, descriptors: Floats) -> CampaignCells:
    """Collect the cells of a campaign.

    Parameters
    ----------
    campaign : Campaign
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.
    descriptors : float64 array, (training_set, condition, descriptor)
        From :func:`hrtem_ood.transfer.forecast.descriptors.describe_all`, in the same order.

    Returns
    -------
    CampaignCells
        Those with a score and all descriptors. Conditions are numbered in the order of training sets, then of tests.
    """
    number, members, tests = number_conditions(campaign, outcomes)
    trained = np.zeros((len(members), len(number)), np.bool_)
    for place, some in enumerate(members):
        trained[place, [number[each] for each in some]] = True
    use = np.isin(outcomes["shift"].values, [IN_DOMAIN, *IMAGING_SHIFTS])
    use &= np.isfinite(outcomes.score.values) & np.isfinite(descriptors).all(axis=2)
    row, column = np.nonzero(use)
    score = BETTER[campaign.config.analysis.metric] * outcomes.score.values[use]
    tested = np.array([number[each] for each in tests])[column]
    return CampaignCells(Cells(score, descriptors[use], trained[row], tested), row, column, (len(members), len(tests)))


def forecast_campaign(chosen: CampaignCells, features: Features, metric: str, folds: int = FOLDS) -> Forecasts:
    """Forecast every cell of a campaign from cells that share no condition with it.

    Parameters
    ----------
    chosen : CampaignCells
    features : Features
        The model.
    metric : str
        The score.
    folds : int
        Of conditions.

    Returns
    -------
    Forecasts
        Of arrays (training_set, condition), with intervals of :data:`hrtem_ood.transfer.forecast.cross_validation.LEVEL`.

    Raises
    ------
    ArgumentError
        When there are too few cells.
    """
    check_enough(chosen.cells, features)
    forecasts_of_cells = cross_validate(chosen.cells, features, folds=folds).at(LEVEL, metric_bounds(metric))
    return Forecasts(
        *(
            chosen.matrix(each)
            for each in (forecasts_of_cells.predicted, forecasts_of_cells.low, forecasts_of_cells.high)
        )
    )


def outcome_forecasts(predicted: Floats, outcomes: xr.Dataset, sign: int) -> dict[str, Floats]:
    """Return what forecast scores say of gaps and regrets, with signs such that larger is better.

    Parameters
    ----------
    predicted : float64 array, (training_set, condition)
        Scores, each forecast out of fold, in-domain ones too.
    outcomes : xarray.Dataset
        Outcomes.
    sign : int
        −1 where less is better.

    Returns
    -------
    dict of str to float64 array, (training_set, condition)
        ``gap``: less the mean of the in-domain forecasts of the training set. ``regret``: less the best forecast of the
        training sets that have the test condition alone. Nothing measured enters.
    """
    inside, alone = outcomes["shift"].values == IN_DOMAIN, ~outcomes.mixed.values[:, None]
    score = sign * predicted
    some = inside & np.isfinite(score)
    count = some.sum(axis=1)
    own = np.divide(np.where(some, score, 0).sum(axis=1), count, out=np.full(len(count), np.nan), where=count > 0)
    best = np.where(some & alone, score, -np.inf).max(axis=0)
    return {"gap": score - own[:, None], "regret": score - np.where(np.isfinite(best), best, np.nan)[None, :]}


def forecast_table(
    predictors: xr.Dataset,
    outcomes: xr.Dataset,
    analysis: Analysis,
    models: Mapping[str, Forecasts],
    single: tuple[str, ...],
) -> pd.DataFrame:
    """Compare forecasts and single predictors, all on the same cells under an imaging shift.

    Parameters
    ----------
    predictors, outcomes, analysis
        As in :func:`hrtem_ood.analysis.ranking.predictor_ranking.orient`.
    models : mapping of str to Forecasts
        By the name of the model, from :func:`forecast_campaign`.
    single : tuple of str
        Names of predictors that stand beside them.

    Returns
    -------
    pandas.DataFrame
        :data:`COLUMNS`: Spearman's ρ with score, gap and regret; R², r.m.s. error; median width and coverage of the 90 %
        intervals; cells. The row :data:`MONOTONE` is the campaign's forecast by one predictor, which knows the measured
        score in-domain; the others know no score of the training set and of the test condition.
    """
    sign, level = BETTER[analysis.metric], analysis.model_copy(update={"forecast_level": LEVEL})
    values, (_, monotone) = orient(predictors, outcomes, analysis), forecasts(predictors, outcomes, level)
    ends = (sign * monotone.low, sign * monotone.high)[::sign]
    every = {MONOTONE: Forecasts(sign * monotone.predicted, *ends), **models}
    gaps = {name: outcome_forecasts(each.predicted, outcomes, sign) for name, each in models.items()}
    gaps[MONOTONE] = {"gap": monotone.predicted - outcomes.in_domain_score.values[:, None]}
    use = cell_subsets(outcomes)["imaging"] & np.isfinite(outcomes.score.values)
    for each in (*(one.predicted for one in every.values()), *(values[name] for name in single)):
        use = use & np.isfinite(each)
    rows = []
    for name, model in every.items():
        correlations = [_rho(outcomes.score.values, sign * model.predicted, use)]
        correlations += [_rho(outcomes[one].values, gaps[name].get(one), use) for one in OUTCOMES]
        rows.append((name, *correlations, *_errors(sign * outcomes.score.values, model, use), int(use.sum())))
    for name in single:
        correlations = [_rho(outcomes[one].values, values[name], use) for one in ("score", *OUTCOMES)]
        rows.append((name, *correlations, *[float("nan")] * 4, int(use.sum())))
    return pd.DataFrame(rows, columns=COLUMNS)


def forecast_gains(
    predictors: xr.Dataset,
    outcomes: xr.Dataset,
    analysis: Analysis,
    models: Mapping[str, Forecasts],
    single: tuple[str, ...],
) -> pd.DataFrame:
    """Compare ρ of single predictors with that of each model, with intervals of the differences.

    Parameters
    ----------
    predictors, outcomes, analysis, models, single
        As in :func:`forecast_table`.

    Returns
    -------
    pandas.DataFrame
        ``outcome``, ``model``, ``predictor``, ``gain`` = ρ of the model − ρ of the predictor, ``low``, ``high``, by the
        two-way bootstrap of training sets and test conditions.
    """
    sign, use = BETTER[analysis.metric], cell_subsets(outcomes)["imaging"]
    values, parts = orient(predictors, outcomes, analysis), []
    for model, each in models.items():
        own = outcome_forecasts(each.predicted, outcomes, sign)
        for outcome in OUTCOMES:
            subset = CellSubset(
                outcomes[outcome].values,
                use,
                outcomes.place.values,
                analysis.bootstrap_resamples,
                analysis.confidence_level,
                f"forecast of {outcome}",
            )
            table = score_predictors(subset, {model: own[outcome], **{name: values[name] for name in single}}, model)
            if table.empty:
                continue
            others = table[table.predictor != model]
            parts.append(
                pd.DataFrame(
                    {
                        "outcome": outcome,
                        "model": model,
                        "predictor": others.predictor,
                        "gain": -others.rho_gain,
                        "low": -others.gain_high,
                        "high": -others.gain_low,
                    }
                )
            )
    columns = ["outcome", "model", "predictor", "gain", "low", "high"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def coverage_by_bin(model: Forecasts, score: Floats, use: NDArray[np.bool_], bins: int = BINS) -> pd.DataFrame:
    """Count scores within their intervals, in bins of the forecast that hold equally many cells.

    Parameters
    ----------
    model : Forecasts
        Of arrays (training_set, condition).
    score : float64 array, (training_set, condition)
    use : bool array, (training_set, condition)
        Cells that count.
    bins : int

    Returns
    -------
    pandas.DataFrame
        The columns of :class:`hrtem_ood.transfer.forecast.performance.ForecastBin`.
    """
    part = Forecasts(*(each[use] for each in (model.predicted, model.low, model.high)))
    found = forecast_bins(part, score[use], bins)
    return pd.DataFrame([vars(each) for each in found], columns=[each.name for each in fields(ForecastBin)])


def _rho(outcome: Floats, predicted: Floats | None, use: NDArray[np.bool_]) -> float:
    from scipy.stats import spearmanr

    if predicted is None:
        return float("nan")
    some = use & np.isfinite(outcome) & np.isfinite(predicted)
    one, other = outcome[some], predicted[some]
    if one.size < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def _errors(score: Floats, model: Forecasts, use: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Return R², r.m.s. error, median width and coverage of forecasts; NaN without cells."""
    if not use.any():
        return (float("nan"),) * 4
    error = (score - model.predicted)[use]
    whole = np.sum((score[use] - score[use].mean()) ** 2)
    r2 = float(1 - np.sum(error**2) / whole) if whole > 0 else float("nan")
    width = (model.high - model.low)[use]
    width = width[np.isfinite(width)]
    middle = float(np.median(width)) if width.size else float("nan")
    coverage = Forecasts(*(each[use] for each in (model.predicted, model.low, model.high))).coverage(score[use])
    return r2, float(np.sqrt(np.mean(error**2))), middle, coverage

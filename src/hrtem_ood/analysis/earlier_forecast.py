"""A forecaster of an earlier campaign on the cells of another one, without any fit to these."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.campaign_forecast import read_predictors
from hrtem_ood.analysis.correlation import Correlation, spearman
from hrtem_ood.analysis.ranking.forecast_comparison import campaign_cells, outcome_forecasts
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.ranking.predictor_ranking import OUTCOMES, cell_subsets
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.transfer.forecast.choose_file import shipped_forecaster
from hrtem_ood.transfer.forecast.cross_validation import LEVEL


class EarlierForecast(NamedTuple):
    """Scores of an earlier forecaster.

    Attributes
    ----------
    name, campaign : str
        Of its file, and of the campaign that it was fitted to.
    rho : dict of str to Correlation
        With ``score``, ``gap`` and ``regret`` over imaging shifts.
    bias, rmse : float
        Mean of measured less forecast score, and r.m.s. error, in-domain bias included.
    coverage : float, [1]
        Share of scores within the intervals of the level.
    level : float, [1]
    outside : float, [1]
        Share of cells with a descriptor outside the forecaster's domain, which counts as at its edge.
    n : int
    """

    name: str
    campaign: str
    rho: dict[str, Correlation]
    bias: float
    rmse: float
    coverage: float
    level: float
    outside: float
    n: int


def earlier_forecast(campaign: Campaign, folder: Path, outcomes: xr.Dataset) -> EarlierForecast | None:
    """Score the forecaster that comes with the package on a campaign's cells under an imaging shift.

    Parameters
    ----------
    campaign : Campaign
    folder : Path
        The results folder, whose store of predictors is read.
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.

    Returns
    -------
    EarlierForecast or None
        None where none is for this pixel and score, or where it was fitted to this campaign.
    """
    analysis, imaging = campaign.config.analysis, campaign.config.imaging
    found = shipped_forecaster(pixel_size_A=imaging.pixel_size_A, metric=analysis.metric)
    if found is None or found[1].origin.get("metrics") == campaign.metrics_id:
        return None
    path, forecaster = found
    chosen = campaign_cells(campaign, outcomes, read_predictors(campaign, folder).descriptors)
    forecast = forecaster.at_edge(chosen.cells.descriptors)
    predicted, low, high = (chosen.matrix(each) for each in (forecast.predicted, forecast.low, forecast.high))
    beyond = chosen.matrix(forecaster.domain.outside(chosen.cells.descriptors).any(axis=1).astype(float))
    sign = BETTER[analysis.metric]
    score = sign * outcomes.score.values
    use = cell_subsets(outcomes)["imaging"] & np.isfinite(predicted) & np.isfinite(score)
    if not use.any():
        return None
    values = {"score": sign * predicted} | outcome_forecasts(predicted, outcomes, sign)
    rho = {
        name: spearman(outcomes[name].values, values[name], _finite(use, outcomes[name].values, values[name]),
                       outcomes.place.values, analysis, f"earlier forecast of {name}")
        for name in ("score", *OUTCOMES)
    }  # fmt: skip
    error = (score - predicted)[use]
    inside = (score >= low)[use] & (score <= high)[use]
    return EarlierForecast(
        path.stem, str(forecaster.origin.get("campaign", "")), rho, float(error.mean()),
        float(np.sqrt(np.mean(error**2))), float(inside.mean()), LEVEL, float(beyond[use].mean()), int(use.sum()),
    )  # fmt: skip


def _finite(use: NDArray[np.bool_], *values: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([use, *(np.isfinite(each) for each in values)]))

"""The forecaster of a campaign, and its forecasts of cells that share no condition with those that they are made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.ranking.forecast import Forecast
from hrtem_ood.analysis.ranking.forecast_comparison import (
    CampaignCells,
    campaign_cells,
    outcome_forecasts,
)
from hrtem_ood.analysis.ranking.outcomes import BETTER, training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArgumentError
from hrtem_ood.transfer.forecast.cross_validation import (
    LEVEL,
    LEVELS,
    Forecasts,
    OutOfFold,
    cross_validate,
    metric_bounds,
)
from hrtem_ood.transfer.forecast.forecaster import Forecaster, check_enough
from hrtem_ood.transfer.forecast.reference_objects import ReferenceObjects
from hrtem_ood.transfer.forecast.ridge import MODELS
from hrtem_ood.transfer.forecast.wording import outside_texts
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.parameters import Transfer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CampaignForecast:
    """A forecaster that was fitted to the cells of a campaign, and forecasts of these cells out of fold.

    Attributes
    ----------
    forecaster : Forecaster
    chosen : CampaignCells
    out_of_fold : OutOfFold
        Of these cells.
    metric : str
        Name of the score.
    """

    forecaster: Forecaster
    chosen: CampaignCells
    out_of_fold: OutOfFold
    metric: str

    def forecasts(self, level: float = LEVEL) -> Forecasts:
        """Return the forecasts of cells, arrays (training_set, condition), with intervals of a level."""
        each = self.out_of_fold.at(level, metric_bounds(self.metric))
        return Forecasts(*(self.chosen.matrix(values) for values in (each.predicted, each.low, each.high)))

    def outcomes(self, outcomes: xr.Dataset) -> dict[str, Floats]:
        """Return what the forecasts say of gaps and regrets; see :func:`outcome_forecasts`."""
        return outcome_forecasts(self.forecasts().predicted, outcomes, BETTER[self.metric])

    def as_forecast(self, outcomes: xr.Dataset, use: NDArray[np.bool_], level: float) -> Forecast:
        """Return the forecasts of some cells, with signs such that larger is better.

        Parameters
        ----------
        outcomes : xarray.Dataset
            From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.
        use : bool array, (training_set, condition)
        level : float, [1]
            Of the intervals: one of :data:`hrtem_ood.transfer.forecast.cross_validation.LEVELS`; else
            :data:`hrtem_ood.transfer.forecast.cross_validation.LEVEL`.

        Returns
        -------
        Forecast
        """
        sign, each = BETTER[self.metric], self.forecasts(level if level in LEVELS else LEVEL)
        ends = (each.low, each.high)[::sign]
        predicted, low, high = (np.where(use, sign * values, np.nan) for values in (each.predicted, *ends))
        score, some = outcomes.score.values, np.isfinite(low) & np.isfinite(high)
        error, held = (score - predicted)[some], ((score >= low) & (score <= high))[some]
        empty = not held.size
        return Forecast(
            predicted,
            low,
            high,
            coverage=float("nan") if empty else float(held.mean()),
            rmse=float("nan") if empty else float(np.sqrt(np.mean(error**2))),
            n=held.size,
        )

    def calibration(self, use: NDArray[np.bool_]) -> pd.DataFrame:
        """Count the scores within intervals of several levels.

        Parameters
        ----------
        use : bool array, (training_set, condition)
            Cells that count.

        Returns
        -------
        pandas.DataFrame
            As :func:`hrtem_ood.analysis.results.calibration`.
        """
        score = self.chosen.matrix(self.chosen.cells.score)[use]
        rows = []
        for level in LEVELS:
            low, high = (each[use] for each in (self.forecasts(level).low, self.forecasts(level).high))
            some = np.isfinite(low) & np.isfinite(score)
            held, width = (score >= low)[some] & (score <= high)[some], (high - low)[some]
            quartiles = np.quantile(width, (0.5, 0.25, 0.75)) if width.size else np.full(3, np.nan)
            rows.append((level, held.mean() if width.size else np.nan, width.size, *quartiles))
        return pd.DataFrame(rows, columns=["nominal", "coverage", "n", "width", "width_q25", "width_q75"])


class StoredPredictors(NamedTuple):
    """What the store of predictors has.

    Attributes
    ----------
    predictors : xarray.Dataset
        From :mod:`hrtem_ood.stages.predictors`, without what follows.
    descriptors : float64 array, (training_set, condition, descriptor), [1]
    objects : ReferenceObjects or None
        None where the detector or the integration of transfer is not the default one: a forecaster does not keep them.
    """

    predictors: xr.Dataset
    descriptors: Floats
    objects: ReferenceObjects | None


def read_predictors(campaign: Campaign, results: Path) -> StoredPredictors:
    """Read the predictors of a campaign, its descriptors and its objects.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.

    Returns
    -------
    StoredPredictors
    """
    with Results(results).open("predictors", campaign.predictors_id) as stored:
        loaded = stored.load()
    q_per_A, particle, film = loaded["object_spectra"].values
    objects = ObjectSpectrum(q_per_A, particle, film, float(loaded["object_spectra"].attrs["covered"]))
    plain = campaign.config.imaging.detector is None and campaign.config.transfer == Transfer()
    return StoredPredictors(
        loaded.drop_dims(["descriptor", "power", "frequency"]),
        loaded["descriptors"].values,
        ReferenceObjects(objects, campaign.config.simulation.energy_eV) if plain else None,
    )


def fit_campaign(campaign: Campaign, outcomes: xr.Dataset, stored: StoredPredictors) -> CampaignForecast:
    """Fit the forecaster of a campaign, and forecast its cells out of fold.

    Parameters
    ----------
    campaign : Campaign
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.
    stored : StoredPredictors

    Returns
    -------
    CampaignForecast

    Raises
    ------
    ArgumentError
        Where there are too few cells or conditions; states how many there must be.
    """
    analysis, features = campaign.config.analysis, MODELS[campaign.config.analysis.forecaster]
    chosen = campaign_cells(campaign, outcomes, stored.descriptors)
    check_enough(chosen.cells, features)
    out_of_fold = cross_validate(chosen.cells, features)
    forecaster = Forecaster.fit(
        chosen.cells,
        metric=analysis.metric,
        bounds=metric_bounds(analysis.metric),
        pixel_size_A=campaign.config.imaging.pixel_size_A,
        features=features,
        origin={"campaign": campaign.name, "metrics": campaign.metrics_id, "predictors": campaign.predictors_id},
        out_of_fold=out_of_fold,
        objects=stored.objects,
        counted=cell_subsets(outcomes)["imaging"][chosen.row, chosen.column],
    )
    return CampaignForecast(forecaster, chosen, out_of_fold, analysis.metric)


def try_to_fit(
    campaign: Campaign, outcomes: xr.Dataset, stored: StoredPredictors
) -> tuple[CampaignForecast | None, str]:
    """Return :func:`fit_campaign` and no text; or nothing, and what is missing."""
    try:
        return fit_campaign(campaign, outcomes, stored), ""
    except ArgumentError as error:
        return None, str(error).removeprefix("cells: ")


@dataclass(frozen=True)
class ForecastCheck:
    """How the forecaster of another campaign did on this one's cells under an imaging shift.

    Attributes
    ----------
    n : int
        Number of cells.
    rmse : float
    coverage : float, [1]
        Of intervals of :data:`hrtem_ood.transfer.forecast.cross_validation.LEVEL`.
    width : float
        Their median width.
    outside : tuple of str
        What lies outside its domain; see :func:`hrtem_ood.transfer.forecast.wording.outside_texts`.
    """

    n: int
    rmse: float
    coverage: float
    width: float
    outside: tuple[str, ...]


def check_forecaster(campaign: Campaign, results: Path, forecaster: Forecaster) -> ForecastCheck | None:
    """Forecast the measured cells of a campaign by a forecaster that was not fitted to them.

    Parameters
    ----------
    campaign : Campaign
        A finished one, of the forecaster's pixel and metric.
    results : Path
        The results folder: metrics and predictors are read.
    forecaster : Forecaster

    Returns
    -------
    ForecastCheck, or None
        None where the campaign has no predictors yet, or no cell under an imaging shift.
    """
    if not Results(results).path("predictors", campaign.predictors_id).exists():
        return None
    outcomes = training_set_outcomes(campaign, read_metrics(campaign, results))
    chosen = campaign_cells(campaign, outcomes, read_predictors(campaign, results).descriptors)
    use = cell_subsets(outcomes)["imaging"][chosen.row, chosen.column]
    if not use.any():
        return None
    descriptors, score = chosen.cells.descriptors[use], chosen.cells.score[use]
    made = forecaster.at_edge(descriptors)
    return ForecastCheck(
        n=int(use.sum()),
        rmse=float(np.sqrt(np.mean((score - made.predicted) ** 2))),
        coverage=made.coverage(score),
        width=float(np.median(made.high - made.low)),
        outside=outside_texts(forecaster.domain, descriptors),
    )

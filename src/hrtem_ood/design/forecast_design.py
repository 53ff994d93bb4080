"""Training conditions that maximise a forecaster's score, beside uniform and random ones, each with its forecast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.design.baselines import farthest_point_choice, random_choices
from hrtem_ood.design.forecast_choice import ForecastGoal, best_choice
from hrtem_ood.design.recommendation import DesignRequest, check_choice, conditions_of
from hrtem_ood.design.utility import check_exit_waves, datasets_under
from hrtem_ood.errors import ArtifactError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.forecast.cross_validation import LEVEL
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.mixtures import CandidateTable
from hrtem_ood.transfer.forecast.wording import outside_texts
from hrtem_ood.transfer.predictors.inputs import unit_cube_coordinates

Floats = NDArray[np.float64]

ALIKE = 0.02
"""Intervals whose ends are no farther apart than this overlap entirely."""

Verdict = Literal["recommended", "alone", "outside", "alike"]

MORE_IS_BETTER = ("f1", "iou")


@dataclass(frozen=True)
class ChoiceForecast:
    """The forecast of one choice of training conditions.

    Attributes
    ----------
    span : (float, float), [1]
        Least and largest ln CNR of its members.
    predicted, low, high : float64 array, (target,)
        Score under each condition of use, with the interval; outside the forecaster's domain, those at its edge.
    outside : tuple of str
        What lies outside, see :func:`hrtem_ood.transfer.forecast.wording.outside_texts`.
    all_outside : bool
        Whether every condition of use does, the number of images apart.
    """

    span: tuple[float, float]
    predicted: Floats
    low: Floats
    high: Floats
    outside: tuple[str, ...] = ()
    all_outside: bool = False

    def over_targets(self, goal: str) -> tuple[float, float, float]:
        """Return the forecast for a goal, and the ends of its interval: mean or least of those of the targets.

        Scores of one training set err alike, so that the interval of a mean is not narrower than those of its parts.
        """
        value, low, high = (
            float(each.mean() if goal == "mean" else each.min()) for each in (self.predicted, self.low, self.high)
        )
        return value, low, high


@dataclass(frozen=True)
class ForecastDesign:
    """A choice of training conditions by the forecast, and others of the same size.

    Attributes
    ----------
    request : DesignRequest
    forecaster : Forecaster
    candidates, target_conditions : tuple of Condition
        In a canonical order.
    choices : dict of str to tuple of int
        Candidates of ``designed``, ``uniform``, ``random_1``, …
    forecasts : dict of str to ChoiceForecast
        Of each choice.
    exact : bool
        Whether no other choice has a better forecast.
    n_images : int
        Budget of images.
    """

    request: DesignRequest
    forecaster: Forecaster
    candidates: tuple[Condition, ...]
    target_conditions: tuple[Condition, ...]
    choices: dict[str, tuple[int, ...]]
    forecasts: dict[str, ChoiceForecast]
    exact: bool
    n_images: int

    @property
    def verdict(self) -> Verdict:
        """Whether the designed choice is recommended, or why not.

        ``alone``: there is nothing to compare it with. ``outside``: every condition of use lies outside the forecaster's domain,
        so that choices are compared at its edge only. ``alike``: it cannot be told from any other, because all intervals
        overlap entirely.
        """
        own = np.array(self.forecasts["designed"].over_targets(self.request.goal))
        others = [each.over_targets(self.request.goal) for name, each in self.forecasts.items() if name != "designed"]
        if self.forecasts["designed"].all_outside:
            return "outside"
        if not others:
            return "alone"
        return "recommended" if any(np.abs(own - other).max() > ALIKE for other in others) else "alike"

    @property
    def ties(self) -> list[str]:
        """Names of the choices whose forecast is that of the designed one, to three digits."""
        goal, own = self.request.goal, self.forecasts["designed"]
        value = f"{own.over_targets(goal)[0]:.3f}"
        return [
            name
            for name, each in self.forecasts.items()
            if each is not own and f"{each.over_targets(goal)[0]:.3f}" == value
        ]

    @property
    def weakest(self) -> Condition:
        """The condition of use with the least forecast for the designed choice."""
        return self.target_conditions[int(np.argmin(self.forecasts["designed"].predicted))]


def design_by_forecast(
    campaign: Campaign, results: Path, request: DesignRequest, forecaster: Forecaster, n_images: int
) -> ForecastDesign:
    """Choose training conditions by the forecast.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder, whose exit waves are read.
    request : DesignRequest
        Its predictor is not used.
    forecaster : Forecaster
        Of F1 or IoU, and of the campaign's pixel.
    n_images : int
        Of every training set, in all.

    Returns
    -------
    ForecastDesign

    Raises
    ------
    ConfigError
        If there are no more candidates than conditions to choose.
    ArtifactError
        If exit waves are missing, or the forecaster is of another pixel or a score of which less is better.
    """
    pixel_size_A = campaign.config.imaging.pixel_size_A
    if forecaster.metric not in MORE_IS_BETTER:
        raise ArtifactError(
            f"This forecaster is of {forecaster.metric}, of which less is better; use one of F1 or IoU."
        )
    forecaster.check_pixel(pixel_size_A)
    candidates, targets = (
        conditions_of(campaign, request.candidates),
        conditions_of(campaign, request.target_conditions),
    )
    size = request.n_conditions
    check_choice(size, len(candidates))
    check_exit_waves(campaign, results, "The forecaster", request.structure_sets)
    trained, tested = (
        datasets_under(campaign, results, conditions, name)
        for conditions, name in zip((candidates, targets), request.structure_sets, strict=True)
    )
    goal = ForecastGoal(forecaster, CandidateTable.of(trained, tested), n_images, request.goal)
    best, exact = best_choice(goal, size)
    coordinates = unit_cube_coordinates([*candidates, *targets])
    uniform = tuple(sorted(farthest_point_choice(np.array([coordinates[each] for each in candidates]), size)))
    choices = {"designed": best} | ({"uniform": uniform} if uniform != best else {})
    draws = random_choices(len(candidates), size, request.seed, request.n_random, exclude=choices.values())
    choices |= {f"random_{number}": draw for number, draw in enumerate(draws, 1)}
    return ForecastDesign(
        request,
        forecaster,
        candidates,
        targets,
        choices,
        {name: forecast_choice(goal, chosen) for name, chosen in choices.items()},
        exact,
        n_images,
    )


def forecast_choice(goal: ForecastGoal, chosen: tuple[int, ...]) -> ChoiceForecast:
    """Forecast one choice under every target; what lies outside the forecaster's domain counts as at its edge."""
    described = goal.table.describe(np.array([chosen]), goal.n_images)[0]
    each = goal.forecaster.at_edge(described, LEVEL)
    log_cnr = goal.table.candidates[list(chosen), 0]
    domain = goal.forecaster.domain
    optical = [name != "log_n_images" for name in domain.names]
    all_outside = bool(domain.outside(described)[:, optical].any(axis=1).all())
    span = (float(log_cnr.min()), float(log_cnr.max()))
    outside = outside_texts(domain, described)
    return ChoiceForecast(span, each.predicted, each.low, each.high, outside, all_outside)

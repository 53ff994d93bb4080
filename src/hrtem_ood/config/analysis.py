"""The section `analysis`: what the analysis compares, chosen before the run."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrtem_ood.base_model import Model, Name, Names

FORECAST = "forecast"
"""Name of the forecaster among predictors."""

Share = Annotated[float, Field(ge=0, le=1)]


class Claim(Model):
    """A hypothesis: one predictor ranks an outcome better than others, by a larger Spearman ρ over imaging shifts."""

    outcome: Literal["gap", "regret"] = Field(description="The outcome that is ranked; one claim for each.")
    predictor: Name = Field(
        description="The predictor that is claimed to rank it better; `forecast` is the forecaster, each cell forecast from "
        "cells that share no condition with it."
    )
    better_than: Names = Field(description="The predictors with which it is compared.")
    cells: Literal["all", "single"] = Field(
        "all", description="Over cells of all training sets, or of those of a single condition."
    )
    rho_at_least: Annotated[float, Field(gt=-1, lt=1)] | None = Field(
        None, description="Its ρ is claimed to be at least this. Default: nothing is claimed about its size."
    )

    @model_validator(mode="after")
    def _not_itself(self) -> Self:
        if self.predictor in self.better_than:
            raise ValueError(f"`better_than` names the predictor itself, {self.predictor}; name others")
        return self


class ForecastClaim(Model):
    """A hypothesis on the intervals of the forecaster, over cells under an imaging shift."""

    coverage: tuple[Share, Share] = Field(description="Between these lies the share of scores within their intervals.")
    width_at_most: Annotated[float, Field(gt=0)] = Field(description="Largest median width of the intervals.")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.coverage[0] > self.coverage[1]:
            raise ValueError("`coverage` goes from the smaller to the larger value")
        return self


class DesignDraw(Model):
    """Training sets that were chosen for conditions of use: a designed one, and others of as many conditions and images."""

    use: Names = Field(description="Names under `conditions`: the conditions of use, under which scores count.")
    designed: Name = Field(description="A name under `training_sets`: the choice that maximises the forecast.")
    uniform: Name = Field(description="Likewise: the choice that fills the space of parameters.")
    random: Names = Field(description="Likewise: random choices.")

    @model_validator(mode="after")
    def _different(self) -> Self:
        names = self.training_sets
        if len(set(names)) < len(names):
            raise ValueError("`designed`, `uniform` and `random` name a training set twice; name different ones")
        return self

    @property
    def training_sets(self) -> tuple[str, ...]:
        """All names of training sets, the designed one first."""
        return (self.designed, self.uniform, *self.random)


def _one_claim_per_outcome(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    outcomes = [claim.outcome for claim in claims]
    for outcome in outcomes:
        if outcomes.count(outcome) > 1:
            raise ValueError(f"give one claim for each outcome; {outcome} has several")
    return claims


class Analysis(Model):
    """What the ranking of predictors compares, and how. Choose it before any score exists."""

    metric: Literal["f1", "iou", "cross_entropy"] = Field("f1", description="The score L of gap and regret.")
    baseline_predictor: Name = Field(
        "abs_delta_defocus_A", description="The predictor that every other is compared with, by difference of ρ."
    )
    forecast_predictor: Name = Field(
        "texture_gap", description="The predictor of the forecast: the score in-domain plus a monotone function of it."
    )
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)] = Field(
        1000, description="Two-way bootstrap resamples."
    )
    confidence_level: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.95, description="Level of the bootstrap's intervals."
    )
    forecast_level: Annotated[float, Field(gt=0.5, lt=1)] = Field(0.9, description="Level of the forecast's intervals.")
    folds: Annotated[int, Field(ge=2, le=1000)] = Field(
        10,
        description="Largest number of groups of training sets, and of test conditions, in the forecast's cross-validation.",
    )
    exclude_predictors: Names | None = Field(None, description="Predictors that the ranking excludes. Default: none.")
    compare_training_sets: Names | None = Field(
        None,
        description="Names of training sets to compare by their mean and worst score over the test conditions, each with the "
        "first. Default: none.",
    )
    forecaster: Literal["contrast", "transfer"] = Field(
        "contrast", description="Model of the forecaster: by ln CNR alone, or by all descriptors (docs/forecast.md)."
    )
    forecast_claim: ForecastClaim | None = Field(
        None,
        description="Hypothesis on the forecaster's intervals of 90 %, with a verdict like `claims`. Default: none.",
    )
    design_draws: tuple[DesignDraw, ...] = Field(
        (),
        description="Choices of training conditions for several draws of conditions of use. Hypothesis: pooled over draws, the "
        "designed sets have a better mean and a better worst score than the uniform and the random ones. One entry for each draw "
        "and number of training conditions; draws may share some conditions, but not all. Default: none.",
    )
    apart: dict[Name, Names] = Field(
        {},
        description="Groups of names under `conditions` that are reported apart, by the name of the group; a condition can be in "
        "one group only. The ranking, the claims and the coverage leave out cells that were trained or tested under one of them. "
        "Default: none.",
    )
    claims: Annotated[tuple[Claim, ...], AfterValidator(_one_claim_per_outcome)] = Field(
        (),
        description="Hypotheses on predictors. The page of a study (`make study`) gives the verdict on each: shown, refuted or "
        "open. Default: none.",
    )

    def claim_on(self, outcome: str) -> Claim | None:
        """Return the claim on an outcome, if there is one."""
        return next((claim for claim in self.claims if claim.outcome == outcome), None)

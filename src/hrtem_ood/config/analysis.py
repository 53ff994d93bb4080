"""The section `analysis`: what the analysis compares, chosen before the run."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrtem_ood.base_model import Model, Name, Names


class Claim(Model):
    """A hypothesis: one predictor ranks an outcome better than others, by a larger Spearman ρ over imaging shifts."""

    outcome: Literal["gap", "regret"] = Field(description="The outcome that is ranked; one claim for each.")
    predictor: Name = Field(description="The predictor that is claimed to rank it better.")
    better_than: Names = Field(description="The predictors with which it is compared.")

    @model_validator(mode="after")
    def _not_itself(self) -> Self:
        if self.predictor in self.better_than:
            raise ValueError(f"`better_than` names the predictor itself, {self.predictor}; name others")
        return self


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
    claims: Annotated[tuple[Claim, ...], AfterValidator(_one_claim_per_outcome)] = Field(
        (),
        description="Hypotheses on predictors. The page of a study (`make study`) gives the verdict on each: shown, refuted or "
        "open. Default: none.",
    )

    def claim_on(self, outcome: str) -> Claim | None:
        """Return the claim on an outcome, if there is one."""
        return next((claim for claim in self.claims if claim.outcome == outcome), None)

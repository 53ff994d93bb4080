"""What the analysis compares, written down before anything is measured."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrtem_ood.base_model import Model, Name, Names
from hrtem_ood.config.training import Scalar

PREDICTOR_NAMES = (
    "sigma",
    "sigma_object",
    "signed_sigma",
    "coverage",
    "coverage_object",
    "snr_sigma",
    "information_shared",
    "information_covered",
    "log_cnr_difference",
    "log_spectrum_theory",
    "texture_divergence",
    "wiener_excess",
    "texture_accuracy",
    "coverage_union",
    "coverage_object_union",
    "information_covered_union",
    "texture_accuracy_union",
    "texture_gap",
    "texture_regret",
    "object_overlap",
    "test_information",
    "test_log_cnr",
    "abs_delta_defocus_A",
    "delta_abs_defocus_A",
    "delta_log_dose",
    "parameter_distance",
    "test_log_dose",
    "log_spectrum",
    "frechet",
    "mmd",
)
"""Names of the predictors that come with the project, so that configurations are checked without loading them."""


class OwnPredictor(Model):
    """A predictor of your own: a function in a Python file."""

    file: str = Field(
        description="Python file that defines `name`, relative to the working directory; see docs/predictors.md. "
        "Its content, not its path, is part of every identity."
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=40)] = Field(
        description="The function of that file: of a training set and a test dataset, it returns a number."
    )
    direction: Literal["larger", "smaller"] = Field(
        description="Which values mean that the test is nearer to the training; the league does not look for it."
    )
    symbol: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="For axes and tables; left out: the key."
    )
    unit: Annotated[str, Field(max_length=20)] = Field("1", description="Unit of the number.")
    parameters: dict[str, Scalar] = Field({}, description="Keyword arguments of the function.")
    sha256: str | None = Field(
        None, description="Filled in when the file is read; set it to refuse a file with other content."
    )


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
            raise ValueError(f"one claim for each outcome; there are several for {outcome}")
    return claims


class Analysis(Model):
    """What the league of predictors compares, and how: choices that are made before the scores are seen."""

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
        description="At most so many groups of training sets, and of test conditions, are left out in turn for the forecast.",
    )
    exclude_predictors: Names | None = Field(None, description="Predictors that the league leaves out; left out: none.")
    compare_training_sets: Names | None = Field(
        None,
        description="Names of training sets whose mean and worst score over the test conditions stand side by side, the others "
        "against the first; left out: none.",
    )
    claims: Annotated[tuple[Claim, ...], AfterValidator(_one_claim_per_outcome)] = Field(
        (),
        description="Hypotheses on predictors that the page of a study (`make study`) answers: shown, refuted or open; left "
        "out: none.",
    )

    def claim_on(self, outcome: str) -> Claim | None:
        """Return the claim on an outcome, if there is one."""
        return next((claim for claim in self.claims if claim.outcome == outcome), None)

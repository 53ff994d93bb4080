"""Settings of the transfer measures, names of predictors, and predictors of a user: sections `transfer` and `predictors`."""

from typing import Annotated, Literal

from pydantic import Field

from hrtem_ood.base_model import Model, Scalar


class Transfer(Model):
    """How the information-transfer measures ε and σ integrate the contrast transfer function."""

    weighting: Literal["per_q", "per_area"] = Field(
        "per_area", description="w(q): 1 (`per_q`) or q (`per_area`: each Fourier pixel counts once)."
    )
    q_min_per_A: Annotated[float, Field(ge=0)] = Field(0.05, description="Lower end of the band [1/Å].")
    q_max_per_A: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Upper end of the band [1/Å]; left out: the Nyquist frequency of the images."
    )
    radial_points: Annotated[int, Field(ge=16, le=8192)] = Field(512, description="Quadrature points along |q|.")
    azimuthal_points: Annotated[int, Field(ge=1, le=720)] = Field(
        48, description="Quadrature points along the azimuth."
    )


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

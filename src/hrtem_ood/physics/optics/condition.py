"""Imaging conditions χ: their parameters, and grids of them."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from hrtem_ood.base_model import Model, zero_or_from

_AZIMUTH = 3.1416
Azimuth = Annotated[float, Field(ge=-_AZIMUTH, le=_AZIMUTH)]
DeviationOfAzimuth = Annotated[float, Field(ge=0, le=_AZIMUTH)]
DeviationTo1e4 = Annotated[float, Field(ge=0, le=1e4)]
DeviationTo1e5 = Annotated[float, Field(ge=0, le=1e5)]
DeviationTo1e6 = Annotated[float, Field(ge=0, le=1e6)]
DeviationTo1e7 = Annotated[float, Field(ge=0, le=1e7)]
DeviationTo1e8 = Annotated[float, Field(ge=0, le=1e8)]
DeviationTo1e10 = Annotated[float, Field(ge=0, le=1e10)]
DeviationTo50 = Annotated[float, Field(ge=0, le=50)]
DeviationTo200 = Annotated[float, Field(ge=0, le=200)]

SMALLEST_SPREAD_MRAD = 0.002
"""Smallest angular spread that is accepted [mrad]: usual spreads, written in rad by mistake, lie below."""

FEWEST_DEVIATIONS = 3
"""Smallest ratio of mean and standard deviation of a parameter that must stay above zero."""


def _in_mrad(spread: float) -> float:
    if 0 < spread < SMALLEST_SPREAD_MRAD:
        raise ValueError(f"must be 0, or {SMALLEST_SPREAD_MRAD} mrad and more; {spread:g} may be meant in rad")
    return spread


def _sd(parameter: str, unit: str) -> Any:
    return Field(
        0.0,
        description=f"Standard deviation of {parameter} over the images of a dataset [{unit}].",
    )


class Condition(Model):
    """One imaging condition χ.

    Aberrations carry their Krivanek names as in abTEM, lengths in Å and azimuths in rad. ``defocus_A`` is −C10, counted
    from the zero defocus (minimum contrast) of each structure, positive for underfocus.

    Examples
    --------
    >>> import hrtem_ood
    >>> condition = hrtem_ood.Condition(defocus_A=100, dose_e_per_A2=400, focal_spread_A=20)
    >>> condition.label
    'Δf +100 Å, 400 e/Å², focal spread 20 Å'
    """

    defocus_A: Annotated[float, Field(ge=-1e5, le=1e5)] = Field(
        description="Mean defocus −C10 [Å] from each structure's minimum contrast; positive is underfocus."
    )
    defocus_sd_A: Annotated[float, Field(ge=0, le=1e4)] = Field(
        0.0, description="Standard deviation of the defocus over the images of a dataset [Å], normally distributed."
    )
    dose_e_per_A2: Annotated[float, Field(ge=1e-2, le=1e7)] = Field(description="Dose [e/Å²].")
    focal_spread_A: Annotated[float, Field(ge=0, le=1e4), zero_or_from(0.01, "Å")] = Field(
        0.0, description="Focal spread Δ [Å], a 1/e half-width: temporal envelope exp[−(π λ Δ q² / 2)²]."
    )
    angular_spread_mrad: Annotated[float, Field(ge=0, le=50), AfterValidator(_in_mrad)] = Field(
        0.0, description="Angular spread of the illumination [mrad], a 1/e half-width."
    )
    aperture_mrad: Annotated[float, Field(ge=0.5, le=200)] | None = Field(
        None, description="Semi-angle of the objective aperture [mrad]; left out: none."
    )
    C12: Annotated[float, Field(ge=-1e5, le=1e5)] = Field(0.0, description="Two-fold astigmatism [Å].")
    phi12: Azimuth = Field(0.0, description="Azimuth of C12 [rad].")
    C21: Annotated[float, Field(ge=-1e6, le=1e6)] = Field(0.0, description="Axial coma [Å].")
    phi21: Azimuth = Field(0.0, description="Azimuth of C21 [rad].")
    C23: Annotated[float, Field(ge=-1e6, le=1e6)] = Field(0.0, description="Three-fold astigmatism [Å].")
    phi23: Azimuth = Field(0.0, description="Azimuth of C23 [rad].")
    C30: Annotated[float, Field(ge=-1e8, le=1e8)] = Field(0.0, description="Spherical aberration [Å].")
    C32: Annotated[float, Field(ge=-1e8, le=1e8)] = Field(0.0, description="Axial star aberration [Å].")
    phi32: Azimuth = Field(0.0, description="Azimuth of C32 [rad].")
    C34: Annotated[float, Field(ge=-1e8, le=1e8)] = Field(0.0, description="Four-fold astigmatism [Å].")
    phi34: Azimuth = Field(0.0, description="Azimuth of C34 [rad].")
    C41: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Fourth-order axial coma [Å].")
    phi41: Azimuth = Field(0.0, description="Azimuth of C41 [rad].")
    C43: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Three-lobe aberration [Å].")
    phi43: Azimuth = Field(0.0, description="Azimuth of C43 [rad].")
    C45: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Five-fold astigmatism [Å].")
    phi45: Azimuth = Field(0.0, description="Azimuth of C45 [rad].")
    C50: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Fifth-order spherical aberration [Å].")
    C52: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Fifth-order axial star aberration [Å].")
    phi52: Azimuth = Field(0.0, description="Azimuth of C52 [rad].")
    C54: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Fifth-order rosette aberration [Å].")
    phi54: Azimuth = Field(0.0, description="Azimuth of C54 [rad].")
    C56: Annotated[float, Field(ge=-1e10, le=1e10)] = Field(0.0, description="Six-fold astigmatism [Å].")
    phi56: Azimuth = Field(0.0, description="Azimuth of C56 [rad].")
    dose_sd_e_per_A2: DeviationTo1e7 = _sd("the dose", "e/Å²")
    focal_spread_sd_A: DeviationTo1e4 = _sd("the focal spread", "Å")
    angular_spread_sd_mrad: DeviationTo50 = _sd("the angular spread", "mrad")
    aperture_sd_mrad: DeviationTo200 = _sd("the aperture", "mrad")
    C12_sd: DeviationTo1e5 = _sd("C12", "Å")
    phi12_sd: DeviationOfAzimuth = _sd("phi12", "rad")
    C21_sd: DeviationTo1e6 = _sd("C21", "Å")
    phi21_sd: DeviationOfAzimuth = _sd("phi21", "rad")
    C23_sd: DeviationTo1e6 = _sd("C23", "Å")
    phi23_sd: DeviationOfAzimuth = _sd("phi23", "rad")
    C30_sd: DeviationTo1e8 = _sd("C30", "Å")
    C32_sd: DeviationTo1e8 = _sd("C32", "Å")
    phi32_sd: DeviationOfAzimuth = _sd("phi32", "rad")
    C34_sd: DeviationTo1e8 = _sd("C34", "Å")
    phi34_sd: DeviationOfAzimuth = _sd("phi34", "rad")
    C41_sd: DeviationTo1e10 = _sd("C41", "Å")
    phi41_sd: DeviationOfAzimuth = _sd("phi41", "rad")
    C43_sd: DeviationTo1e10 = _sd("C43", "Å")
    phi43_sd: DeviationOfAzimuth = _sd("phi43", "rad")
    C45_sd: DeviationTo1e10 = _sd("C45", "Å")
    phi45_sd: DeviationOfAzimuth = _sd("phi45", "rad")
    C50_sd: DeviationTo1e10 = _sd("C50", "Å")
    C52_sd: DeviationTo1e10 = _sd("C52", "Å")
    phi52_sd: DeviationOfAzimuth = _sd("phi52", "rad")
    C54_sd: DeviationTo1e10 = _sd("C54", "Å")
    phi54_sd: DeviationOfAzimuth = _sd("phi54", "rad")
    C56_sd: DeviationTo1e10 = _sd("C56", "Å")
    phi56_sd: DeviationOfAzimuth = _sd("phi56", "rad")

    @model_validator(mode="before")
    @classmethod
    def _drop_azimuths_of_zero(cls, data: Any) -> Any:
        """Drop the azimuth, and its deviation, of an aberration that is zero in every image: the lens is the same."""
        if not isinstance(data, dict):
            return data

        def is_nonzero(aberration: str) -> bool:
            return bool(data.get(aberration) or data.get(f"{aberration}_sd"))

        return {key: value for key, value in data.items() if not key.startswith("phi") or is_nonzero(f"C{key[3:5]}")}

    @model_validator(mode="after")
    def _stays_positive(self) -> Self:
        for name in POSITIVE:
            mean, deviation = getattr(self, name), getattr(self, JITTER_FIELDS[name])
            if deviation and (mean is None or mean < FEWEST_DEVIATIONS * deviation):
                reason = (
                    f"{deviation:g} of {mean:g} is more"
                    if mean
                    else f"set `{name}`, or leave `{JITTER_FIELDS[name]}` out"
                )
                raise ValueError(
                    f"`{JITTER_FIELDS[name]}` must be at most a third of `{name}`, which cannot be negative; {reason}"
                )
        return self

    @property
    def jitter(self) -> dict[str, float]:
        """Standard deviations, over the images of a dataset, of the parameters that vary from image to image."""
        values = {name: float(getattr(self, deviation)) for name, deviation in JITTER_FIELDS.items()}
        return {name: value for name, value in values.items() if value}

    def with_jitter(self, deviations: Sequence[float]) -> Self:
        """Return the condition of one image, without jitter.

        Parameters
        ----------
        deviations : sequence of float, (len(JITTER_FIELDS),), [1]
            Deviation of each parameter of :data:`JITTER_FIELDS`, in its order, from its mean, in standard deviations.
            Ignored where the standard deviation is zero.
        """
        shift = {
            name: number * getattr(self, JITTER_FIELDS[name])
            for name, number in zip(JITTER_FIELDS, deviations, strict=True)
        }
        update = {name: getattr(self, name) + value for name, value in shift.items() if value}
        return self.model_copy(update=update | {JITTER_FIELDS[name]: 0.0 for name in update})

    @property
    def aberrations(self) -> dict[str, float]:
        """Non-zero aberrations but defocus, by Krivanek name: Cnm [Å] and phinm [rad]."""
        values = {name: float(getattr(self, name)) for name in ABERRATIONS}
        return {name: value for name, value in values.items() if value}

    @property
    def slug(self) -> str:
        """Short readable name, e.g. ``df100-dose400``."""
        # + 0.0 turns -0.0 into 0.0, which canonical JSON does not tell apart
        parts = [f"{_SHORT.get(name, name + '_')}{value + 0.0:g}" for name, value in self.non_default().items()]
        return "-".join(parts)

    @property
    def label(self) -> str:
        """Name for tables and figures, with units, e.g. ``Δf +100 Å, 400 e/Å²``."""
        # + 0.0 turns -0.0 into 0.0
        text = ", ".join(_LABEL[name].format(value + 0.0) for name, value in self.non_default().items())
        return text.replace("+0 Å", "0 Å").replace("-", "−")

    def non_default(self) -> dict[str, float]:
        """Return defocus, dose and all other parameters that differ from their defaults."""
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        return {
            name: value
            for name, value in self.model_dump().items()
            if value != defaults[name] or name in ("defocus_A", "dose_e_per_A2")
        }


ABERRATIONS = tuple(name for name in Condition.model_fields if re.fullmatch(r"(C|phi)\d\d", name))

UNITS = {"_e_per_A2": "e/Å²", "_mrad": "mrad", "_mm": "mm", "_eV": "eV", "_K": "K", "_rad": "rad", "_A": "Å", "_1": ""}
"""Endings of the names of parameters that are no aberrations, and their units; ``_1`` ends one without a unit."""

JITTER_FIELDS = {
    "defocus_A": "defocus_sd_A",
    "dose_e_per_A2": "dose_sd_e_per_A2",
    "focal_spread_A": "focal_spread_sd_A",
    "angular_spread_mrad": "angular_spread_sd_mrad",
    "aperture_mrad": "aperture_sd_mrad",
} | {name: f"{name}_sd" for name in ABERRATIONS}
"""Every parameter that may vary from image to image, and the field of its standard deviation. Images draw their
deviations in this order: add to its end only."""

PARAMETER_SYMBOLS = {
    "defocus_A": "Δf",
    "dose_e_per_A2": "dose",
    "focal_spread_A": "focal spread",
    "angular_spread_mrad": "angular spread",
    "aperture_mrad": "aperture",
} | {name: name for name in ABERRATIONS}
PARAMETER_SYMBOLS |= {deviation: f"s.d. of {PARAMETER_SYMBOLS[name]}" for name, deviation in JITTER_FIELDS.items()}
"""Symbol of every parameter; :func:`parameter_unit` has its unit."""

POSITIVE = ("dose_e_per_A2", "focal_spread_A", "angular_spread_mrad", "aperture_mrad")
"""Parameters that jitter must leave above zero."""

_SHORT = {
    "defocus_A": "df",
    "defocus_sd_A": "sd",
    "dose_e_per_A2": "dose",
    "focal_spread_A": "fs",
    "angular_spread_mrad": "as",
    "aperture_mrad": "ap",
    "dose_sd_e_per_A2": "dosesd",
    "focal_spread_sd_A": "fssd",
    "angular_spread_sd_mrad": "assd",
    "aperture_sd_mrad": "apsd",
}
_LABEL = {
    "defocus_A": "Δf {:+g} Å",
    "defocus_sd_A": "±{:g} Å",
    "dose_e_per_A2": "{:g} e/Å²",
    "focal_spread_A": "focal spread {:g} Å",
    "angular_spread_mrad": "angular spread {:g} mrad",
    "aperture_mrad": "aperture {:g} mrad",
    "dose_sd_e_per_A2": "±{:g} e/Å²",
    "focal_spread_sd_A": "focal spread ±{:g} Å",
    "angular_spread_sd_mrad": "angular spread ±{:g} mrad",
    "aperture_sd_mrad": "aperture ±{:g} mrad",
} | {
    f"{name}{ending}": f"{name} {sign}{{:g}} " + ("rad" if name.startswith("phi") else "Å")
    for name in ABERRATIONS
    for ending, sign in (("", ""), ("_sd", "±"))
}


def parameter_unit(parameter: str) -> str:
    """Return the unit of a parameter of a condition: that of an aberration, or the one at the end of its name.

    Raises
    ------
    ValueError
        Where the name of a new parameter ends in none of the known units.
    """
    name = parameter.removesuffix("_sd")
    if name in ABERRATIONS:
        return "Å" if name.startswith("C") else "rad"
    for ending, unit in UNITS.items():
        if parameter.endswith(ending):
            return unit
    raise ValueError(f"{parameter}: the name must end in one of {', '.join(UNITS)}")

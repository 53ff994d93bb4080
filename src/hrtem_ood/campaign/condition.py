"""Imaging conditions χ: their parameters, and grids of them."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, create_model, model_validator

from hrtem_ood.campaign.types import Model, grid_of

Azimuth = Annotated[float, Field(ge=-3.1416, le=3.1416)]


class Condition(Model):
    """One imaging condition χ.

    Aberrations carry their Krivanek names as in abTEM, lengths in Å and azimuths in rad. ``defocus_A`` is −C10, counted
    from the zero defocus (minimum contrast) of each structure, positive for underfocus.
    """

    defocus_A: Annotated[float, Field(ge=-1e5, le=1e5)] = Field(
        description="Mean defocus −C10 [Å] from each structure's minimum contrast; positive is underfocus."
    )
    defocus_sd_A: Annotated[float, Field(ge=0, le=1e4)] = Field(
        0.0, description="Standard deviation of the defocus over the images of a dataset [Å], normally distributed."
    )
    dose_e_per_A2: Annotated[float, Field(gt=0, le=1e7)] = Field(description="Dose [e/Å²].")
    focal_spread_A: Annotated[float, Field(ge=0, le=1e4)] = Field(
        0.0, description="Focal spread Δ [Å], a 1/e half-width: temporal envelope exp[−(π λ Δ q² / 2)²]."
    )
    angular_spread_mrad: Annotated[float, Field(ge=0, le=50)] = Field(
        0.0, description="Angular spread of the illumination [mrad], a 1/e half-width."
    )
    aperture_mrad: Annotated[float, Field(gt=0, le=200)] | None = Field(
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

    @model_validator(mode="before")
    @classmethod
    def _no_azimuth_of_nothing(cls, data: Any) -> Any:
        """Drop the azimuth of an aberration that is zero: the lens is the same."""
        if not isinstance(data, dict):
            return data
        return {
            key: value for key, value in data.items() if not (key.startswith("phi") and not data.get(f"C{key[3:]}"))
        }

    @property
    def aberrations(self) -> dict[str, float]:
        """Non-zero aberrations but defocus, by Krivanek name: Cnm [Å] and phinm [rad]."""
        values = {name: float(getattr(self, name)) for name in ABERRATIONS}
        return {name: value for name, value in values.items() if value}

    @property
    def slug(self) -> str:
        """Short readable name, e.g. ``df100-dose400``."""
        parts = [f"{_SHORT.get(name, name + '_')}{value:g}" for name, value in self.varied().items()]
        return "-".join(parts)

    @property
    def label(self) -> str:
        """Name for tables and figures, with units, e.g. ``Δf +100 Å, 400 e/Å²``."""
        # + 0.0 turns -0.0 into 0.0
        text = ", ".join(_LABEL[name].format(value + 0.0) for name, value in self.varied().items())
        return text.replace("+0 Å", "0 Å").replace("-", "−")

    def varied(self) -> dict[str, float]:
        """Defocus, dose and whatever else differs from its default."""
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        values = self.model_dump()
        return {
            name: value
            for name, value in values.items()
            if value != defaults[name] or name in ("defocus_A", "dose_e_per_A2")
        }


ABERRATIONS = tuple(name for name in Condition.model_fields if name[0] == "C" or name.startswith("phi"))

_SHORT = {
    "defocus_A": "df",
    "defocus_sd_A": "sd",
    "dose_e_per_A2": "dose",
    "focal_spread_A": "fs",
    "angular_spread_mrad": "as",
    "aperture_mrad": "ap",
}
_LABEL = {
    "defocus_A": "Δf {:+g} Å",
    "defocus_sd_A": "±{:g} Å",
    "dose_e_per_A2": "{:g} e/Å²",
    "focal_spread_A": "focal spread {:g} Å",
    "angular_spread_mrad": "angular spread {:g} mrad",
    "aperture_mrad": "aperture {:g} mrad",
} | {name: f"{name} {{:g}} " + ("rad" if name.startswith("phi") else "Å") for name in ABERRATIONS}


def grid_model(name: str, model: type[Model], doc: str) -> Any:
    """Make the model of a grid: every field of ``model``, each taking one value or a list of values."""
    fields: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        # rebuild the annotation with its bounds, which pydantic keeps apart
        item = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        default = ... if field.is_required() else (field.default,)
        fields[key] = (grid_of(item), Field(default, description=field.description))
    return create_model(name, __base__=Model, __doc__=doc, **fields)


def expand(grid: Model, model: type[Model]) -> Iterator[dict[str, Any]]:
    """Yield the field values of every point of a grid: the outer product of its axes, last field fastest."""
    axes = [getattr(grid, key) for key in model.model_fields]
    for values in itertools.product(*axes):
        yield dict(zip(model.model_fields, values, strict=True))


ConditionGrid = grid_model(
    "ConditionGrid", Condition, "A grid of imaging conditions: the outer product of the values of every key."
)

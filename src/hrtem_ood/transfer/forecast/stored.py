"""A forecaster as plain data, and its checks: nothing that is read is executed, and nothing is taken that does not fit."""

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from hrtem_ood.base_model import Model
from hrtem_ood.errors import ArtifactError
from hrtem_ood.quoting import quoted, shortened
from hrtem_ood.transfer.forecast.cross_validation import LEVEL, metric_bounds
from hrtem_ood.transfer.forecast.performance import ForecastBin, Performance
from hrtem_ood.transfer.forecast.reference_objects import ReferenceObjects
from hrtem_ood.transfer.forecast.ridge import CONTRAST, MODELS, Quadratic
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum

if TYPE_CHECKING:
    from hrtem_ood.transfer.forecast.forecaster import Forecaster

FORMAT = "hrtem-ood forecaster"

VERSION = 1
"""Raised whenever a descriptor, a term or the meaning of a number changes: forecasters of other versions are refused."""

MOST_TERMS = 500
"""Of a model that is read."""

Number = Annotated[float, Field(strict=True, ge=-1e12, le=1e12)]
Positive = Annotated[float, Field(strict=True, gt=0, le=1e12)]
Scale = Annotated[float, Field(strict=True, ge=1e-12, le=1e12)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Text = Annotated[str, Field(strict=True, max_length=500)]
Powers = Annotated[
    tuple[Annotated[float, Field(strict=True, ge=0, le=1e12)], ...], Field(min_length=2, max_length=5000)
]
Numbers = Annotated[tuple[Number, ...], Field(min_length=1, max_length=MOST_TERMS)]


class StoredQuadratic(Model):
    """A :class:`hrtem_ood.transfer.forecast.ridge.Quadratic`."""

    model: Text
    centre: Numbers
    scale: Annotated[tuple[Scale, ...], Field(min_length=1, max_length=MOST_TERMS)]
    coefficients: Numbers
    constant: Number

    @model_validator(mode="after")
    def _fits_its_model(self) -> "StoredQuadratic":
        features = MODELS.get(self.model)
        if features is None:
            raise ValueError(f"there is no model {quoted(self.model)}; valid: {', '.join(MODELS)}")
        for name, number in (
            ("centre", len(features.names)),
            ("scale", len(features.names)),
            ("coefficients", features.n_terms),
        ):
            if len(getattr(self, name)) != number:
                raise ValueError(
                    f"`{name}` needs {number} numbers for the model `{self.model}`, not {len(getattr(self, name))}"
                )
        return self

    def function(self) -> Quadratic:
        """Return the function."""
        centre, scale, coefficients = (np.array(each) for each in (self.centre, self.scale, self.coefficients))
        return Quadratic(MODELS[self.model], centre, scale, coefficients, self.constant)


class StoredBin(Model):
    """A :class:`hrtem_ood.transfer.forecast.performance.ForecastBin`."""

    least: Number
    most: Number
    n: Count
    coverage: Share
    bias: Number
    width: Annotated[float, Field(strict=True, ge=0, le=1e12)]
    rmse: Annotated[float, Field(strict=True, ge=0, le=1e12)]


class StoredPerformance(Model):
    """A :class:`hrtem_ood.transfer.forecast.performance.Performance`."""

    n_cells: Count
    n_conditions: Count
    n_forecast: Count
    rmse: Annotated[float, Field(strict=True, ge=0, le=1e12)]
    coverage: Share
    width: Annotated[float, Field(strict=True, ge=0, le=1e12)]
    bins: Annotated[tuple[StoredBin, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _ascends(self) -> "StoredPerformance":
        ends = [end for each in self.bins for end in (each.least, each.most)]
        if any(one > other for one, other in pairwise(ends)):
            raise ValueError("`bins` must ascend, each from its least to its most forecast")
        return self

    def performance(self) -> Performance:
        """Return the performance."""
        values = self.model_dump(exclude={"bins"})
        return Performance(**values, bins=tuple(ForecastBin(**each.model_dump()) for each in self.bins))


class StoredObjects(Model):
    """A :class:`hrtem_ood.transfer.forecast.reference_objects.ReferenceObjects`."""

    energy_eV: Annotated[float, Field(strict=True, gt=0, le=1e8)]
    covered: Annotated[float, Field(strict=True, gt=0, le=1)]
    q_per_A: Powers
    particle: Powers
    film: Powers

    @model_validator(mode="after")
    def _goes_together(self) -> "StoredObjects":
        if not len(self.q_per_A) == len(self.particle) == len(self.film):
            raise ValueError("`q_per_A`, `particle` and `film` need equally many numbers")
        if any(one >= other for one, other in pairwise(self.q_per_A)):
            raise ValueError("`q_per_A` must ascend")
        return self


class StoredForecaster(Model):
    """A :class:`hrtem_ood.transfer.forecast.forecaster.Forecaster`."""

    format: Literal["hrtem-ood forecaster"]
    version: Literal[1]
    metric: Text
    bounds: tuple[Number | None, Number | None]
    pixel_size_A: Annotated[float, Field(strict=True, gt=0, le=1e3)]
    score: StoredQuadratic
    error_size: StoredQuadratic
    least: Positive
    most: Positive
    factor: Annotated[
        tuple[tuple[Annotated[float, Field(strict=True, gt=0, lt=1)], Positive], ...],
        Field(min_length=1, max_length=100),
    ]
    domain: Annotated[dict[Text, tuple[Number, Number]], Field(max_length=MOST_TERMS)]
    performance: StoredPerformance
    origin: Annotated[dict[Text, Text], Field(max_length=50)]
    objects: StoredObjects | None = None

    def reference(self) -> ReferenceObjects | None:
        """Return the objects, if there are any."""
        if self.objects is None:
            return None
        q, particle, film = (
            np.array(each) for each in (self.objects.q_per_A, self.objects.particle, self.objects.film)
        )
        return ReferenceObjects(ObjectSpectrum(q, particle, film, self.objects.covered), self.objects.energy_eV)

    @model_validator(mode="after")
    def _goes_together(self) -> "StoredForecaster":
        if self.error_size.model != CONTRAST.name:
            raise ValueError(f"`error_size` needs the model `{CONTRAST.name}`, not {quoted(self.error_size.model)}")
        if self.bounds != metric_bounds(self.metric):
            raise ValueError(f"`bounds` of {quoted(self.metric)} are {list(metric_bounds(self.metric))}")
        levels, factors = zip(*self.factor, strict=True)
        if any(one >= other for one, other in pairwise(levels)) or any(one > other for one, other in pairwise(factors)):
            raise ValueError("`factor` needs levels that ascend, and factors that do not descend")
        if LEVEL not in levels:
            raise ValueError(f"`factor` needs the level {LEVEL:g}")
        if self.least > self.most:
            raise ValueError("`least` must not be above `most`")
        needed = {*MODELS[self.score.model].names, "log_n_images"}
        if set(self.domain) != needed:
            raise ValueError(f"`domain` needs the descriptors {', '.join(sorted(needed))}, and no others")
        if wrong := [name for name, (least, most) in self.domain.items() if least > most]:
            raise ValueError(f"`domain.{wrong[0]}` goes from the smaller to the larger value")
        return self


def to_document(forecaster: "Forecaster") -> dict[str, Any]:
    """Return a forecaster as JSON values."""
    objects = {} if forecaster.objects is None else {"objects": _objects(forecaster.objects)}
    domain = zip(forecaster.domain.low.tolist(), forecaster.domain.high.tolist(), strict=True)
    return {
        "format": FORMAT,
        "version": VERSION,
        "metric": forecaster.metric,
        "bounds": list(forecaster.bounds),
        "pixel_size_A": forecaster.pixel_size_A,
        "score": _quadratic(forecaster.score),
        "error_size": _quadratic(forecaster.error_size.logarithm),
        "least": forecaster.error_size.least,
        "most": forecaster.error_size.most,
        "factor": [list(pair) for pair in forecaster.factor.items()],
        "domain": {name: list(ends) for name, ends in zip(forecaster.domain.names, domain, strict=True)},
        "performance": _performance(forecaster.performance),
        "origin": dict(forecaster.origin),
        **objects,
    }


def from_document(document: object, name: str) -> StoredForecaster:
    """Check what is to be a forecaster.

    Parameters
    ----------
    document : JSON values
    name : str
        Of the file, for messages.

    Returns
    -------
    StoredForecaster

    Raises
    ------
    ArtifactError
        Says what is wrong.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArtifactError(f"{name}: is not a forecaster of this project: `format` must be '{FORMAT}'.")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ArtifactError(
            f"{name}: is a forecaster of version {quoted(version)}, and this release has version {VERSION}, whose numbers "
            "mean something else. Fit it again on its campaign."
        )
    try:
        return StoredForecaster.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    place = shortened(".".join(map(str, first["loc"])))
    what = shortened(first["msg"].removeprefix("Value error, "), 200)
    raise ArtifactError(f"{name}: is damaged: {f'{place}: ' if place else ''}{what}. Fit the forecaster again.")


def _performance(performance: Performance) -> dict[str, Any]:
    content = dict(vars(performance))
    bins = content.pop("bins")
    # left out where there are none, so that forecasters of earlier releases keep their ids
    return content | ({"bins": [dict(vars(each)) for each in bins]} if bins else {})


def _objects(objects: ReferenceObjects) -> dict[str, Any]:
    each = objects.spectrum
    return {
        "energy_eV": objects.energy_eV,
        "covered": each.covered,
        "q_per_A": each.q_per_A.tolist(),
        "particle": each.particle.tolist(),
        "film": each.film.tolist(),
    }


def _quadratic(function: Quadratic) -> dict[str, Any]:
    return {
        "model": function.features.name,
        "centre": function.centre.tolist(),
        "scale": function.scale.tolist(),
        "coefficients": function.coefficients.tolist(),
        "constant": function.constant,
    }

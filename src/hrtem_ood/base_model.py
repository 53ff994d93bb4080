"""Field types of the configuration: numbers that are numbers, ranges, grids, scalars and names."""

import math
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    model_validator,
)
from pydantic_core import CoreSchema

from hrtem_ood.quoting import quoted, shortened


def _takes_bool(annotation: Any) -> bool:
    """Whether a field, or one item of a grid, is true or false."""
    return annotation is bool or any(_takes_bool(each) for each in get_args(annotation))


@cache
def _without_bool(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields of a model that are never true or false."""
    return frozenset(key for key, field in model.model_fields.items() if not _takes_bool(field.annotation))


class Model(BaseModel):
    """Base of all configuration models: unknown keys are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_booleans_for_numbers(cls, data: Any) -> Any:
        # YAML reads yes, no, on and off as booleans, which pydantic would take for 1 and 0.
        for key, value in data.items() if isinstance(data, dict) else ():
            is_bool = isinstance(value, bool)
            if isinstance(value, list | tuple):
                is_bool = any(isinstance(item, bool) for item in value)
            if is_bool and key in _without_bool(cls):
                raise ValueError(
                    f"`{key}` needs a number or text, not true or false (YAML reads yes, no, on and off as these)"
                )
        return data


def identity_parameters(model: BaseModel, *, exclude: Any = None) -> dict[str, Any]:
    """Return what identities are computed from: every parameter that is not at its default, as JSON values.

    Defaults are left out here, for every model, so that a new key does not change existing ids: add it with a default that
    means the previous behaviour. Two rules follow. A default never changes its
    meaning (another default needs a higher version of the stage), and no identity is computed from a model in any other
    way. ``tests/golden_ids.json`` holds ids that change where either is broken.

    Parameters
    ----------
    model : pydantic.BaseModel
    exclude : optional
        Fields that are not part of the identity, as pydantic's ``model_dump`` takes them.

    Returns
    -------
    dict of str to JSON values
    """
    return model.model_dump(mode="json", exclude_defaults=True, exclude=exclude)


NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]*$"
PYTHON_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=40)]


def _as_pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"a range goes from the smaller to the larger value; try [{pair[1]}, {pair[0]}]")
    return pair


class _SingleItem:
    """Adds to the JSON schema: a list of one item may be written as the item alone."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        item = schema["items"] if "items" in schema else schema["prefixItems"][0]
        return {"anyOf": [item, schema]}


AS_PAIR, ASCENDING, SINGLE_ITEM = BeforeValidator(_as_pair), AfterValidator(_ascending), _SingleItem()
"""Annotations of a range, a pair of numbers: a single number stands for both, and the first is at most the second."""


LONGEST_LIST = 10_000
"""Largest number of values of one axis of a grid, or of names in a list."""


def _as_tuple(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return (value,)
    # before the items are validated one by one
    if len(value) > LONGEST_LIST:
        raise ValueError(f"a list of {len(value):,} values is too long; {LONGEST_LIST:,} are the limit")
    return tuple(value)


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    previous: set[Any] = set()
    for value in values:
        if value in previous:
            raise ValueError(f"a grid lists each value once; {_format(value)} is listed twice")
        previous.add(value)
    return values


def _format(value: Any) -> str:
    """Return a value as written in YAML; of a model, only the fields that were set."""
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
        return "{" + ", ".join(f"{name}: {_format(item)}" for name, item in fields.items()) + "}"
    if isinstance(value, tuple):
        return _format(value[0]) if len(value) == 1 else "[" + ", ".join(map(_format, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else shortened(str(value))


def grid_of(item: Any) -> Any:
    """Return the type of a grid axis: one ``item`` or a list of different ones, kept as a tuple."""
    return Annotated[
        tuple[item, ...],
        BeforeValidator(_as_tuple),
        AfterValidator(_distinct),
        Field(min_length=1),
        _SingleItem(),
    ]


_ListOfNames = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct), Field(min_length=1)]

Names = Annotated[_ListOfNames, _SingleItem()]


def _kind_of_names(value: Any) -> str:
    return "a list" if isinstance(value, list | tuple) else "a name"


NameOrNames = Annotated[
    # a name stays a name, so that identities of configurations are those of versions without lists
    Annotated[Name, Tag("a name")] | Annotated[_ListOfNames, Tag("a list")],
    Discriminator(_kind_of_names),
]
"""One name or a list of them."""


def names_of(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a field that takes one or several."""
    return (value,) if isinstance(value, str) else value


def zero_or_from(least: float, unit: str) -> AfterValidator:
    """Return the check of a size that is absent, 0, or large enough to have an effect.

    Parameters
    ----------
    least : float
    unit : str
        For the message.
    """

    def check(value: float) -> float:
        if 0 < value < least:
            raise ValueError(f"must be 0, or {least:g} {unit} and more; {value:g} has no effect")
        return value

    return AfterValidator(check)


LARGEST_INTEGER = 2**63 - 1
"""Of configurations: no key needs a larger one, and NumPy has no type for it. Every larger float is whole, hence an integer in
canonical JSON."""


def _scalar(value: Any) -> Any:
    # one message instead of one for each type of the union
    if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"must be a number, text, true or false, not {quoted(value)}")
    if not isinstance(value, bool | str) and abs(value) > LARGEST_INTEGER:
        raise ValueError(f"is too large a number; at most {LARGEST_INTEGER} is stored")
    # as in canonical JSON, which jobs receive
    return int(value) if isinstance(value, float) and value.is_integer() else value


Scalar = Annotated[bool | int | float | str, BeforeValidator(_scalar)]

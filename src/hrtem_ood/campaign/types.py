"""Field types of the configuration: numbers that are numbers, ranges, grids and names."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Model(BaseModel):
    """Base of all configuration models: unknown keys are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _not_bool(value: Any) -> Any:
    # YAML reads yes, no, on and off as booleans, which pydantic would take for 1 and 0.
    if isinstance(value, bool):
        raise ValueError(f"a number is needed, not {str(value).lower()}")
    return value


Number = Annotated[float, BeforeValidator(_not_bool)]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=40)]


def _as_pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"a range goes from the smaller to the larger value; try [{pair[1]}, {pair[0]}]")
    return pair


def _range_of(item: Any) -> Any:
    return Annotated[tuple[item, item], BeforeValidator(_as_pair), AfterValidator(_ascending)]


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a grid lists each value once")
    return values


def grid_of(item: Any) -> Any:
    """Return the type of a grid axis: one ``item`` or a list of different ones, kept as a tuple."""
    return Annotated[
        tuple[item, ...],
        BeforeValidator(_as_tuple),
        AfterValidator(_distinct),
        Field(min_length=1),
    ]


Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct), Field(min_length=1)]
NumberRange = _range_of(Number)
WholeRange = _range_of(Whole)

__all__ = ["Model", "Name", "Number", "NumberRange", "Whole", "WholeRange", "grid_of"]

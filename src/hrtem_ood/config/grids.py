"""Grids: a model whose every key takes one value or a list of values."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, create_model

from hrtem_ood.base_model import Model, grid_of


def grid_model(name: str, model: type[Model], doc: str) -> Any:
    """Return the model of a grid: all fields of ``model``, each of which takes one value or a list of values."""
    fields: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        # rebuild the annotation with its bounds, which pydantic stores separately
        item = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        default = ... if field.is_required() else (field.default,)
        fields[key] = (grid_of(item), Field(default, description=field.description))
    return create_model(name, __base__=Model, __doc__=doc, **fields)


def expand(grid: Model, model: type[Model]) -> Iterator[dict[str, Any]]:
    """Yield the field values of every point of a grid: the outer product of its axes, last field fastest."""
    axes = [getattr(grid, key) for key in model.model_fields]
    for values in itertools.product(*axes):
        yield dict(zip(model.model_fields, values, strict=True))

"""The section `training_sets`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from hrtem_ood.base_model import Model, Name, Names


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("needs a number, not true or false (which yes, no, on and off mean, too)")
    return value


Count = Annotated[int, Field(ge=1, le=100_000_000), BeforeValidator(_no_truth)]


Counts = Annotated[
    Annotated[Count, Tag("a number")] | Annotated[dict[Name, Count], Tag("a mapping")],
    # so that a mistake is told for the kind that is meant
    Discriminator(lambda value: "a mapping" if isinstance(value, dict) else "a number"),
]


class TrainingSetGrid(Model):
    """Training sets over conditions: one per condition, or one that mixes them all."""

    structure_set: Name = Field(description="A name under `structure_sets`.")
    conditions: Names = Field(description="Names under `conditions`.")
    mixture: bool = Field(
        False,
        description="false: one training set per condition. true: one training set of all conditions in equal shares.",
    )
    n_images: Counts = Field(
        description="Training images per training set, in equal shares whatever the number of conditions. With `mixture`, "
        "a mapping of every name under `conditions` to its images, in equal shares of its conditions."
    )
    n_validation_structures: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="Structures at the end of the set that validate, dealt over the conditions; none of them trains."
    )

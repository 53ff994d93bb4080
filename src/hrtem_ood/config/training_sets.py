"""The section `training_sets`."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from hrtem_ood.base_model import Model, Name, NameOrNames, Names, grid_of, names_of


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false (YAML also reads yes, no, on and off as these)")
    return value


Count = Annotated[int, Field(ge=1, le=100_000_000), BeforeValidator(_refuse_boolean)]


Counts = Annotated[
    Annotated[Count, Tag("a number")] | Annotated[dict[Name, Count], Tag("a mapping")],
    # the error message is about the kind that is written
    Discriminator(lambda value: "a mapping" if isinstance(value, dict) else "a number"),
]


class MixtureDraw(Model):
    """Mixtures of conditions that are drawn at random, all different."""

    n_conditions: grid_of(Annotated[int, Field(ge=2, le=1000)]) = Field(  # type: ignore[valid-type]  # a type built at import
        description="Number of conditions of a mixture; a list gives `number` mixtures of each size."
    )
    number: Annotated[int, Field(ge=1, le=10_000)] = Field(description="Number of mixtures of each size.")
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        0,
        description="Seed of the draw. A mixture changes when a condition that it draws is added to those under `conditions`; "
        "most stay.",
    )


class TrainingSetGrid(Model):
    """Training sets over conditions: one per condition, one mixture of all, or mixtures that are drawn from them."""

    structure_set: NameOrNames = Field(
        description="A name under `structure_sets`. With `mixture`, it may be a list: the training set then has every one of "
        "the conditions of each structure set, which need the same `n_structures`."
    )
    conditions: Names = Field(description="Names under `conditions`.")
    mixture: bool = Field(
        False,
        description="false: one training set per condition. true: one training set of all conditions in equal shares.",
    )
    drawn: MixtureDraw | None = Field(
        None,
        description="With `mixture`: instead of one mixture of all conditions, several of a few each, drawn at random.",
    )
    n_images: Counts = Field(
        description="Training images per training set, divided equally among its conditions. With `mixture`, it may be a "
        "mapping of every name under `conditions` to its number of images, divided equally among the conditions of that grid."
    )
    n_validation_structures: Annotated[int, Field(ge=1, le=100_000)] = Field(
        description="Number of structures at the end of the set that are used for validation only, divided among the conditions."
    )

    @property
    def structure_sets(self) -> tuple[str, ...]:
        """Names of the structure sets."""
        return names_of(self.structure_set)

    @model_validator(mode="after")
    def _several_are_mixed(self) -> Self:
        if len(self.structure_sets) > 1 and not self.mixture:
            raise ValueError(
                "a list under `structure_set` needs `mixture: true`; without it, write an entry per structure set"
            )
        if self.drawn is not None and not (self.mixture and isinstance(self.n_images, int)):
            raise ValueError("`drawn` needs `mixture: true`, and one number for `n_images`")
        return self

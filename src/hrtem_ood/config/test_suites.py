"""The section `test_suites`."""

from pydantic import Field

from hrtem_ood.base_model import Model, NameOrNames, Names, names_of


class Suite(Model):
    """A named group of test datasets: the unit of one evaluation job."""

    structure_set: NameOrNames = Field(
        description="A name under `structure_sets`, or a list of them; never one that is used for training."
    )
    conditions: Names = Field(description="Names under `conditions`.")

    @property
    def structure_sets(self) -> tuple[str, ...]:
        """Names of the structure sets."""
        return names_of(self.structure_set)

"""The section `test_suites`."""

from pydantic import Field

from hrtem_ood.base_model import Model, Name, Names


class Suite(Model):
    """A named group of test datasets: the unit of one evaluation job."""

    structure_set: Name = Field(description="A name under `structure_sets`; never one that is used for training.")
    conditions: Names = Field(description="Names under `conditions`.")

    @property
    def structure_sets(self) -> tuple[str, ...]:
        """Names of the structure sets: one, as of a training set that has one."""
        return (self.structure_set,)

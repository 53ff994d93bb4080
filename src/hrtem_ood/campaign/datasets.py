"""The part of a campaign that is simulated and imaged: structures, exit waves, datasets."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec, StructureShardSpec, by_id
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.config.grids import expand
from hrtem_ood.config.structures import StructureFile
from hrtem_ood.config.test_suites import Suite
from hrtem_ood.config.training_sets import TrainingSetGrid
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.structures.recipe import StructureFileRecipe, StructureRecipe


def _condition(name: str, values: dict[str, Any]) -> Condition:
    try:
        return Condition(**values)
    except ValidationError as error:  # values that are valid one by one, but not together
        message = "; ".join(details["msg"].removeprefix("Value error, ") for details in error.errors())
        raise ConfigError(f"conditions.{name}: {message}.") from None


STRUCTURES_OF_RECIPE = 16
"""Largest number of structures from which the object spectrum of a recipe is estimated."""


@dataclass
class SimulatedData:
    """Structures, exit waves and datasets of a configuration, by id.

    Attributes
    ----------
    config : CampaignConfig
    """

    config: CampaignConfig
    _recipes: dict[str, StructureRecipe | StructureFileRecipe] = field(default_factory=dict)
    _recipe_ids: dict[str, str] = field(default_factory=dict)

    def recipe(self, name: str) -> StructureRecipe | StructureFileRecipe:
        """Return the recipe of a structure set, with its material written out."""
        if name not in self._recipes:
            chosen = self.config.structure_sets[name]
            kept = type(chosen).model_fields.keys() - {"n_structures", "material"}
            fields: dict[str, Any] = {key: getattr(chosen, key) for key in kept}
            self._recipes[name] = (
                StructureFileRecipe(**fields)
                if isinstance(chosen, StructureFile)
                else StructureRecipe(material=self.config.materials[chosen.material], **fields)
            )
        return self._recipes[name]

    def shards(self, name: str) -> list[tuple[StructureShardSpec, ExitWaveShardSpec]]:
        """Return the shards of a structure set, in order of structure."""
        recipe, count = self.recipe(name), self.config.structure_sets[name].n_structures
        size = self.config.execution.structures_per_shard
        ranges = [(start, min(start + size, count)) for start in range(0, count, size)]
        return [
            (
                StructureShardSpec(recipe=recipe, start=start, stop=stop),
                ExitWaveShardSpec(
                    structure_series=recipe.series, simulation=self.config.simulation, start=start, stop=stop
                ),
            )
            for start, stop in ranges
        ]

    def recipe_id(self, name: str) -> str:
        """Return the identity of a structure set's recipe, without its seed and its number of structures."""
        if name not in self._recipe_ids:
            recipe = self.recipe(name)
            if isinstance(recipe, StructureRecipe):
                fields: dict[str, Any] = {key: getattr(recipe, key) for key in StructureRecipe.model_fields}
                recipe = StructureRecipe(**fields | {"seed": 0})
            self._recipe_ids[name] = recipe.series
        return self._recipe_ids[name]

    @cached_property
    def exit_waves_for_recipe(self) -> dict[str, tuple[tuple[ExitWaveShardSpec, ...], int]]:
        """Recipe → exit-wave shards of its first structures, and how many of those are used for its spectrum.

        Of several structure sets of one recipe, the one whose series sorts first: neither order nor size matters.
        """
        chosen: dict[str, str] = {}
        for name in sorted(self.used_structure_sets, key=lambda each: self.recipe(each).series):
            chosen.setdefault(self.recipe_id(name), name)
        by_recipe = {}
        for recipe, name in chosen.items():
            number = min(STRUCTURES_OF_RECIPE, self.config.structure_sets[name].n_structures)
            shards = tuple(simulate for _, simulate in self.shards(name) if simulate.start < number)
            by_recipe[recipe] = (shards, number)
        return by_recipe

    @property
    def _users(self) -> list[TrainingSetGrid | Suite]:
        return [*self.config.training_sets.values(), *self.config.simulated_suites.values()]

    @cached_property
    def used_structure_sets(self) -> tuple[str, ...]:
        """Names of the structure sets that some training set or suite uses."""
        return tuple(dict.fromkeys(name for user in self._users for name in user.structure_sets))

    @cached_property
    def structures(self) -> dict[str, StructureShardSpec]:
        """Structure shards by id."""
        return by_id(build for name in self.used_structure_sets for build, _ in self.shards(name))

    @cached_property
    def exit_waves(self) -> dict[str, ExitWaveShardSpec]:
        """Exit-wave shards by id."""
        return by_id(simulate for name in self.used_structure_sets for _, simulate in self.shards(name))

    @cached_property
    def structures_of(self) -> dict[str, StructureShardSpec]:
        """Exit-wave shard id → the structure shard that it is simulated from."""
        return {simulate.id: build for name in self.used_structure_sets for build, simulate in self.shards(name)}

    @cached_property
    def conditions(self) -> dict[str, tuple[Condition, ...]]:
        """Conditions of each named grid."""
        return {
            name: tuple(dict.fromkeys(_condition(name, values) for grid in grids for values in expand(grid, Condition)))
            for name, grids in self.config.conditions.items()
        }

    def _conditions_of(self, grids: Iterable[str]) -> list[Condition]:
        return list(dict.fromkeys(condition for grid in grids for condition in self.conditions[grid]))

    def _dataset(self, name: str, condition: Condition) -> DatasetSpec:
        return DatasetSpec(
            exit_wave_series=ExitWaveShardSpec(
                structure_series=self.recipe(name).series, simulation=self.config.simulation, start=0, stop=0
            ).series,
            n_structures=self.config.structure_sets[name].n_structures,
            condition=condition,
            imaging=self.config.imaging,
            labels=self.config.labels,
        )

    @cached_property
    def _datasets_of(self) -> dict[tuple[str, Condition], DatasetSpec]:
        wanted = dict.fromkeys(
            (name, condition)
            for user in self._users
            for name in user.structure_sets
            for condition in self._conditions_of(user.conditions)
        )
        return {(name, condition): self._dataset(name, condition) for name, condition in wanted}

    @cached_property
    def datasets(self) -> dict[str, DatasetSpec]:
        """Datasets by id."""
        return by_id(self._datasets_of.values())

    @cached_property
    def exit_waves_of(self) -> dict[str, list[ExitWaveShardSpec]]:
        """Dataset id → the exit-wave shards that it is imaged from, in order of structure."""
        shards = {name: [simulate for _, simulate in self.shards(name)] for name in self.used_structure_sets}
        return {dataset.id: shards[name] for (name, _), dataset in self._datasets_of.items()}

    @cached_property
    def structure_set_of_dataset(self) -> dict[str, str]:
        """Dataset id → name of its structure set (the first, where several share one recipe and size)."""
        names: dict[str, str] = {}
        for (name, _), dataset in self._datasets_of.items():
            names.setdefault(dataset.id, name)
        return names

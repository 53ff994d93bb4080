"""The configuration of a campaign, key by key: types, units, bounds and meaning.

``schema.json`` and ``docs/configuration.md`` are generated from these models.
"""

from typing import Annotated

from pydantic import Field

from hrtem_ood.base_model import Model, Name, grid_of
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.config.conditions import ConditionGrid
from hrtem_ood.config.evaluation import Evaluation
from hrtem_ood.config.execution import Execution
from hrtem_ood.config.report import Report
from hrtem_ood.config.structures import AnyStructureSet
from hrtem_ood.config.test_suites import AnySuite, MicrographSuite, Suite
from hrtem_ood.config.training import NetworkGrid
from hrtem_ood.config.training_sets import TrainingSetGrid
from hrtem_ood.physics.imaging.parameters import Imaging, Labels
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.structures.parameters import Material
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.predictors.user_predictor import UserPredictor


class CampaignConfig(Model):
    """One campaign: structures, conditions, networks and tests."""

    campaign: Name = Field(description="Name of the campaign; `results/<campaign>/` is a link to its latest report.")
    materials: dict[Name, Material] = Field(min_length=1, description="Crystals by name.")
    structure_sets: dict[Name, AnyStructureSet] = Field(
        min_length=1, description="Structure sets by name: random structures or, with `file`, those of a file."
    )
    simulation: Simulation
    labels: Labels = Labels()
    imaging: Imaging
    conditions: dict[Name, grid_of(ConditionGrid)] = Field(  # type: ignore[valid-type]  # a model built at import
        min_length=1,
        description="Named grids of imaging conditions; a list of values is an axis of the grid. A list of mappings is "
        "the union of their grids. Mappings of single values list conditions one by one.",
    )
    training_sets: dict[Name, TrainingSetGrid] = Field(min_length=1, description="Training sets by name.")
    networks: dict[Name, NetworkGrid] = Field(min_length=1, description="Named grids of networks.")
    fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="Part of the networks that are trained and tested, of each entry under `networks`; conditions all stay. A "
        "larger fraction has every network of a smaller one. First come, on all training sets, the first values of all keys, "
        "then more and more of the values of each list in the order in which they are written; training sets of each entry "
        "join in a random order.",
    )
    test_suites: dict[Name, AnySuite] = Field(
        min_length=1, description="Named groups of test datasets or, with `micrographs`, of labelled micrographs."
    )
    evaluation: Evaluation = Evaluation()
    transfer: Transfer = Transfer()
    predictors: dict[Name, UserPredictor] = Field(
        {}, description="User-defined predictors by name, in addition to the built-in ones (docs/methods.md)."
    )
    analysis: Analysis = Analysis()
    report: Report = Report()
    execution: Execution = Execution()

    @property
    def simulated_suites(self) -> dict[str, Suite]:
        """Test suites of simulated datasets, by name."""
        return {name: suite for name, suite in self.test_suites.items() if isinstance(suite, Suite)}

    @property
    def micrograph_suites(self) -> dict[str, MicrographSuite]:
        """Test suites of labelled micrographs, by name."""
        return {name: suite for name, suite in self.test_suites.items() if isinstance(suite, MicrographSuite)}

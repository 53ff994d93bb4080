"""A campaign: a validated configuration expanded into all its artifacts and jobs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from hrtem_ood.artifacts.identity import canonical_json, content_id
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.base_model import identity_parameters
from hrtem_ood.campaign import packs
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.campaign.datasets import SimulatedData
from hrtem_ood.campaign.specs import (
    EvaluationSpec,
    LabelledSetSpec,
    NetworkSpec,
    PackSpec,
    SuiteSpec,
    TrainingSetSpec,
    TransferSpec,
    by_id,
)
from hrtem_ood.campaign.subsets import draw_mixtures, in_order_of_fraction, neighbours
from hrtem_ood.config.grids import expand
from hrtem_ood.config.test_suites import Suite
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.config.training_sets import TrainingSetGrid
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.predictors.registry import PREDICTORS


@dataclass(frozen=True)
class EvaluationJob:
    """One evaluation job: networks on a suite."""

    spec: EvaluationSpec
    networks: tuple[NetworkSpec, ...]
    packs: tuple[PackSpec, ...]
    suite: SuiteSpec


@dataclass
class Campaign(SimulatedData):
    """All artifacts and jobs of a configuration, by id. Create one with :func:`hrtem_ood.campaign.load.load_campaign`.

    Attributes
    ----------
    config : CampaignConfig

    Examples
    --------
    >>> import hrtem_ood
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> isinstance(campaign, hrtem_ood.Campaign), campaign.config.simulation.energy_eV
    (True, 300000.0)
    >>> [len(kind) for kind in (campaign.exit_waves, campaign.datasets, campaign.training_set_by_id, campaign.networks)]
    [3, 4, 3, 6]
    """

    @property
    def name(self) -> str:
        """Name of the campaign."""
        return self.config.campaign

    # --- training sets, networks, packs -------------------------------------------------------

    @cached_property
    def training_sets(self) -> dict[str, list[TrainingSetSpec]]:
        """Training sets of each named entry of the configuration."""
        return {name: self._training_sets(grid) for name, grid in self.config.training_sets.items()}

    def _training_sets(self, grid: TrainingSetGrid) -> list[TrainingSetSpec]:
        """Return one training set per condition, or one of all of them."""

        def ids_of(conditions: Iterable[Condition]) -> list[str]:
            # sorted: the order in which conditions are listed has no meaning
            return sorted(
                self._datasets_of[name, condition].id for name in grid.structure_sets for condition in conditions
            )

        def ids(grids: Iterable[str]) -> list[str]:
            return ids_of(self._conditions_of(grids))

        if grid.drawn is not None and isinstance(grid.n_images, int):
            mixtures = draw_mixtures(self._conditions_of(grid.conditions), grid.drawn)
            counts = [equal_shares(ids_of(mixture), grid.n_images) for mixture in mixtures]
        elif not grid.mixture:
            counts = [{id_: grid.n_images} for id_ in ids(grid.conditions)] if isinstance(grid.n_images, int) else []
        elif isinstance(grid.n_images, int):
            counts = [equal_shares(ids(grid.conditions), grid.n_images)]
        else:
            shares = [equal_shares(ids([name]), images) for name, images in grid.n_images.items()]
            counts = [{id_: sum(share.get(id_, 0) for share in shares) for id_ in ids(grid.n_images)}]
        return [
            TrainingSetSpec(
                datasets=tuple(count),
                n_images=tuple(count.values()),
                n_structures=self.config.structure_sets[grid.structure_sets[0]].n_structures,
                n_validation_structures=grid.n_validation_structures,
            )
            for count in counts
        ]

    @cached_property
    def networks(self) -> dict[str, NetworkSpec]:
        """Networks by id: all, or the fraction of them that the configuration asks for."""
        if self.config.fraction < 1:
            return self._fraction_of_networks()
        points = [
            (grid, [Hyperparameters(**values) for values in expand(grid, Hyperparameters)])
            for grid in self.config.networks.values()
        ]
        return by_id(
            # of values that are valid already: to check them again takes longer than all the rest
            NetworkSpec.model_construct(training_set=training_set.id, hyperparameters=hyperparameters)
            for grid, choices in points
            for name in grid.training_sets
            for training_set in self.training_sets[name]
            for hyperparameters in choices
        )

    def _fraction_of_networks(self) -> dict[str, NetworkSpec]:
        chosen: list[NetworkSpec] = []
        for grid in self.config.networks.values():
            points = in_order_of_fraction(grid, self.training_sets)
            first = points[: math.ceil(len(points) * self.config.fraction)]
            chosen += [NetworkSpec(training_set=each.id, hyperparameters=choice) for each, choice in first]
        return by_id(chosen)

    @cached_property
    def training_set_by_id(self) -> dict[str, TrainingSetSpec]:
        """Training sets by id."""
        return by_id(training_set for group in self.training_sets.values() for training_set in group)

    @cached_property
    def _by_training_set(self) -> dict[str, list[NetworkSpec]]:
        groups: dict[str, list[NetworkSpec]] = {}
        for network in self.networks.values():
            groups.setdefault(network.training_set, []).append(network)
        return groups

    @cached_property
    def packs(self) -> dict[str, PackSpec]:
        """Packs by id."""
        return by_id(
            self._pack(pack)
            for group in self._neighbours(self.config.execution.networks_per_job)
            for pack in packs.split_into_packs(group, self.config.execution.networks_per_job)
        )

    def _neighbours(self, networks: int) -> list[list[NetworkSpec]]:
        """Group the networks that are trained, or tested, in the same jobs."""
        return neighbours(self._by_training_set, self.config.execution.training_sets_per_job, networks)

    def _pack(self, networks: tuple[NetworkSpec, ...]) -> PackSpec:
        first, *further = [self.training_set_by_id[id_] for id_ in sorted({each.training_set for each in networks})]
        return PackSpec(training_set=first, networks=networks, further_training_sets=tuple(further))

    @cached_property
    def pack_of(self) -> dict[str, PackSpec]:
        """Network id → its pack."""
        return {network.id: pack for pack in self.packs.values() for network in pack.networks}

    # --- suites, evaluations, analysis --------------------------------------------------------

    @cached_property
    def labelled_set_of(self) -> dict[str, LabelledSetSpec]:
        """Labelled sets by the name of their suite in the configuration."""
        return {
            name: LabelledSetSpec(
                files=tuple(sorted(suite.files, key=lambda file: file.digests)),  # names of files have no meaning
                pixel_size_A=suite.pixel_size_A,
                repair=suite.repair,
                network_pixel_size_A=self.config.imaging.pixel_size_A,
            )
            for name, suite in self.config.micrograph_suites.items()
        }

    @cached_property
    def labelled_sets(self) -> dict[str, LabelledSetSpec]:
        """Labelled sets by id."""
        return by_id(self.labelled_set_of.values())

    @cached_property
    def suite_of(self) -> dict[str, SuiteSpec]:
        """Suites by their name in the configuration."""
        tested = {name: self._tested(suite) for name, suite in self.config.simulated_suites.items()}
        tested |= {name: (labelled_set.id,) for name, labelled_set in self.labelled_set_of.items()}
        return {name: SuiteSpec(datasets=tested[name]) for name in self.config.test_suites}

    def _tested(self, suite: Suite) -> tuple[str, ...]:
        conditions = self._conditions_of(suite.conditions)
        return tuple(
            sorted(self._datasets_of[name, condition].id for name in suite.structure_sets for condition in conditions)
        )

    @cached_property
    def suites(self) -> dict[str, SuiteSpec]:
        """Suites by id."""
        return by_id(self.suite_of.values())

    @cached_property
    def evaluations(self) -> dict[str, EvaluationJob]:
        """Evaluation jobs by id."""
        jobs = [
            EvaluationJob(
                EvaluationSpec(
                    networks=tuple(network.id for network in networks),
                    suite=suite.id,
                    numeric_precision=self.config.evaluation.numeric_precision,
                ),
                networks,
                packs_,
                suite,
            )
            for networks, packs_ in self._tested_together
            for suite in self.suites.values()
        ]
        return {job.spec.id: job for job in jobs}

    @cached_property
    def _tested_together(self) -> list[tuple[tuple[NetworkSpec, ...], tuple[PackSpec, ...]]]:
        """Groups of networks that one job tests, and the packs that they come from."""
        groups = [
            group
            for networks in self._neighbours(self.config.execution.networks_per_evaluation)
            for group in packs.split_into_packs(networks, self.config.execution.networks_per_evaluation)
        ]
        return [(group, tuple(by_id(self.pack_of[network.id] for network in group).values())) for group in groups]

    @cached_property
    def transfer(self) -> TransferSpec:
        """Information transfer of all conditions that a dataset is imaged under, in a canonical order."""
        conditions = dict.fromkeys(dataset.condition for dataset in self.datasets.values())
        return TransferSpec(
            conditions=tuple(sorted(conditions, key=lambda condition: canonical_json(condition.model_dump()))),
            energy_eV=self.config.simulation.energy_eV,
            pixel_size_A=self.config.imaging.pixel_size_A,
            transfer=self.config.transfer,
        )

    @cached_property
    def condition_labels(self) -> ConditionLabels:
        """Short names of all conditions that a dataset is imaged under."""
        return ConditionLabels(self.transfer.conditions)

    @cached_property
    def training_set_ids(self) -> list[str]:
        """Ids of the training sets that networks train on, sorted."""
        return sorted(self._by_training_set)

    @cached_property
    def training_datasets(self) -> list[str]:
        """Ids of the datasets of these training sets, sorted."""
        return sorted({id_ for name in self.training_set_ids for id_ in self.training_set_by_id[name].datasets})

    @cached_property
    def test_dataset_ids(self) -> list[str]:
        """Ids of all simulated test datasets, sorted."""
        return sorted({id_ for suite in self.suites.values() for id_ in suite.datasets if id_ in self.datasets})

    @cached_property
    def predictors_id(self) -> str:
        """Id of everything that determines the predictors, of which new built-in ones are computed, too."""
        users = {name: identity_parameters(entry, exclude={"file"}) for name, entry in self.config.predictors.items()}
        waves = sorted([shards[0].series, number] for shards, number in self.exit_waves_for_recipe.values())
        content = [self.transfer.id, self.training_set_ids, self.test_dataset_ids, waves, users, sorted(PREDICTORS)]
        return content_id(f"{len(self.training_set_ids)}sets", ["predictors", STAGE_VERSIONS["predictors"], content])

    @cached_property
    def config_json(self) -> str:
        """Canonical JSON of the configuration."""
        return canonical_json(self.config.model_dump(mode="json"))

    @cached_property
    def config_id(self) -> str:
        """Id of the configuration, execution included."""
        return content_id(self.name, identity_parameters(self.config))

    @cached_property
    def metrics_id(self) -> str:
        """Id of everything that determines the metrics, without the grouping of work and the appearance of figures."""
        training_sets = {name: sorted(each.id for each in group) for name, group in self.training_sets.items()}
        suites = {name: suite.id for name, suite in self.suite_of.items()}
        content = [self.transfer.id, sorted(self.networks), training_sets, suites, self.structure_set_of_dataset]
        versions = [STAGE_VERSIONS[stage] for stage in ("metrics", "evaluations")]
        scored = identity_parameters(self.config.evaluation)  # empty by default
        return content_id(self.name, ["metrics", *versions, self.name, content, *([scored] if scored else [])])

    @cached_property
    def report_id(self) -> str:
        """Id of everything that determines figures and report."""
        chosen = [identity_parameters(self.config.report), identity_parameters(self.config.analysis)]
        return content_id(self.name, ["reports", self.metrics_id, self.predictors_id, chosen])

    @cached_property
    def index_id(self) -> str:
        """Id of everything that determines the list of artifacts."""
        grouped = [sorted(table) for table in (self.structures, self.exit_waves, self.packs, self.evaluations)]
        return content_id(self.name, ["indexes", self.metrics_id, grouped])


def equal_shares(ids: Sequence[str], images: int) -> dict[str, int]:
    """Divide images equally among datasets; the first datasets get one image of the remainder each."""
    least, over = divmod(images, len(ids))
    return {id_: least + (index < over) for index, id_ in enumerate(ids)}

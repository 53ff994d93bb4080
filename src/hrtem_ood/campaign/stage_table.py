"""The table of stages: one row for each kind of artifact, with all properties that the rest of the package needs.

A new stage is a file ``stages/<rule>.py``, a row here, a spec in :mod:`hrtem_ood.campaign.specs` and a rule in
``workflow/rules/<rule>.smk``. The row's ``specs`` derives the specs from a campaign. Light to import: the workflow reads it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.specs import (
    DatasetSpec,
    EvaluationSpec,
    ExitWaveShardSpec,
    LabelledSetSpec,
    NetworkSpec,
    PackSpec,
    Spec,
    StructureShardSpec,
    SuiteSpec,
    TrainingSetSpec,
    TransferSpec,
)
from hrtem_ood.campaign.test_datasets import report_datasets


class Artifact(NamedTuple):
    """Name of an artifact: its stage and its id."""

    stage: str
    id: str


class Contents(NamedTuple):
    """Contents of the artifacts of a stage: a noun, and a function that counts them in a campaign."""

    noun: str
    count: Callable[[Campaign], int]


def _no_inputs(_campaign: Campaign, _id: str) -> list[Artifact]:
    return []


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One row of the table.

    Attributes
    ----------
    name : str
        Name of the stage, which is its folder in the results.
    singular, plural : str
        Words for one and for several of its artifacts.
    ids : callable
        Takes a campaign and returns the ids of its artifacts.
    rule : str
        Rule of the workflow, and verb of ``hrtem-ood stage``, that creates an artifact. Empty where no job has it as
        its output: networks are written by the jobs of packs.
    suffix : str or None
        End of file names. Empty for a report, which is a folder; None for a training set, which is no file.
    version_key : str or None
        Key of :data:`hrtem_ood.artifacts.stage_versions.STAGE_VERSIONS`; None where ids contain no version of the stage.
    inputs : callable
        Takes a campaign and an id of it, and returns the artifacts that the job reads.
    spec : type or None
        Class of an artifact's parameters; None where the artifact is of a whole campaign.
    specs : callable or None
        Takes a campaign and returns its specs by id; None where there are none.
    input_parameter : tuple of str, or None
        Parameter of the spec that holds the id, or the series, of an artifact's input, and the stage of that input.
    list_parameter : str or None
        Parameter of the spec that lists an artifact's inputs, in an order without meaning.
    cost : str or None
        What the time of a job is proportional to, with its unit; None where a job takes seconds to minutes, which are
        not estimated.
    contents : Contents or None
    is_target : bool
        Whether a whole run creates its artifacts although no other job reads them.
    is_optional : bool
        Whether campaigns may have none of its artifacts; lists of stages then leave it out.
    """

    name: str
    singular: str
    plural: str
    ids: Callable[[Campaign], Collection[str]]
    rule: str = ""
    suffix: str | None = ".zarr.zip"
    version_key: str | None = None
    inputs: Callable[[Campaign, str], list[Artifact]] = _no_inputs
    spec: type[Spec] | None = None
    specs: Callable[[Campaign], Mapping[str, Spec]] | None = None
    input_parameter: tuple[str, str] | None = None
    list_parameter: str | None = None
    cost: str | None = None
    contents: Contents | None = None
    is_target: bool = False
    is_optional: bool = False

    @property
    def label(self) -> str:
        """Name of the stage for display."""
        return self.name.replace("_", " ")

    @property
    def version(self) -> int | None:
        """Version of the stage's code, or None where it has none."""
        return None if self.version_key is None else STAGE_VERSIONS[self.version_key]

    def path(self, id_: str) -> str:
        """Path of an artifact below the results folder, e.g. ``datasets/df100-dose400-0123456789.zarr.zip``.

        Raises
        ------
        ValueError
            Where artifacts of the stage are no files.
        """
        if self.suffix is None:
            raise ValueError(f"{self.plural} are no files")
        return f"{self.name}/{id_}{self.suffix}"


# --- inputs of jobs ----------------------------------------------------------------------------


def _artifacts(stage: str, ids: Collection[str]) -> list[Artifact]:
    return [Artifact(stage, id_) for id_ in ids]


def _evaluation_inputs(campaign: Campaign, id_: str) -> list[Artifact]:
    job = campaign.evaluations[id_]
    return [*_artifacts("packs", [pack.id for pack in job.packs]), Artifact("suites", job.suite.id)]


def _suite_inputs(campaign: Campaign, id_: str) -> list[Artifact]:
    tested = campaign.suites[id_].datasets
    return [Artifact("labelled_sets" if each in campaign.labelled_sets else "datasets", each) for each in tested]


def _predictors_inputs(campaign: Campaign, _id: str) -> list[Artifact]:
    shards = [shard.id for each, _ in campaign.exit_waves_for_recipe.values() for shard in each]
    datasets = sorted({*campaign.training_datasets, *campaign.test_dataset_ids})
    return _artifacts("exit_waves", shards) + _artifacts("datasets", datasets)


def _metrics_inputs(campaign: Campaign, _id: str) -> list[Artifact]:
    scores = _artifacts("evaluations", campaign.evaluations) + _artifacts("packs", campaign.packs)
    # which tell how many images a set of labelled micrographs has
    suites = [suite.id for suite in campaign.suites.values() if suite.datasets[0] in campaign.labelled_sets]
    return [*scores, *_artifacts("suites", suites), Artifact("transfer", campaign.transfer.id)]


def _report_inputs(campaign: Campaign, _id: str) -> list[Artifact]:
    stores = [
        Artifact("metrics", campaign.metrics_id),
        Artifact("predictors", campaign.predictors_id),
        Artifact("transfer", campaign.transfer.id),
    ]
    return stores + _artifacts("datasets", [id_ for ids in report_datasets(campaign).values() for id_ in ids])


# --- contents of artifacts ---------------------------------------------------------------------


def _structure_count(campaign: Campaign) -> int:
    return sum(campaign.config.structure_sets[name].n_structures for name in campaign.used_structure_sets)


def _exit_wave_count(campaign: Campaign) -> int:
    return _structure_count(campaign) * campaign.config.simulation.n_frozen_phonons


def _score_count(campaign: Campaign) -> int:
    number = {id_: dataset.n_structures for id_, dataset in campaign.datasets.items()}
    number |= {id_: len(labelled_set.files) for id_, labelled_set in campaign.labelled_sets.items()}
    images = {id_: sum(number[each] for each in suite.datasets) for id_, suite in campaign.suites.items()}
    return sum(len(job.networks) * images[job.suite.id] for job in campaign.evaluations.values())


# --- the table, in the order of the data's flow -------------------------------------------------

_ROWS = (
    Stage(
        name="structures",
        singular="structure shard",
        plural="structure shards",
        ids=lambda campaign: campaign.structures,
        rule="build",
        suffix=".extxyz",
        version_key="structures",
        spec=StructureShardSpec,
        specs=lambda campaign: campaign.structures,
        cost="volume of all structures [Å³]",
        contents=Contents("structures", _structure_count),
    ),
    Stage(
        name="exit_waves",
        singular="exit-wave shard",
        plural="exit-wave shards",
        ids=lambda campaign: campaign.exit_waves,
        rule="simulate",
        version_key="exit_waves",
        inputs=lambda campaign, id_: [Artifact("structures", campaign.structures_of[id_].id)],
        spec=ExitWaveShardSpec,
        specs=lambda campaign: campaign.exit_waves,
        input_parameter=("structure_series", "structures"),
        cost="grid points of all slices of all waves",
        contents=Contents("exit waves", _exit_wave_count),
    ),
    Stage(
        name="datasets",
        singular="dataset",
        plural="datasets",
        ids=lambda campaign: campaign.datasets,
        rule="image",
        version_key="datasets",
        inputs=lambda campaign, id_: _artifacts("exit_waves", [shard.id for shard in campaign.exit_waves_of[id_]]),
        spec=DatasetSpec,
        specs=lambda campaign: campaign.datasets,
        input_parameter=("exit_wave_series", "exit_waves"),
        cost="pixels of all images, once per frozen phonon and once for counting noise",
        contents=Contents("images", lambda campaign: sum(each.n_structures for each in campaign.datasets.values())),
    ),
    Stage(
        name="training_sets",
        singular="training set",
        plural="training sets",
        ids=lambda campaign: campaign.training_set_by_id,
        suffix=None,
        version_key="networks",
        spec=TrainingSetSpec,
        specs=lambda campaign: campaign.training_set_by_id,
        list_parameter="datasets",
    ),
    Stage(
        name="networks",
        singular="network",
        plural="networks",
        ids=lambda campaign: campaign.networks,
        suffix=".ckpt",
        version_key="networks",
        spec=NetworkSpec,
        specs=lambda campaign: campaign.networks,
        input_parameter=("training_set", "training_sets"),
        cost="floating-point operations of all forward and backward passes",
    ),
    Stage(
        name="packs",
        singular="pack",
        plural="packs",
        ids=lambda campaign: campaign.packs,
        rule="train",
        suffix=".json",
        inputs=lambda campaign, id_: _artifacts("datasets", campaign.packs[id_].datasets),
        spec=PackSpec,
        specs=lambda campaign: campaign.packs,
        contents=Contents("networks", lambda campaign: len(campaign.networks)),
    ),
    Stage(
        name="labelled_sets",
        singular="labelled set",
        plural="labelled sets",
        ids=lambda campaign: campaign.labelled_sets,
        rule="labelled_set",
        version_key="labelled_sets",
        spec=LabelledSetSpec,
        specs=lambda campaign: campaign.labelled_sets,
        contents=Contents(
            "files of micrographs", lambda campaign: sum(len(each.files) for each in campaign.labelled_sets.values())
        ),
        is_optional=True,
    ),
    Stage(
        name="suites",
        singular="test suite",
        plural="test suites",
        ids=lambda campaign: campaign.suites,
        rule="suite",
        suffix=".json",
        inputs=_suite_inputs,
        spec=SuiteSpec,
        specs=lambda campaign: campaign.suites,
        list_parameter="datasets",
    ),
    Stage(
        name="evaluations",
        singular="evaluation",
        plural="evaluations",
        ids=lambda campaign: campaign.evaluations,
        rule="evaluate",
        version_key="evaluations",
        inputs=_evaluation_inputs,
        spec=EvaluationSpec,
        specs=lambda campaign: {id_: job.spec for id_, job in campaign.evaluations.items()},
        cost="floating-point operations of all networks on all images",
        contents=Contents("images scored", _score_count),
    ),
    Stage(
        name="transfer",
        singular="transfer store",
        plural="transfer stores",
        ids=lambda campaign: [campaign.transfer.id],
        rule="transfer",
        version_key="transfer",
        spec=TransferSpec,
        specs=lambda campaign: {campaign.transfer.id: campaign.transfer},
        list_parameter="conditions",
        cost="points of the integrals of σ over all pairs of conditions",
        contents=Contents("conditions", lambda campaign: len(campaign.transfer.conditions)),
    ),
    Stage(
        name="predictors",
        singular="predictors store",
        plural="predictors stores",
        ids=lambda campaign: [campaign.predictors_id],
        rule="predictors",
        version_key="predictors",
        inputs=_predictors_inputs,
    ),
    Stage(
        name="metrics",
        is_target=True,
        singular="metrics store",
        plural="metrics stores",
        ids=lambda campaign: [campaign.metrics_id],
        rule="metrics",
        version_key="metrics",
        inputs=_metrics_inputs,
    ),
    Stage(
        name="reports",
        is_target=True,
        singular="report",
        plural="reports",
        ids=lambda campaign: [campaign.report_id],
        rule="report",
        suffix="",
        version_key="metrics",
        inputs=_report_inputs,
    ),
    Stage(
        name="indexes",
        is_target=True,
        singular="list of artifacts",
        plural="lists of artifacts",
        ids=lambda campaign: [campaign.index_id],
        rule="index",
        suffix=".csv",
    ),
    Stage(
        name="configs",
        singular="configuration",
        plural="configurations",
        ids=lambda campaign: [campaign.config_id],
        suffix=".json",
    ),
)

STAGES: dict[str, Stage] = {row.name: row for row in _ROWS}
"""All stages, by name."""

FILE_STAGES: dict[str, Stage] = {name: stage for name, stage in STAGES.items() if stage.suffix is not None}
"""Stages whose artifacts are files: their names are those of all folders of artifacts in the results."""

JOB_STAGES: dict[str, Stage] = {name: stage for name, stage in STAGES.items() if stage.rule}
"""Stages whose artifacts are the outputs of jobs, in the order of the data's flow."""


def stages_of(campaign: Campaign) -> list[str]:
    """Names of the stages with jobs in a campaign, in the order of the data's flow: without optional ones that it lacks."""
    return [name for name, stage in JOB_STAGES.items() if not stage.is_optional or stage.ids(campaign)]

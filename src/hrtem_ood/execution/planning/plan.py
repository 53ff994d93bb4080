"""The artifacts that a run of a campaign would create, why, and the estimated cost.

Jobs are those of :func:`hrtem_ood.campaign.dag.missing_artifacts`, which the workflow's rules follow, too.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import PackSpec
from hrtem_ood.campaign.stage_table import STAGES, stages_of
from hrtem_ood.execution.planning.cost_estimate import CostEstimator, Estimate, Job
from hrtem_ood.execution.planning.differences import NEVER, ChangeExplainer
from hrtem_ood.execution.planning.empty_files import empty_artifacts
from hrtem_ood.execution.planning.inventory import CampaignArtifacts, StoredArtifacts
from hrtem_ood.execution.planning.previous_run import PreviousRun, closest_previous_run
from hrtem_ood.execution.planning.score_reuse import ReusableScores
from hrtem_ood.execution.planning.workload import WorkloadModel

FILES_PER_JOB = 3
"""Files per job besides artifacts: log, resource use, and Snakemake's record of the output."""

INPUTS_CHANGED = "inputs changed"


@dataclass(frozen=True)
class StagePlan:
    """What exists of a stage, what a run would create, and why.

    Attributes
    ----------
    stage : str
        Networks have a separate row besides that of packs, which are the jobs that train them.
    wanted, existing, to_make, not_needed : int
        Numbers of the campaign's artifacts: all, existing ones, those that a run would create, and missing ones that no
        job of the run depends on.
    jobs : int
    why : dict of str to int
        Number of artifacts to create, by reason.
    estimate : Estimate
    files : int
        Number of files that a run would add.
    """

    stage: str
    wanted: int
    existing: int
    to_make: int
    not_needed: int
    jobs: int
    why: dict[str, int]
    estimate: Estimate
    files: int


@dataclass(frozen=True)
class PackPlan:
    """A pack to create: numbers of its networks, of existing ones and of those to train."""

    id: str
    networks: int
    existing: int
    to_train: int


@dataclass(frozen=True)
class Plan:
    """What a run would create.

    Attributes
    ----------
    campaign : str
    stages : list of StagePlan
    packs : list of PackPlan
        Packs to create.
    cells : int
        Number of pairs of network and dataset in the evaluations to create.
    cells_reused : int
        Number of those whose scores are copied from other evaluations, by the ids of network and dataset.
    earlier : PreviousRun or None
        The most similar earlier run of the campaign.
    unreadable : dict of str to str
        Error messages of files that cannot be read, by path.
    empty : list of str
        Paths of artifacts that are empty files: a run sees them as present.
    """

    campaign: str
    stages: list[StagePlan]
    packs: list[PackPlan]
    cells: int
    cells_reused: int
    earlier: PreviousRun | None
    unreadable: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> dict[str, int]:
        """Number of jobs that would run, by rule."""
        return {STAGES[stage.stage].rule: stage.jobs for stage in self.stages if stage.jobs}

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON-like values."""
        return asdict(self) | {"jobs": self.jobs}


def plan(campaign: Campaign, results: Path) -> Plan:
    """Return what a run would create, why, and at what cost.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder, which is only read.

    Returns
    -------
    Plan
    """
    return _Planning(campaign, results).plan()


class _Planning:
    def __init__(self, campaign: Campaign, results: Path) -> None:
        self.campaign, self.results = campaign, results
        self.exists = dag.existence_check(results, campaign)
        self.missing = dag.missing_artifacts(campaign, self.exists)
        self.wanted, self.stored = CampaignArtifacts(campaign), StoredArtifacts(results)
        self.reasons = ChangeExplainer(self.wanted, self.stored)
        self.cells = ReusableScores(self.stored)
        self.costs = CostEstimator(self.stored, results, campaign.config.execution.device)
        self.workloads = WorkloadModel(self.wanted)
        self.trained = Results(results).ids("networks")
        self.earlier = closest_previous_run(campaign, results)

    def plan(self) -> Plan:
        packs = [self._pack(self.campaign.packs[id_]) for id_ in self.missing["packs"]]
        stages = [one for stage in stages_of(self.campaign) for one in self._stage(stage)]
        evaluations = [self.campaign.evaluations[id_] for id_ in self.missing["evaluations"]]
        cells = sum(len(job.networks) * len(job.suite.datasets) for job in evaluations)
        copied = sum(self.cells.count(job) for job in evaluations)
        empty = [str(path) for path in empty_artifacts(self.campaign, self.results)]
        unreadable = {path: message for path, message in self.stored.unreadable.items() if path not in empty}
        return Plan(self.campaign.name, stages, packs, cells, copied, self.earlier, unreadable, empty)

    def _pack(self, pack: PackSpec) -> PackPlan:
        existing = sum(network.id in self.trained for network in pack.networks)
        return PackPlan(pack.id, len(pack.networks), existing, len(pack.networks) - existing)

    def _stage(self, stage: str) -> Iterable[StagePlan]:
        if stage == "packs":
            yield self._networks()
        wanted, missing = dag.artifact_ids(self.campaign, stage), self.missing[stage]
        existing = sum(self.exists(stage, id_) for id_ in wanted)
        jobs = self._number_of_jobs(stage)
        files = sum(len(dag.job_outputs(stage, id_, self.campaign)) for id_ in missing) + FILES_PER_JOB * jobs
        why = Counter(self._why(stage, id_) for id_ in missing)
        estimate = self.costs.estimate(stage, self._jobs(stage, missing)) if STAGES[stage].cost else Estimate()
        absent = len(wanted) - existing - len(missing)
        yield StagePlan(stage, len(wanted), existing, len(missing), absent, jobs, _sorted(why), estimate, files)

    def _number_of_jobs(self, stage: str) -> int:
        missing = self.missing[stage]
        return len(dag.image_batches(self.campaign, missing)) if stage == "datasets" else len(missing)

    def _networks(self) -> StagePlan:
        packs = [self.campaign.packs[id_] for id_ in self.missing["packs"]]
        train = [network.id for pack in packs for network in pack.networks if network.id not in self.trained]
        existing = sum(id_ in self.trained for id_ in self.campaign.networks)
        wanted = len(self.campaign.networks)
        why = Counter(self.reasons.of("networks", id_) for id_ in train)
        estimate = self.costs.estimate("networks", self._jobs("networks", train))
        absent = wanted - existing - len(train)
        return StagePlan("networks", wanted, existing, len(train), absent, 0, _sorted(why), estimate, len(train))

    def _jobs(self, stage: str, ids: Iterable[str]) -> Iterable[Job]:
        for id_ in ids:
            work = self.workloads.of(stage, self.wanted.of(stage)[id_])
            yield Job(work, self.cells.share_unknown(self.campaign.evaluations[id_]) if stage == "evaluations" else 1)

    # --- why ----------------------------------------------------------------------------------

    def _why(self, stage: str, id_: str) -> str:
        if (self.results / "benchmarks" / stage / f"{id_}.tsv").exists():  # written by the job that created it
            return "created before, then deleted or damaged"
        if stage == "packs":
            networks = self.campaign.packs[id_].networks
            return "networks to train" if any(each.id not in self.trained for each in networks) else "grouping changed"
        if stage == "evaluations":
            return self.cells.why(self.campaign.evaluations[id_])
        if stage == "predictors":
            changed = any(self.missing[each] for each in ("exit_waves", "datasets"))
            return INPUTS_CHANGED if changed else self._why_by_configuration(())
        if stage == "metrics":
            changed = any(self.missing[each] for each in ("packs", "evaluations", "transfer"))
            return INPUTS_CHANGED if changed else self._why_by_configuration(())
        if stage == "reports":
            changed = any(self.missing[each] for each in ("metrics", "predictors"))
            return INPUTS_CHANGED if changed else self._why_by_configuration(("report", "analysis"))
        return self._why_of_index() if stage == "indexes" else self.reasons.of(stage, id_)

    def _why_by_configuration(self, sections: tuple[str, ...]) -> str:
        """Write what changed since the earlier run: in some sections of the configuration, else in all that affect scores."""
        changes = self.earlier.changes if self.earlier else ()
        texts = [change.text for change in changes if (change.section in sections if sections else change.counts)]
        return ", ".join(texts) or NEVER

    def _why_of_index(self) -> str:
        path = Results(self.results).path("indexes", self.campaign.index_id)
        others = list(path.parent.glob(f"{self.campaign.name}-*{path.suffix}"))
        return "artifact list changed" if others else NEVER


def _sorted(why: Counter[str]) -> dict[str, int]:
    return dict(why.most_common())

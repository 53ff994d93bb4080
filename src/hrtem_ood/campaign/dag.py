"""Which job makes what, and of what: the workflow's rules and `hrtem-ood plan` both ask here, so they cannot disagree."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from hrtem_ood.campaign.campaign import Campaign, artifact_path
from hrtem_ood.campaign.report_files import report_files
from hrtem_ood.campaign.test_datasets import report_datasets
from hrtem_ood.errors import HrtemOodError

RULES = {
    "structures": "build",
    "exit_waves": "simulate",
    "datasets": "image",
    "packs": "train",
    "suites": "suite",
    "evaluations": "evaluate",
    "transfer": "transfer",
    "predictors": "predictors",
    "metrics": "metrics",
    "reports": "report",
    "indexes": "index",
}
"""The rule, which is the verb too, that makes the artifacts of each stage, in the order of the data's flow."""

STAGES = tuple(RULES)

Present = Callable[[str, str], bool]
"""Tells whether an artifact (stage, id) is there."""


def artifact_ids(campaign: Campaign, stage: str) -> list[str]:
    """Ids of all artifacts of a stage that a campaign asks for."""
    single = {
        "transfer": lambda: campaign.transfer.id,
        "predictors": lambda: campaign.predictors_id,
        "metrics": lambda: campaign.metrics_id,
        "reports": lambda: campaign.report_id,
        "indexes": lambda: campaign.index_id,
    }
    return [single[stage]()] if stage in single else list(getattr(campaign, stage))


def job_inputs(campaign: Campaign, stage: str, id_: str) -> list[tuple[str, str]]:
    """Return stage and id of everything that a job reads.

    Parameters
    ----------
    campaign : Campaign
    stage, id_ : str
        Of the artifact that the job makes.

    Returns
    -------
    list of (str, str)

    Raises
    ------
    KeyError
        When the campaign asks for no such artifact.
    """
    if stage == "exit_waves":
        return [("structures", campaign.structures_of[id_].id)]
    if stage == "datasets":
        return [("exit_waves", shard.id) for shard in campaign.exit_waves_of[id_]]
    if stage == "packs":
        return [("datasets", dataset) for dataset in campaign.packs[id_].training_set.datasets]
    if stage == "suites":
        return [("datasets", dataset) for dataset in campaign.suites[id_].datasets]
    if stage == "evaluations":
        job = campaign.evaluations[id_]
        return [*(("packs", pack.id) for pack in job.packs), ("suites", job.suite.id)]
    if id_ not in artifact_ids(campaign, stage):
        raise KeyError(id_)
    transfer = ("transfer", campaign.transfer.id)
    if stage == "predictors":
        shards = [shard.id for each, _ in campaign.exit_waves_for_recipe.values() for shard in each]
        datasets = sorted({*campaign.training_datasets, *campaign.test_dataset_ids})
        return [*(("exit_waves", id_) for id_ in shards), *(("datasets", id_) for id_ in datasets)]
    if stage == "metrics":
        gathered = [(stage, each) for stage in ("evaluations", "packs") for each in artifact_ids(campaign, stage)]
        return [*gathered, transfer]
    if stage == "reports":
        shown = [("datasets", dataset) for group in report_datasets(campaign).values() for dataset in group]
        return [("metrics", campaign.metrics_id), ("predictors", campaign.predictors_id), transfer, *shown]
    return []


def job_outputs(stage: str, id_: str, campaign: Campaign | None = None) -> list[str]:
    """Paths of an artifact's files, below the results folder; the first is written last.

    What belongs to a report depends on the campaign; without one, these are all files that there may be.
    """
    path = artifact_path(stage, id_)
    return [f"{path}/{name}" for name in report_files(campaign)] if stage == "reports" else [path]


def default_targets(campaign: Campaign) -> list[tuple[str, str]]:
    """Return stage and id of what a whole run makes in the end."""
    return [(stage, id_) for stage in ("metrics", "reports", "indexes") for id_ in artifact_ids(campaign, stage)]


def existence_check(results: Path, campaign: Campaign) -> Present:
    """Return a function that tells which artifacts are there; it looks into each stage's folder once.

    A report is there when all files are that it has of this campaign.

    Raises
    ------
    HrtemOodError
        Where a folder is none.
    """
    for path in (results, *(results / stage for stage in STAGES)):
        if path.exists() and not path.is_dir():
            raise HrtemOodError(f"{path} is no folder, but results are to go there. Move it away.")

    @cache
    def names(folder: str) -> frozenset[str]:
        try:
            with os.scandir(results / folder) as entries:
                return frozenset(entry.name for entry in entries)
        except FileNotFoundError:
            return frozenset()

    def is_there(stage: str, id_: str) -> bool:
        paths = (path.rpartition("/") for path in job_outputs(stage, id_, campaign))
        return all(name in names(folder) for folder, _, name in paths)

    return is_there


def missing_artifacts(
    campaign: Campaign, is_there: Present, wanted: Iterable[tuple[str, str]] | None = None
) -> dict[str, list[str]]:
    """Return what a run would make: what is missing and needed.

    An artifact's name says what is in it, so one that is there needs nothing: neither an older input nor a missing one
    makes it anew. Hence the walk back from what is wanted ends at whatever is there.

    Parameters
    ----------
    campaign : Campaign
    is_there : callable
        From :func:`existence_check`.
    wanted : iterable of (str, str), optional
        Stages and ids; by default :func:`default_targets`.

    Returns
    -------
    dict of str to list of str
        Ids by stage, for every stage, in the order of the data's flow.
    """
    ahead = list(default_targets(campaign) if wanted is None else wanted)
    found = dict.fromkeys(each for each in ahead if not is_there(*each))
    ahead = list(found)
    while ahead:
        for each in job_inputs(campaign, *ahead.pop()):
            if each not in found and not is_there(*each):
                found[each] = None
                ahead.append(each)
    missing: dict[str, list[str]] = {stage: [] for stage in STAGES}
    for stage, id_ in found:
        missing[stage].append(id_)
    return missing

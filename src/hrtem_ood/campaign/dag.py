"""Inputs and outputs of all jobs. The workflow's rules and ``hrtem-ood plan`` both use them, so that they agree."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.packs import split_evenly
from hrtem_ood.campaign.report_files import report_files
from hrtem_ood.campaign.stage_table import FILE_STAGES, JOB_STAGES, STAGES, Artifact
from hrtem_ood.errors import HrtemOodError

ExistenceCheck = Callable[[str, str], bool]
"""Takes stage and id of an artifact, and returns whether it exists."""


def artifact_ids(campaign: Campaign, stage: str) -> list[str]:
    """Ids of all artifacts of a stage that belong to a campaign."""
    return list(STAGES[stage].ids(campaign))


def job_counts(campaign: Campaign) -> dict[str, int]:
    """Jobs of a run from scratch, by rule, in the order of the data's flow."""
    needed = missing_artifacts(campaign, lambda *_: False)
    counts = {JOB_STAGES[stage].rule: len(ids) for stage, ids in needed.items()}
    return counts | {STAGES["datasets"].rule: len(image_batches(campaign, needed["datasets"]))}


def job_inputs(campaign: Campaign, stage: str, id_: str) -> list[Artifact]:
    """Return all artifacts that a job reads.

    Parameters
    ----------
    campaign : Campaign
    stage, id_ : str
        Of the artifact that the job creates.

    Returns
    -------
    list of Artifact

    Raises
    ------
    KeyError
        When the campaign has no such artifact.
    """
    if id_ not in STAGES[stage].ids(campaign):
        raise KeyError(id_)
    return STAGES[stage].inputs(campaign, id_)


def job_outputs(stage: str, id_: str, campaign: Campaign | None = None) -> list[str]:
    """Paths of an artifact's files, below the results folder; the first is written last.

    The files of a report depend on the campaign; without one, these are all files that a report can have.
    """
    path = STAGES[stage].path(id_)
    return [f"{path}/{name}" for name in report_files(campaign)] if stage == "reports" else [path]


def default_targets(campaign: Campaign) -> list[Artifact]:
    """Return the final artifacts of a whole run."""
    return [Artifact(stage.name, id_) for stage in STAGES.values() if stage.is_target for id_ in stage.ids(campaign)]


def existence_check(results: Path, campaign: Campaign) -> ExistenceCheck:
    """Return a function that checks whether artifacts exist; it lists each stage's folder once.

    A report exists when all its files for this campaign exist.

    Raises
    ------
    HrtemOodError
        Where a file has the name of a folder.
    """
    for path in (results, *(results / stage for stage in FILE_STAGES)):
        if path.exists() and not path.is_dir():
            raise HrtemOodError(f"{path} is not a folder, but results are written there. Move it away.")

    @cache
    def names(folder: str) -> frozenset[str]:
        try:
            with os.scandir(results / folder) as entries:
                return frozenset(entry.name for entry in entries)
        except FileNotFoundError:
            return frozenset()

    def exists(stage: str, id_: str) -> bool:
        paths = (path.rpartition("/") for path in job_outputs(stage, id_, campaign))
        return all(name in names(folder) for folder, _, name in paths)

    return exists


def image_batches(campaign: Campaign, ids: Iterable[str]) -> list[list[str]]:
    """Divide datasets into groups that one job images each, from the same exit waves.

    Parameters
    ----------
    campaign : Campaign
    ids : iterable of str
        Of the datasets, as from :func:`missing_artifacts`.

    Returns
    -------
    list of list of str
    """
    chosen = frozenset(ids)
    by_waves: dict[tuple[str, ...], list[str]] = {}
    for id_, shards in campaign.exit_waves_of.items():
        if id_ in chosen:
            by_waves.setdefault(tuple(shard.id for shard in shards), []).append(id_)
    largest = campaign.config.execution.datasets_per_job
    return [batch for ids in by_waves.values() for batch in split_evenly(ids, largest)]


def missing_artifacts(
    campaign: Campaign, exists: ExistenceCheck, targets: Iterable[tuple[str, str]] | None = None
) -> dict[str, list[str]]:
    """Return the artifacts that a run would create: those that are missing and needed.

    An id determines the content of its artifact, so one that exists is never created again: neither an older input nor
    a missing one matters. The walk back from the targets therefore ends at whatever exists.

    Parameters
    ----------
    campaign : Campaign
    exists : callable
        From :func:`existence_check`.
    targets : iterable of (str, str), optional
        Stages and ids; by default :func:`default_targets`.

    Returns
    -------
    dict of str to list of str
        Ids by stage, for every stage that has jobs, in the order of the data's flow.
    """
    pending = [Artifact(*each) for each in (default_targets(campaign) if targets is None else targets)]
    needed = dict.fromkeys(each for each in pending if not exists(*each))
    pending = list(needed)
    while pending:
        for each in job_inputs(campaign, *pending.pop()):
            if each not in needed and not exists(*each):
                needed[each] = None
                pending.append(each)
    missing: dict[str, list[str]] = {stage: [] for stage in JOB_STAGES}
    for stage, id_ in needed:
        missing[stage].append(id_)
    return missing

"""The jobs of a campaign in SLURM's queue, recognised by name, folder and comment: no list of them is kept."""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.stage_table import JOB_STAGES
from hrtem_ood.execution.slurm_client import cancel_jobs, kill_job, user_queue

TASKS = "tasks"
"""End of the name of an array of networks; other jobs end with the UUID of a run of Snakemake."""

STAGE_OF_RULE = {stage.rule: name for name, stage in JOB_STAGES.items()}


@dataclass(frozen=True)
class QueuedJob:
    """A job in the queue.

    Attributes
    ----------
    number : str
        Of the job, for SLURM.
    name : str
    state : str
        ``PENDING``, ``RUNNING``, …
    reason : str
        Why it waits, if it does.
    folder : Path
        Working directory at submission.
    stage, id : str or None
        Of the artifact that it creates, if it is a job of the workflow.
    """

    number: str
    name: str
    state: str
    reason: str
    folder: Path
    stage: str | None
    id: str | None


def controller_name(campaign: str, folder: Path) -> str:
    """Name of the SLURM job that runs a campaign in a folder."""
    return f"hrtem-ood-{prefix(campaign, folder)}"


def prefix(campaign: str, folder: Path) -> str:
    """Prefix of the names of the SLURM jobs that a campaign's head submits from a folder.

    Names of jobs allow few characters. The digest distinguishes campaigns such as ``x.1`` and ``x-1``.
    """
    exact = json.dumps([campaign, str(folder)])
    digest = hashlib.sha256(exact.encode(errors="surrogateescape")).hexdigest()[:10]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', campaign)[:32]}-{digest}"


def queued_jobs() -> list[QueuedJob]:
    """Return all jobs of this user that have not ended, each array once.

    Raises
    ------
    SlurmError
    """
    jobs: dict[str, QueuedJob] = {}
    for row in user_queue():
        rule = re.fullmatch(r"rule_(\w+)_wildcards_(\S+)", row.comment)
        stage, id_ = (STAGE_OF_RULE.get(rule[1]), rule[2]) if rule else (None, None)
        if row.number not in jobs or row.state != "PENDING":  # of an array, a task that runs counts
            jobs[row.number] = QueuedJob(row.number, row.name, row.state, row.reason, Path(row.folder), stage, id_)
    return list(jobs.values())


def controller_jobs(campaign: str, folder: Path) -> list[QueuedJob]:
    """Return the jobs that run a campaign in a folder: one, or none."""
    name = controller_name(campaign, folder)
    return [job for job in queued_jobs() if job.name == name and job.folder == folder]


def submitted_jobs(campaign: str, folder: Path) -> list[QueuedJob]:
    """Return the jobs that heads of a campaign, and of no other one, have submitted from a folder."""
    name = re.compile(
        rf"{re.escape(prefix(campaign, folder))}_({TASKS}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})"
    )
    return [job for job in queued_jobs() if name.fullmatch(job.name) and job.folder == folder]


def running_jobs(campaign: Campaign, folder: Path) -> list[QueuedJob]:
    """Return the started jobs in a folder that create artifacts of a campaign, submitted by any campaign."""
    ids = {name: stage.ids(campaign) for name, stage in JOB_STAGES.items()}
    return [
        job
        for job in queued_jobs()
        if job.folder == folder and job.stage is not None and job.id in ids[job.stage] and job.state != "PENDING"
    ]


def cancel_campaign(campaign: str, folder: Path) -> tuple[int, int]:
    """Cancel a campaign's head, then its jobs; return how many of either.

    Raises
    ------
    SlurmError
    """
    heads = controller_jobs(campaign, folder)
    for job in heads:
        # after SIGTERM it has half a minute, in which it might submit more jobs
        kill_job(job.number)
    cancel_jobs(*(job.number for job in heads))
    numbers: set[str] = set()
    for _ in range(3):  # a job may reach the queue late
        queued = [job.number for job in submitted_jobs(campaign, folder)]
        cancel_jobs(*queued)
        numbers.update(queued)
        time.sleep(0.5)
    return len(heads), len(numbers)

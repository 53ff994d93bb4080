"""The jobs of a campaign in SLURM's queue, found by what they are for; nothing has to be remembered for it."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.stage_table import JOB_STAGES
from hrtem_ood.execution.slurm_client import run_slurm_command

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
    folder : Path
        Where it was submitted.
    stage, id : str or None
        Of the artifact that it makes, if it is a job of the workflow.
    """

    number: str
    name: str
    state: str
    folder: Path
    stage: str | None
    id: str | None


def controller_name(campaign: str) -> str:
    """Name of the SLURM job that runs a campaign."""
    return f"hrtem-ood-{campaign}"


def prefix(campaign: str) -> str:
    """Begin of the names of the SLURM jobs that a campaign's head submits."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", campaign)


def queued_jobs() -> list[QueuedJob]:
    """Return all jobs of this user that are not over, each array once.

    Raises
    ------
    SlurmError
    """
    # the comment comes last: it may hold anything
    answer = run_slurm_command("squeue", "--me", "--noheader", "--format=%F|%j|%T|%Z|%k")
    found = {}
    for line in answer.splitlines():
        number, name, state, folder, comment = line.split("|", 4)
        made = re.fullmatch(r"rule_(\w+)_wildcards_(\S+)", comment)
        stage, id_ = (STAGE_OF_RULE.get(made[1]), made[2]) if made else (None, None)
        job = QueuedJob(number, name, state, Path(folder), stage, id_)
        if number not in found or state != "PENDING":  # of an array, a task that runs counts
            found[number] = job
    return list(found.values())


def controller_jobs(campaign: str, folder: Path) -> list[QueuedJob]:
    """Return the jobs that run a campaign in a folder: one, or none."""
    return [job for job in queued_jobs() if job.name == controller_name(campaign) and job.folder == folder]


def submitted_jobs(campaign: str, folder: Path) -> list[QueuedJob]:
    """Return the jobs that heads of a campaign have submitted from a folder."""
    begin = f"{prefix(campaign)}_"
    return [job for job in queued_jobs() if job.name.startswith(begin) and job.folder == folder]


def running_jobs(campaign: Campaign, folder: Path) -> list[QueuedJob]:
    """Return the jobs that have begun, in a folder, to make something that a campaign asks for, whoever submitted them."""
    ids = {name: stage.ids(campaign) for name, stage in JOB_STAGES.items()}
    return [
        job
        for job in queued_jobs()
        if job.folder == folder and job.stage is not None and job.id in ids[job.stage] and job.state != "PENDING"
    ]


def cancel(found: Iterable[QueuedJob]) -> None:
    """Cancel jobs."""
    numbers = [job.number for job in found]
    if numbers:
        run_slurm_command("scancel", *numbers)


def cancel_campaign(campaign: str, folder: Path) -> tuple[int, int]:
    """Cancel a campaign's head, then its jobs; return how many of either.

    Raises
    ------
    SlurmError
    """
    found = controller_jobs(campaign, folder)
    for job in found:
        # at once: one that is asked kindly has half a minute to submit more
        run_slurm_command("scancel", "--signal=KILL", "--full", job.number)
    cancel(found)
    jobs_: dict[str, QueuedJob] = {}
    for _ in range(3):  # one may have been on its way to the queue
        there = submitted_jobs(campaign, folder)
        cancel(there)
        jobs_ |= {job.number: job for job in there}
        time.sleep(0.5)
    return len(found), len(jobs_)

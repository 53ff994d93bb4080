"""Progress of a campaign as a table."""

from collections.abc import Iterator

from rich.console import Group, RenderableType

from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.cli.render.empty_files import empty_files_line
from hrtem_ood.cli.render.quantities import format_duration, format_hours
from hrtem_ood.execution.status import RUNNING, JobStatus, StageStatus, Status

MAX_JOBS = 10
"""Largest number of jobs of each kind that are listed; the others are counted."""


def status_table(status: Status) -> RenderableType:
    """Return a status as a table, with the running and failed jobs below it."""
    table = make_table(
        f"Campaign {status.campaign}",
        "stage",
        *numbers("of", "done", "running", "failed", "ready", "blocked", "per hour", "hours left"),
    )
    for stage in status.stages:
        table.add_row(*_row(stage))
    return Group(table, *_lines(status))


def _row(stage: StageStatus) -> tuple[str, ...]:
    counts = (stage.running, stage.failed, stage.ready, stage.blocked)
    rate = "" if stage.rate_per_h is None or not any(counts) else _rate(stage.rate_per_h)
    return (
        STAGES[stage.stage].label,
        f"{stage.wanted:,}",
        f"{stage.done:,}",
        *(f"{count:,}" if count else "" for count in counts),
        rate,
        format_hours(stage.remaining_h),
    )


def _rate(per_hour: float) -> str:
    return f"{per_hour:,.0f}" if per_hour >= 100 else f"{per_hour:.3g}"


def _lines(status: Status) -> Iterator[str]:
    running = [job for job in status.jobs if job.state in RUNNING]
    ended = [job for job in status.jobs if job.state not in RUNNING]
    for job in running[:MAX_JOBS]:
        yield f"{_name(job)}: {job.state} for {format_duration(job.hours)} on {job.where}{_progress(job)}"
    if len(running) > MAX_JOBS:
        yield f"and {len(running) - MAX_JOBS} more running jobs"
    for job in ended[:MAX_JOBS]:
        duration = format_duration(job.hours)
        when = f"started {duration} ago" if job.state == "lost" else f"after {duration}"
        yield f"{_name(job)}: {job.state}, {when}, on {job.where}{_progress(job)}"
        if job.error and not any(job.error.splitlines()[0] in line for line in job.last_lines):
            yield f"  {job.error}"
        if job.last_lines:
            yield "\n".join(f"  | {line}" for line in job.last_lines)
        yield f"  log: {job.log}"
    if len(ended) > MAX_JOBS:
        yield f"and {len(ended) - MAX_JOBS} more jobs that failed, see results/jobs"
    for waiting in status.waiting[:MAX_JOBS]:
        what = f"{waiting.stage}/{waiting.id}" if waiting.stage else "a job of this campaign"
        outlook = "never starts" if waiting.never else "waits"
        keys = f"; see {', '.join(waiting.keys)} in the profile" if waiting.keys else ""
        yield f"{what}: SLURM job {waiting.slurm_job} {outlook}, SLURM's reason is {waiting.reason}{keys}"
    yield from _outcome(status, is_running=bool(running))


def _outcome(status: Status, *, is_running: bool) -> Iterator[str]:
    yield from (f"Note: {note}" for note in status.notes)
    if status.empty:
        yield empty_files_line(status.empty)
    if status.done:
        yield "The campaign is finished."
    elif not is_running:
        yield "No job is running."


def _name(job: JobStatus) -> str:
    return f"{job.stage}/{job.id}"


def _progress(job: JobStatus) -> str:
    return "" if job.networks is None else f", {job.networks[0]} of {job.networks[1]} networks are trained"

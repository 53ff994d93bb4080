"""How a campaign is getting on, as a table for people."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hrtem_ood.execution.status import RUNNING, JobStatus, StageStatus, Status

SHOWN = 10
"""Jobs of each kind that are told of."""


def status_table(status: Status) -> RenderableType:
    """Return a status as a table, and what runs and what failed below."""
    table = Table(title=f"Campaign {status.campaign}", title_justify="left")
    table.add_column("stage")
    for name in ("of", "done", "running", "failed", "ready", "blocked", "per hour", "hours left"):
        table.add_column(name, justify="right")
    for stage in status.stages:
        table.add_row(*_row(stage))
    return Group(table, *_lines(status))


def _row(stage: StageStatus) -> tuple[str, ...]:
    counts = (stage.running, stage.failed, stage.ready, stage.blocked)
    rate = "" if stage.rate_per_h is None or not any(counts) else f"{stage.rate_per_h:,.3g}"
    left = "" if stage.remaining_h is None else f"{stage.remaining_h:,.2g}"
    name = stage.stage.replace("_", " ")
    return (
        name,
        f"{stage.wanted:,}",
        f"{stage.done:,}",
        *(f"{count:,}" if count else "" for count in counts),
        rate,
        left,
    )


def _lines(status: Status) -> Iterator[RenderableType]:
    running = [job for job in status.jobs if job.state in RUNNING]
    ended = [job for job in status.jobs if job.state not in RUNNING]
    for job in running[:SHOWN]:
        yield Text(f"{_name(job)}: {job.state} for {_duration(job.hours)} on {job.where}{_progress(job)}")
    if len(running) > SHOWN:
        yield f"and {len(running) - SHOWN} more running jobs"
    for job in ended[:SHOWN]:
        when = f"begun {_duration(job.hours)} ago" if job.state == "lost" else f"after {_duration(job.hours)}"
        yield Text(f"{_name(job)}: {job.state}, {when}, on {job.where}{_progress(job)}")
        if job.error and not any(job.error.splitlines()[0] in line for line in job.last_lines):
            yield Text(f"  {job.error}")
        if job.last_lines:
            yield Text("\n".join(f"  | {line}" for line in job.last_lines))
        yield Text(f"  log: {job.log}")
    if len(ended) > SHOWN:
        yield f"and {len(ended) - SHOWN} more jobs that did not end well, see results/jobs"
    if status.done:
        yield "All is there."
    elif not running:
        yield "No job is running."


def _name(job: JobStatus) -> str:
    return f"{job.stage}/{job.id}"


def _progress(job: JobStatus) -> str:
    return "" if job.networks is None else f", {job.networks[0]} of {job.networks[1]} networks are trained"


def _duration(hours: float) -> str:
    minutes = hours * 60
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.0f} min" if minutes >= 1 else f"{minutes * 60:.0f} s"

"""Plans, and what is not needed, as tables for people."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.execution.planning.cost_estimate import Estimate
from hrtem_ood.execution.planning.garbage import Garbage
from hrtem_ood.execution.planning.plan import PackPlan, Plan, StagePlan

REASONS = 4
"""Reasons of a stage that are told; of the others, only how many artifacts they are of."""

CHANGES = 8


def plan_table(plan: Plan) -> RenderableType:
    """Return a plan as a table, with a few lines below."""
    table = Table(title=f"Campaign {plan.campaign}: what a run would make", title_justify="left")
    table.add_column("stage")
    for name in ("there", "to make", "not needed", "jobs"):
        table.add_column(name, justify="right")
    table.add_column("why", overflow="fold")
    for name in ("CPU h", "GPU h", "size"):
        table.add_column(name, justify="right")
    for stage in plan.stages:
        table.add_row(*_row(stage))
    total = sum(stage.jobs for stage in plan.stages)
    size = sum(stage.estimate.bytes for stage in plan.stages)
    files = sum(stage.files for stage in plan.stages)
    table.add_section()
    table.add_row("", "", "", "", f"{total:,}", f"{files:,} files", "", "", _bytes(size) if total else "")
    return Group(table, *_lines(plan))


def _row(stage: StagePlan) -> tuple[str, ...]:
    rule = STAGES[stage.stage].rule
    why = [f"{reason}: {count:,}" if len(stage.why) > 1 else reason for reason, count in stage.why.items()]
    if len(why) > REASONS:
        rest = sum(list(stage.why.values())[REASONS:])
        why = [*why[:REASONS], f"{len(why) - REASONS} other reasons: {rest:,}"]
    estimate = stage.estimate
    counted = STAGES[stage.stage].cost and stage.to_make
    return (
        stage.stage.replace("_", " "),
        f"{stage.there:,}",
        f"{stage.to_make:,}",
        f"{stage.not_needed:,}" if stage.not_needed else "",
        f"{stage.jobs:,} {rule}" if rule and stage.jobs else "",
        "\n".join(why),
        _hours(estimate.cpu_hours),
        _hours(estimate.gpu_hours),
        _bytes(estimate.bytes) if counted else "",
    )


def _lines(plan: Plan) -> Iterator[str]:
    if not plan.jobs:
        yield "Nothing is to be made."
    if plan.earlier and plan.earlier.changes:
        texts = [change.text for change in plan.earlier.changes]
        more = [f"and {len(texts) - CHANGES} more"] if len(texts) > CHANGES else []
        yield f"Compared with configs/{plan.earlier.config}.json: {'; '.join([*texts[:CHANGES], *more])}"
    if plan.packs:
        yield _of_packs(plan.packs)
    if plan.cells:
        yield (
            f"Evaluations to be made hold {plan.cells:,} pairs of network and dataset; scores of {plan.cells_known:,} "
            "are known and are copied."
        )
    yield from _of_costs([(stage.stage, stage.estimate) for stage in plan.stages if stage.to_make])
    for path, message in plan.unreadable.items():
        yield f"{path} is passed over: {message}"


def _of_packs(packs: list[PackPlan]) -> str:
    train, there = sum(pack.to_train for pack in packs), sum(pack.there for pack in packs)
    most = max(pack.to_train for pack in packs)
    return (
        f"{len(packs):,} packs have {train + there:,} networks: {train:,} are to be trained, {most} in one job at most; "
        f"{there:,} are there."
    )


def _of_costs(estimates: list[tuple[str, Estimate]]) -> Iterator[str]:
    measured = [f"{stage.replace('_', ' ')} ({each.finished:,})" for stage, each in estimates if each.finished]
    counted = [stage for stage, each in estimates if STAGES[stage].cost]
    default = [stage.replace("_", " ") for stage, each in estimates if STAGES[stage].cost and not each.finished]
    if measured:
        yield f"Hours and sizes are those of finished artifacts of {', '.join(measured)}."
    if default:
        yield f"Hours and sizes by defaults, to be taken as orders of magnitude: {', '.join(default)}."
    if any(each.cpu_hours is not None and each.gpu_hours is not None for _, each in estimates):
        yield "CPU hours are of one core; where there are both, it takes the one or the other. GPU hours are not measured."
    elif counted:
        yield "CPU hours are of one core."
    unknown = {stage: each.unknown for stage, each in estimates if each.unknown}
    for stage, count in unknown.items():
        yield f"Of {count:,} {stage.replace('_', ' ')} the cost is unknown, and not counted."


def garbage_table(found: Garbage) -> RenderableType:
    """Return what is not needed as a table, and what to know before it is deleted."""
    if not found.files:
        return Group("The campaigns need all that is there.", *(f"Kept: {what}." for what in found.kept))
    table = Table(title="Needed by none of the campaigns", title_justify="left")
    table.add_column("what")
    table.add_column("files", justify="right")
    table.add_column("size", justify="right")
    for group, paths in found.files.items():
        table.add_row(group.replace("_", " "), f"{len(paths):,}", _bytes(found.bytes(group)))
    table.add_section()
    table.add_row("", f"{len(found.sizes):,}", _bytes(sum(found.sizes.values())))
    return Group(table, *_of_others(found), *(f"Kept: {what}." for what in found.kept))


def _of_others(found: Garbage) -> Iterator[str]:
    for name, count in found.others.items():
        files = "it cannot be told how many of these files are" if count < 0 else f"{count:,} of these files are"
        yield f"Campaign {name} was run here and is not named: {files} its own. Name its configuration to keep them."


def _hours(hours: float | None) -> str:
    if hours is None:
        return ""
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 else f"{hours:.2g}"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"

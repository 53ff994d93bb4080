"""Plans as tables."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType

from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.cli.render.console import folded, make_table, numbers
from hrtem_ood.cli.render.empty_files import empty_files_line
from hrtem_ood.cli.render.quantities import format_bytes, format_hours
from hrtem_ood.execution.planning.cost_estimate import GPU_OPERATIONS_PER_S, OF_BFLOAT16, Estimate
from hrtem_ood.execution.planning.plan import PackPlan, Plan, StagePlan

MAX_REASONS = 4
"""Reasons of a stage that are listed; the others are counted."""

MAX_UNREADABLE = 3
"""Most messages about files that cannot be read; thousands of files may be those of an earlier version."""

MAX_CHANGES = 8
"""Changes of the configuration that are listed; the others are counted."""


def plan_table(plan: Plan) -> RenderableType:
    """Return a plan as a table, with remarks below it."""
    table = make_table(
        f"Campaign {plan.campaign}: artifacts of a run",
        "stage",
        *numbers("exist", "to create", "not needed", "jobs"),
        folded("why"),
        *numbers("CPU h", "GPU h", "size"),
    )
    for stage in plan.stages:
        table.add_row(*_row(stage))
    total = sum(stage.jobs for stage in plan.stages)
    size = sum(stage.estimate.bytes for stage in plan.stages)
    files = sum(stage.files for stage in plan.stages)
    table.add_section()
    cpu, gpu = (_sum(getattr(stage.estimate, f"{kind}_hours") for stage in plan.stages) for kind in ("cpu", "gpu"))
    hours = (format_hours(cpu), format_hours(gpu))
    table.add_row("", "", "", "", f"{total:,}", f"{files:,} files", *hours, format_bytes(size) if total else "")
    return Group(table, *_remarks(plan))


def _sum(hours: Iterable[float | None]) -> float | None:
    """Add the hours that are known; None where none is."""
    known = [each for each in hours if each is not None]
    return sum(known) if known else None


def _row(stage: StagePlan) -> tuple[str, ...]:
    rule = STAGES[stage.stage].rule
    why = [f"{reason}: {count:,}" if len(stage.why) > 1 else reason for reason, count in stage.why.items()]
    if len(why) > MAX_REASONS:
        rest = sum(list(stage.why.values())[MAX_REASONS:])
        why = [*why[:MAX_REASONS], f"{len(why) - MAX_REASONS} other reasons: {rest:,}"]
    estimate = stage.estimate
    estimated = STAGES[stage.stage].cost and stage.to_make
    return (
        STAGES[stage.stage].label,
        f"{stage.existing:,}",
        f"{stage.to_make:,}",
        f"{stage.not_needed:,}" if stage.not_needed else "",
        f"{stage.jobs:,} {rule}" if rule and stage.jobs else "",
        "\n".join(why),
        format_hours(estimate.cpu_hours),
        format_hours(estimate.gpu_hours),
        format_bytes(estimate.bytes) if estimated else "",
    )


def _remarks(plan: Plan) -> Iterator[str]:
    if plan.empty:
        yield empty_files_line(plan.empty)
    elif not plan.jobs:
        yield "Nothing to do."
    if plan.earlier and plan.earlier.changes:
        texts = [change.text for change in plan.earlier.changes]
        more = [f"and {len(texts) - MAX_CHANGES} more"] if len(texts) > MAX_CHANGES else []
        yield f"Compared with configs/{plan.earlier.config}.json: {'; '.join([*texts[:MAX_CHANGES], *more])}"
    if plan.packs:
        yield _of_packs(plan.packs)
    if plan.cells:
        yield (
            f"New evaluations hold {plan.cells:,} pairs of network and dataset; the scores of {plan.cells_reused:,} "
            "exist and are copied."
        )
    yield from _of_costs([(stage.stage, stage.estimate) for stage in plan.stages if stage.to_make])
    messages = list(plan.unreadable.values())
    for message in messages[:MAX_UNREADABLE]:
        yield f"Ignored: {message}"
    if len(messages) > MAX_UNREADABLE:
        yield (
            f"{len(messages) - MAX_UNREADABLE:,} more files cannot be read and are ignored; `hrtem-ood check` lists them all. "
            "`hrtem-ood gc` lists those of earlier versions, which carry no digest."
        )


def _of_packs(packs: list[PackPlan]) -> str:
    train, exist = sum(pack.to_train for pack in packs), sum(pack.existing for pack in packs)
    most = max(pack.to_train for pack in packs)
    return (
        f"{len(packs):,} packs have {train + exist:,} networks: {train:,} to train, at most {most} in one job; "
        f"{exist:,} exist."
    )


def _of_gpu_hours(estimates: list[tuple[str, Estimate]]) -> Iterator[str]:
    """Yield the card on which GPU hours were measured, or what they assume."""
    labels: dict[str | None, list[str]] = {}
    for stage, each in estimates:
        if each.gpu_hours is not None:
            labels.setdefault(each.card, []).append(STAGES[stage].label)
    for card, stages in labels.items():
        yield (
            f"GPU hours of {', '.join(stages)} are assumed where none like them was measured: "
            f"{GPU_OPERATIONS_PER_S:.0e} operations per second in bfloat16, 1/{OF_BFLOAT16['tf32']:g} of that in TF32, "
            f"1/{OF_BFLOAT16['float32']:g} in float32."
            if card is None
            else f"GPU hours of {', '.join(stages)} are measured on {card}."
        )
    unknown = [STAGES[stage].label for stage, each in estimates if each.gpu_unknown]
    if unknown:
        yield f"On a GPU, {', '.join(unknown)} take less; no rate is known yet, so their hours are those of the CPU."


def _of_costs(estimates: list[tuple[str, Estimate]]) -> Iterator[str]:
    measured = [f"{STAGES[stage].label} ({each.finished:,})" for stage, each in estimates if each.finished]
    default = [STAGES[stage].label for stage, each in estimates if STAGES[stage].cost and not each.finished]
    if measured:
        yield f"Hours and sizes from finished artifacts: {', '.join(measured)}."
    small = [STAGES[stage].label for stage, each in estimates if each.from_small]
    if small:
        yield f"Those of {', '.join(small)} are of far smaller ones, which took their time to start: likely too many hours."
    if default:
        yield f"Hours and sizes from defaults, orders of magnitude only: {', '.join(default)}."
    if any(each.cpu_hours is not None and each.gpu_hours is not None for _, each in estimates):
        yield "CPU hours are of one core. A stage with both needs either CPU or GPU hours."
    elif any(each.cpu_hours is not None for _, each in estimates):
        yield "CPU hours are of one core."
    yield from _of_gpu_hours(estimates)
    for stage, each in estimates:
        if each.unknown:
            yield f"The cost of {each.unknown:,} {STAGES[stage].label} is unknown, and not included."

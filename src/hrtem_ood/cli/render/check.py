"""The check of a results folder, as a table."""

from pathlib import Path

from rich.console import Group, RenderableType

from hrtem_ood.cli.render.console import folded, make_table, note
from hrtem_ood.cli.render.quantities import format_bytes
from hrtem_ood.execution.check import Check


def check_table(checked: Check) -> RenderableType:
    """Return the damaged files, what to do about them, and how much was checked."""
    parts: list[RenderableType] = []
    if checked.damaged:
        table = make_table("Damaged files", folded("file"), folded("what is wrong"))
        for path, message in checked.damaged.items():
            table.add_row(str(Path(path).relative_to(checked.results)), _without_path(message, path))
        parts.append(table)
    number = sum(checked.files.values())
    parts.append(
        f"{number:,} files of {checked.results} were checked, {format_bytes(checked.bytes)}: "
        f"{len(checked.damaged):,} damaged."
    )
    if checked.damaged:
        parts.append(
            "Delete the damaged files and run snakemake again. It creates those that the campaign needs again, and no others. "
            "For a damaged network, delete its pack (packs/), too. Files without a digest are of an earlier version; "
            "`hrtem-ood gc` lists those that no campaign uses."
        )
    if checked.foreign:
        names = ", ".join(str(Path(path).relative_to(checked.results)) for path in checked.foreign[:5])
        more = f" and {len(checked.foreign) - 5:,} more" if len(checked.foreign) > 5 else ""
        parts.append(note(f"not files of hrtem-ood, and not checked: {names}{more}"))
    return Group(*parts)


def _without_path(message: str, path: str) -> str:
    """Shorten a message that is printed beside its path: drop the path and the advice."""
    text = message.removeprefix(path).strip().split(f" Delete {path}")[0]
    return text if len(text) <= 240 else f"{text[:240]}…"

"""Files that no campaign uses, as a table."""

from collections.abc import Iterator

from rich.console import Group, RenderableType

from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.cli.render.quantities import format_bytes
from hrtem_ood.execution.planning.garbage import Garbage


def garbage_table(unused: Garbage) -> RenderableType:
    """Return a table of the unused files by kind, with remarks on what to consider before they are deleted."""
    remarks = [*_of_other_campaigns(unused), *(f"Kept: {what}." for what in unused.kept)]
    if not unused.files:
        return Group("Nothing to delete." if unused.kept else "The campaigns use all files.", *remarks)
    table = make_table("Used by none of the campaigns", "kind", *numbers("files", "size"))
    for group, paths in unused.files.items():
        table.add_row(group.replace("_", " "), f"{len(paths):,}", format_bytes(unused.bytes(group)))
    table.add_section()
    table.add_row("", f"{len(unused.states):,}", format_bytes(sum(unused.sizes.values())))
    return Group(table, *remarks)


def _of_other_campaigns(unused: Garbage) -> Iterator[str]:
    if not unused.files:
        return
    for name, count in unused.others.items():
        number = "an unknown number" if count < 0 else f"{count:,}"
        yield (
            f"Campaign {name} was run here and is not among those given. It uses {number} of these files. Add its "
            "configuration to keep them."
        )

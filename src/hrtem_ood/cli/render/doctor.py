"""Checks of a machine as a table."""

from collections.abc import Iterable

from rich.table import Table

from hrtem_ood.cli.render.console import colored_state, folded, make_table
from hrtem_ood.execution.machine_check import Check


def checks_table(checks: Iterable[Check]) -> Table:
    """Return a table of checks: their states, details, and how to fix what is wrong."""
    table = make_table("Checks of this machine", "check", "state", folded("details"), folded("fix"))
    for check in checks:
        table.add_row(check.name, colored_state(check.state), check.details, check.fix)
    return table

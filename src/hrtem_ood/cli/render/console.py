"""The terminal: its width, and one style for tables.

Text is not read as markup, so a name such as ``[a]`` is printed unchanged. Control characters are printed as escapes.
"""

import sys
from typing import Any, Literal

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from hrtem_ood.errors import printable

WIDTH = 120
"""Width where the output is not a terminal [characters]."""


class _Console(Console):
    """Every text of a table, a group or a line passes through ``render_str``."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def make_console() -> Console:
    """Return a console for the standard output."""
    width = None if sys.stdout.isatty() else WIDTH
    return _Console(width=width, markup=False, emoji=False, highlight=False)


def print_on_terminal(*renderables: RenderableType) -> None:
    """Print tables and texts, one below the other."""
    console = make_console()
    for renderable in renderables:
        console.print(renderable)


def make_table(title: str, *columns: str | Column, caption: str | None = None) -> Table:
    """Return a table without rows.

    Parameters
    ----------
    title : str
    *columns : str or Column
        Heads of columns of text, or columns from :func:`numbers` and :func:`folded`.
    caption : str, optional
        Text below the table.
    """
    return Table(*columns, title=title, title_justify="left", caption=caption, caption_justify="left")


def numbers(*heads: str) -> list[Column]:
    """Return columns of numbers."""
    return [Column(head, justify="right") for head in heads]


def folded(head: str) -> Column:
    """Return a column whose long words continue on the next line, instead of being cut."""
    return Column(head, overflow="fold")


def note(message: str) -> Text:
    """Return a note on a result."""
    return Text.assemble(("note:", "yellow"), f" {printable(message)}")


State = Literal["good", "absent", "wrong"]


def colored_state(state: State) -> Text:
    """Return the state of a check in its color."""
    return Text(state, style={"good": "green", "absent": "dim", "wrong": "red"}[state])

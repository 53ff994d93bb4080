"""Progress of long work: a bar on a terminal, sparse log lines in a file."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

from hrtem_ood.errors import printable

Item = TypeVar("Item")

LINES = 10
"""Log lines per piece of work, besides the first and the last."""


def log(message: str) -> None:
    """Write a line with the time of day to standard error."""
    click.echo(f"{time.strftime('%H:%M:%S')} {printable(message)}", err=True)


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yield items, and report the progress and the remaining time.

    Parameters
    ----------
    items : iterable
    description : str
        What is processed, e.g. ``exit waves``.
    total : int
        Number of items.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import track as bar

        yield from bar(items, escape(description), total, console=Console(stderr=True))
        return
    begin, step = time.monotonic(), max(1, total // LINES)
    log(f"{description}: 0/{total}")
    for done, item in enumerate(items, start=1):
        yield item
        if done == total or done % step == 0:
            spent = time.monotonic() - begin
            log(f"{description}: {done}/{total}, {spent:.1f} s spent, {spent / done * (total - done):.1f} s to go")

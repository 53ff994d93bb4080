"""Artifacts that are empty files, in one line."""

from collections.abc import Sequence

MAX_NAMES = 3
"""Empty files that are named; the others are counted."""


def empty_files_line(paths: Sequence[str]) -> str:
    """Name empty files, and say what to do.

    Parameters
    ----------
    paths : sequence of str
        At least one.
    """
    more = f" and {len(paths) - MAX_NAMES:,} more" if len(paths) > MAX_NAMES else ""
    number = "1 artifact is an empty file" if len(paths) == 1 else f"{len(paths):,} artifacts are empty files"
    return (
        f"{number}: {', '.join(paths[:MAX_NAMES])}{more}. A run counts what exists as finished: delete empty files "
        "(find results -type f -empty lists them all), and run snakemake again to create them anew."
    )

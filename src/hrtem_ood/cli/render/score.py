"""Scores of labelled micrographs as tables."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd
from rich.console import RenderableType

from hrtem_ood.cli.render.console import folded, make_table, note, numbers
from hrtem_ood.cli.render.quantities import format_count
from hrtem_ood.learning.inference.resample import SAME
from hrtem_ood.learning.inference.run_record import FailedFile
from hrtem_ood.learning.inference.score_micrographs import LEVEL, MicrographScores

MAX_ROWS = 40
"""Networks, and images of a single one, that are listed; all are in the files."""

MAX_LINES = 10
"""Notes of a kind that are listed; the others are counted."""


def score_tables(scored: MicrographScores, summary: pd.DataFrame) -> Iterator[RenderableType]:
    """Yield networks, the best first; of a single one its images, too; and notes."""
    if len(summary) == 1:
        yield _image_table(scored.table)
    yield _network_table(scored.table, summary)
    yield from map(note, score_notes(scored, summary))


def _network_table(table: pd.DataFrame, summary: pd.DataFrame) -> RenderableType:
    images = table[["micrograph_file", "micrograph"]].drop_duplicates()
    interval = f"{LEVEL:.0%} interval"
    made = make_table(
        f"F1 of {format_count(len(summary), 'network')} on {format_count(len(images), 'micrograph')}",
        folded("network"), *numbers("images", "median", interval, "mean", interval, "worst"), folded("on"),
    )  # fmt: skip
    for network, row in summary.head(MAX_ROWS).iterrows():
        made.add_row(
            str(network), f"{row['images']:,}",
            _number(row["median"]), _interval(row["median_low"], row["median_high"]),
            _number(row["mean"]), _interval(row["mean_low"], row["mean_high"]),
            _number(row["worst"]), str(row["worst_micrograph"]),
        )  # fmt: skip
    if len(summary) > MAX_ROWS:
        made.add_row(f"and {len(summary) - MAX_ROWS} more, see networks.csv")
    return made


def _image_table(table: pd.DataFrame) -> RenderableType:
    made = make_table(
        f"Network {table.network.iloc[0]}",
        folded("micrograph"), *numbers("pixel", "F1", "IoU", "precision", "recall", "covered", "in the label"),
    )  # fmt: skip
    for row in table.head(MAX_ROWS).itertuples():
        made.add_row(
            str(row.micrograph), f"{row.pixel_size_A:.4g} Å",
            *map(_number, (row.f1, row.iou, row.precision, row.recall)),
            f"{row.covered:.1%}", f"{row.label_covered:.1%}",
        )  # fmt: skip
    if len(table) > MAX_ROWS:
        made.add_row(f"and {len(table) - MAX_ROWS} more, see scores.csv")
    return made


def _number(value: object) -> str:
    number = float(str(value))
    return "" if math.isnan(number) else f"{number:.3f}"


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:.2f} to {high:.2f}"


def score_notes(scored: MicrographScores, summary: pd.DataFrame) -> Iterator[str]:
    """Yield what to know of the numbers."""
    table = scored.table
    yield from _particle_notes(table)
    empty = table[table.label_covered == 0].micrograph.unique().tolist()
    if empty:
        yield (
            f"the label holds no particle: {_listed(empty)}. F1 is undefined there and counts nowhere; `covered` in "
            "scores.csv is the share that was taken for particles."
        )
    numbered = table[table.particle_count.notna()].drop_duplicates(["micrograph_file", "micrograph"])
    if len(numbered):
        yield (
            f"labels of {format_count(len(numbered), 'micrograph')} number their particles, "
            f"{int(numbered.particle_count.sum()):,} in all; every number counts as particle."
        )
    coarse = table[table.pixel_size_A > table.network_pixel_size_A * (1 + SAME)].micrograph.unique().tolist()
    if coarse:
        yield (
            f"pixels are larger than in training: {_listed(coarse)}. Networks were not trained on noise as smooth as there."
        )
    most = int((summary.images + summary.undefined).max())
    fewer = [str(name) for name, row in summary.iterrows() if row["images"] + row["undefined"] < most]
    if fewer:
        yield f"scored on fewer micrographs than others, hence not comparable: {_listed(fewer)}."
    yield from (f"not scored: {each}" for each in scored.left_out[:MAX_LINES])
    if len(scored.left_out) > MAX_LINES:
        yield f"not scored: {len(scored.left_out) - MAX_LINES} more images of these files"


def _particle_notes(table: pd.DataFrame) -> Iterator[str]:
    """Yield what was done to the particles of the masks."""
    if table.empty:
        return
    options = table.iloc[0]  # the same for all
    if options.min_diameter_A > 0:
        yield f"particles of less than {options.min_diameter_A:.3g} Å were dropped from the masks before they were scored."
    if options.fill_holes:
        yield "holes of the masks were filled before they were scored."
    if options.split_touching:
        yield "particles that touch were separated before small ones were dropped and the masks scored."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(str, names[:MAX_LINES]))
    return shown + (f" and {len(names) - MAX_LINES} more" if len(names) > MAX_LINES else "")


def problem_lines(problems: Sequence[FailedFile], rows: int) -> Iterator[str]:
    """Yield what was not scored, and why; with the number of rows that were written."""
    rest = "the rest was scored" if rows else "nothing was scored"
    yield f"hrtem-ood: {format_count(len(problems), 'problem')}, {rest}:"
    yield from (f"  {problem.message}" for problem in problems)

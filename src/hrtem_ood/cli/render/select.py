"""A selection among networks as tables."""

from collections.abc import Iterator

import pandas as pd
from rich.console import RenderableType

from hrtem_ood.cli.render.console import folded, make_table, note, numbers
from hrtem_ood.cli.render.quantities import format_count
from hrtem_ood.learning.inference.selection.outcome import Selection
from hrtem_ood.quoting import shortened

MAX_ROWS = 25
"""Networks that are listed; all are in the files."""

MAX_LINES = 10
"""Notes and problems that are listed; the others are counted."""

NO_FORECAST = (
    "estimated F1 is read off the masks of these very images. It is no forecast: `hrtem-ood predict --condition` gives that, "
    "from the conditions alone. Intervals are those of simulated images. On real micrographs, estimates were too high, and the "
    "network of the package (`hrtem-ood predict IMAGE`) was the better choice for particles on carbon: docs/prediction.md."
)
"""Said with every ranking, so that nobody takes one number for the other."""

MOST_LETTERS = 60
"""Of the training conditions of a network."""


def selection_tables(selection: Selection) -> Iterator[RenderableType]:
    """Yield the ranking, the verdict and notes."""
    yield _ranking(selection)
    yield verdict(selection)
    yield from map(note, (NO_FORECAST, *selection.notes[:MAX_LINES]))


def _ranking(selection: Selection) -> RenderableType:
    images = int(selection.networks["images"].max())
    made = make_table(
        f"F1 of {format_count(len(selection.networks), 'network')}, estimated from {format_count(images, 'image')} "
        "without labels",
        folded("network"), *numbers("estimated F1", f"{selection.level:.0%} interval", "consistency", "consensus"),
        folded("trained on"),
    )  # fmt: skip
    for network, row in selection.networks.head(MAX_ROWS).iterrows():
        made.add_row(
            str(network), f"{row['f1']:.2f}", f"{row['low']:.2f} to {row['high']:.2f}",
            f"{row['consistency']:.2f}", "–" if pd.isna(row["consensus"]) else f"{row['consensus']:.2f}",
            shortened(str(row["trained_on"]), MOST_LETTERS),
        )  # fmt: skip
    if len(selection.networks) > MAX_ROWS:
        made.add_row(f"and {len(selection.networks) - MAX_ROWS} more, see select.csv")
    return made


def verdict(selection: Selection) -> str:
    """Tell which network to take, or that none will do."""
    best, ensemble = selection.networks.iloc[0], selection.ensemble
    if selection.will_do is False:
        return (
            f"None of these: the best estimate is {best['f1']:.2f}, below {selection.least_f1:.2f} (--least-f1). Train "
            "networks under conditions nearer to these images; a mixture of several defoci is the safer choice."
        )
    if selection.will_do is None:
        return (
            f"{selection.best} ranks first, but whether it will do cannot be told: its evidence "
            f"({', '.join(selection.outside)}) lies outside of that of the calibration, and its F1 may be far from the estimate. "
            "Look at its masks, or score it on a few images that you label (hrtem-ood score)."
        )
    lines = [f"Take {selection.best}: estimated F1 {best['f1']:.2f} ({best['low']:.2f} to {best['high']:.2f})."]
    if best["f1"] < selection.least_f1:
        lines = [f"No single network reaches {selection.least_f1:.2f} (--least-f1); the ensemble below does."]
    if ensemble is not None:
        lines.append(
            f"The mean probability of {', '.join(ensemble.networks)} is estimated to be better: F1 {ensemble.f1:.2f} "
            f"({ensemble.low:.2f} to {ensemble.high:.2f}). docs/prediction.md shows how to compute it in Python."
        )
    return "\n".join(lines)


def problem_lines(selection: Selection) -> Iterator[str]:
    """Yield what was not used, and why."""
    problems = selection.problems
    yield f"hrtem-ood: {format_count(len(problems), 'problem')}, the rest was used:"
    for each in problems[:MAX_LINES]:
        yield f"  {each.reason}" if str(each.path) in each.reason else f"  {each.path}: {each.reason}"
    if len(problems) > MAX_LINES:
        yield f"  and {len(problems) - MAX_LINES} more, see select.json"

"""The style of all figures of reports and previews: theme, ticks, grids, names of scores."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from hrtem_ood.campaign.checks import COLOUR_MAPS
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.plotting import FONT, colour_map
from hrtem_ood.quoting import quoted

DENSE = 16
"""Beyond this many rows or columns a heat map is too dense for numbers in its cells."""

TICKS = 40
"""At most this many tick labels along an axis."""

RC: Any = {  # Any: matplotlib types the keys as a long Literal
    "font.family": FONT,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "svg.hashsalt": "hrtem-ood",
    "svg.fonttype": "path",
}


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the project's style, without touching the caller's settings."""
    with mpl.rc_context(), sns.axes_style("ticks"), sns.plotting_context("paper"), mpl.rc_context(RC):
        yield


def palette(name: str) -> Any:
    """Return the colour map of the OOD matrix.

    Raises
    ------
    ConfigError
        When it is neither one of seaborn nor of matplotlib.
    """
    colours = colour_map(name)
    if colours is None:
        raise ConfigError(f"report.palette: seaborn has no colour map {quoted(name)}; try {', '.join(COLOUR_MAPS)}.")
    return colours


def thin_ticks(labels: Sequence[str], most: int = TICKS) -> tuple[np.ndarray, list[str]]:
    """Return positions and texts of tick labels, every k-th of them where there are more than ``most``."""
    step = -(-len(labels) // most)
    positions = np.arange(0, len(labels), step)
    return positions, list(labels[::step])


def are_rotated(labels: Sequence[str]) -> bool:
    """Whether labels along x are too long or too many to stand upright."""
    return len(labels) > DENSE or (len(labels) > 1 and max(map(len, labels)) > 5)


def label_extent(labels: Sequence[str], *, along: str) -> float:
    """Estimate how far tick labels reach outwards from their axis, in inches."""
    longest = 0.075 * max(map(len, labels))
    if along == "y":
        return longest
    return 0.71 * longest + 0.1 if are_rotated(labels) else 0.15


def consecutive_groups(names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield every run of one name: the name, and where it begins and ends (exclusive)."""
    start = 0
    for name, members in itertools.groupby(names):
        stop = start + len(list(members))
        yield name, start, stop
        start = stop


def minimal_axes(axes: Axes) -> None:
    """Draw a faint grid, and no frame on the right and on top."""
    axes.grid(visible=True, color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def metric_label(name: str) -> str:
    """Write a score's name for an axis, with its unit where it has one."""
    score = METRICS[name]
    return score.long_name if score.units == "1" else f"{score.long_name} [{score.units}]"


def tick_labels(axes: Axes, labels: Sequence[str], *, along: str, most: int = TICKS, upright: bool = False) -> None:
    """Put labels at 0, 1, 2, … along ``x`` or ``y``; long ones along x are turned, by a quarter turn if ``upright``."""
    positions, texts = thin_ticks(labels, most)
    if along == "x" and upright:
        axes.set_xticks(positions, texts, rotation=90)
        return
    if along == "y":
        axes.set_yticks(positions, texts)
        return
    turned = are_rotated(labels)
    axes.set_xticks(
        positions, texts, rotation=45 if turned else 0, ha="right" if turned else "center", rotation_mode="anchor"
    )

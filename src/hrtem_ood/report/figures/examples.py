"""Figure `examples`: test images with the outlines of their labels."""

import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hrtem_ood.report.figures.style import ORANGE, new_figure

CHARACTERS = 11
"""Titles are broken into lines of this many characters per inch, in type of the usual size."""

SIZE, SMALL = 9.0, 7.0
"""Type of titles in points: the usual one, and that of titles of many lines."""

MANY = 4

CAPTION = (
    "SimulatedStructure test images with the outlines of their labels (orange). Each row is one structure, each column one "
    "condition. Grey scale: 1st to 99th percentile of each image's electron counts."
)


@dataclass(frozen=True)
class Example:
    """The images of one dataset that are shown.

    Attributes
    ----------
    row, column : int
        Where the first of them goes; the others go below it.
    title : str
    counts, label : int array, (image, y, x), [e/px] and [1]
    pixel_size_A : float, [Å]
    """

    row: int
    column: int
    title: str
    counts: np.ndarray
    label: np.ndarray
    pixel_size_A: float


def draw(examples: list[Example], sets: list[tuple[int, str]]) -> Figure:
    """Draw the examples.

    Parameters
    ----------
    examples : list of Example
    sets : list of (int, str)
        First row and name of each structure set; named only where there are several.

    Returns
    -------
    Figure
    """
    rows = max(example.row + len(example.counts) for example in examples)
    columns = max(example.column for example in examples) + 1
    side = max(1.45, min(2.4, 11.5 / columns))
    size, titles = _titles(examples, side)
    heights = {example.row: 0 for example in examples}
    for example, title in zip(examples, titles, strict=True):
        heights[example.row] = max(heights[example.row], title.count("\n") + 1)
    figure = new_figure(columns * side + 0.3, rows * side + sum(heights.values()) * 1.25 * size / 72 + 0.2)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for example, title in zip(examples, titles, strict=True):
        for number, (counts, label) in enumerate(zip(example.counts, example.label, strict=True)):
            panel = axes[example.row + number, example.column]
            _image(panel, counts, label)
            if number == 0:
                panel.set_title(title, fontsize=size)
    _scale_bar(axes[0, 0], examples[0])
    if len(sets) > 1:
        for row, name in sets:
            axes[row, 0].text(
                -0.06, 0.5, name, rotation=90, ha="right", va="center", transform=axes[row, 0].transAxes, fontsize=9
            )
    return figure


def _titles(examples: list[Example], side: float) -> tuple[float, list[str]]:
    """Break titles into lines, in small type where there would be many; return the size of the type and the titles."""
    titles: list[str] = []
    for size in (SIZE, SMALL):
        titles = [_broken(example.title, int(side * CHARACTERS * SIZE / size)) for example in examples]
        if max(title.count("\n") for title in titles) < MANY:
            break
    return size, titles


def _image(panel: Axes, counts: np.ndarray, label: np.ndarray) -> None:
    low, high = np.percentile(counts, [1, 99])
    panel.imshow(counts, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest", origin="lower")
    if 0 < label.mean() < 1:
        panel.contour(label, levels=[0.5], colors=[ORANGE], linewidths=1.1)


def _broken(title: str, width: int) -> str:
    """Break a title into lines, after commas where that does, never within a word."""
    lines: list[str] = []
    for part in title.replace(", ", ",\n").split("\n"):
        if lines and len(f"{lines[-1]} {part}") <= width:
            lines[-1] += f" {part}"
        else:
            whole = "\u00a0".join(part.rsplit(" ", 1))  # a number stays with its unit
            lines += textwrap.wrap(whole, width, break_long_words=False)
    return "\n".join(lines)


def _scale_bar(panel: Axes, example: Example) -> None:
    """Draw a scale bar of a round length, at most a third of the image."""
    width_A = example.counts.shape[2] * example.pixel_size_A
    length_nm = max(length for length in (0.5, 1, 2, 5, 10, 20, 50, 100) if length * 10 <= max(5.0, width_A / 3))
    pixels, side = length_nm * 10 / example.pixel_size_A, example.counts.shape[2]
    left, height = 0.06 * side, 0.06 * side
    panel.fill_between(
        [left / 2, left * 1.5 + pixels], height / 3, height * 3.6, color="black", alpha=0.55, linewidth=0
    )
    panel.plot([left, left + pixels], [height, height], color="white", linewidth=2.5, solid_capstyle="butt")
    panel.text(
        left + pixels / 2, height * 1.5, f"{length_nm:g} nm", color="white", ha="center", va="bottom", fontsize=8
    )

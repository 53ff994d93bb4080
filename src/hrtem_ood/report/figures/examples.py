"""Figure `examples`: test images with the outlines of their labels."""

import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.test_datasets import report_datasets
from hrtem_ood.plotting import ORANGE, draw_scale_bar, new_figure
from hrtem_ood.report.data import ReportData

CHARACTERS = 11
"""Characters per inch of a line of a title, at the usual font size."""

SIZE, SMALL = 9.0, 7.0
"""Font sizes of titles [pt]: the usual one, and that of titles with many lines."""

MANY = 4

CAPTION = (
    "Simulated test images with the outlines of their labels (orange). Each row is one structure, each column one "
    "condition. Grey scale: 1st to 99th percentile of each image's electron counts."
)


@dataclass(frozen=True)
class Example:
    """Images of one dataset.

    Attributes
    ----------
    row, column : int
        Position of the first of them; the others stand below it.
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


def caption(data: ReportData) -> str:
    """Describe the figure."""
    return CAPTION + data.default_note


def draw(data: ReportData) -> Figure:
    """Draw the first images of some test datasets."""
    return draw_examples(*_read_examples(data))


def _read_examples(data: ReportData) -> tuple[list[Example], list[tuple[int, str]]]:
    """Read the first images of the test datasets of the report, as the arguments of :func:`draw_examples`."""
    campaign = data.campaign
    chosen, sets, row = [], [], 0
    for name, ids in report_datasets(campaign).items():
        count = min(campaign.config.report.examples, campaign.datasets[ids[0]].n_structures)
        for column, id_ in enumerate(ids):
            title = data.labels.title(campaign.datasets[id_].condition)
            with store.open_zarr(Results(data.folder).path("datasets", id_)) as dataset:
                counts, label = (dataset[key].isel(image=slice(count)).values for key in ("counts", "label"))
                pixel_size_A = float(dataset.attrs["pixel_size_A"])
            chosen.append(Example(row, column, title, counts, label, pixel_size_A))
        sets.append((row, name))
        row += count
    return chosen, sets


def draw_examples(examples: list[Example], sets: list[tuple[int, str]]) -> Figure:
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
    first = examples[0]
    draw_scale_bar(axes[0, 0], first.counts.shape[2] * first.pixel_size_A)
    if len(sets) > 1:
        for row, name in sets:
            axes[row, 0].text(
                -0.06, 0.5, name, rotation=90, ha="right", va="center", transform=axes[row, 0].transAxes, fontsize=9
            )
    return figure


def _titles(examples: list[Example], side: float) -> tuple[float, list[str]]:
    """Break titles into lines, in the small font if there are many lines; return the font size and the titles."""
    titles: list[str] = []
    for size in (SIZE, SMALL):
        titles = [_wrap_title(example.title, int(side * CHARACTERS * SIZE / size)) for example in examples]
        if max(title.count("\n") for title in titles) < MANY:
            break
    return size, titles


def _image(panel: Axes, counts: np.ndarray, label: np.ndarray) -> None:
    low, high = np.percentile(counts, [1, 99])
    panel.imshow(counts, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest", origin="lower")
    if 0 < label.mean() < 1:
        panel.contour(label, levels=[0.5], colors=[ORANGE], linewidths=1.1)


def _wrap_title(title: str, width: int) -> str:
    """Break a title into lines, after commas if possible, never within a word."""
    lines: list[str] = []
    for part in title.replace(", ", ",\n").split("\n"):
        if lines and len(f"{lines[-1]} {part}") <= width:
            lines[-1] += f" {part}"
        else:
            whole = "\u00a0".join(part.rsplit(" ", 1))  # a number stays with its unit
            lines += textwrap.wrap(whole, width, break_long_words=False)
    return "\n".join(lines)

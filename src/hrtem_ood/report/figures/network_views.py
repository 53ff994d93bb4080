"""Figure `network_views`: image, label, probability and error of the median network of some cells, side by side."""

import textwrap

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hrtem_ood.analysis.matrix import training_set_titles
from hrtem_ood.plotting import BLUE, VERMILION, draw_scale_bar, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.network_views import RULES, errors, reasons, shown_views

PANELS = ("image", "label", "probability", "error")

ERROR_COLOURS = ("#FFFFFF", "#BFBFBF", BLUE, VERMILION)
"""Of background found, particle found, particle missed, and particle that is none."""

CAPTION = (
    "What the median network of a cell sees: a test image (1st to 99th percentile of its counts), its label, the probability of "
    "particle (black 0, white 1), and the error at a threshold of 0.5 (grey: particle found; blue: missed; orange: none there). "
    "Cells are chosen by rule: {rules}. The network is the one whose mean score is the median over the cell's networks; the "
    "image, the one on which its F1 is the median over images."
)

WIDTH = 34
"""Characters per line of the text beside a row."""


def caption(data: ReportData) -> str:
    """Describe the figure."""
    rules = "; ".join(f"{name}, {text}" for name, text in RULES.items())
    missing = reasons(data.views, [(cell.row, cell.column) for cell in data.views.chosen])
    return CAPTION.format(rules=rules) + "".join(f" Not shown: {reason}" for reason in missing[:1]) + data.default_note


def draw(data: ReportData) -> Figure:
    """Draw one row per chosen cell that has a view."""
    rows = list(shown_views(data.views))
    if not rows:
        return _draw_nothing()
    cells = data.results.cells
    titles = training_set_titles(data.campaign)
    side = 1.75
    figure = new_figure(len(PANELS) * side + 2.9, len(rows) * side + 0.7)
    axes = figure.subplots(len(rows), len(PANELS), squeeze=False)
    for line, (cell, view) in zip(axes, rows, strict=True):
        low, high = np.percentile(view.counts, (1, 99))
        line[0].imshow(
            view.counts, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest", origin="lower"
        )
        line[1].imshow(view.label, cmap="gray", vmin=0, vmax=1, interpolation="nearest", origin="lower")
        line[2].imshow(view.probability, cmap="gray", vmin=0, vmax=1, interpolation="nearest", origin="lower")
        line[3].imshow(
            errors(view), cmap=ListedColormap(ERROR_COLOURS), vmin=0, vmax=3, interpolation="nearest", origin="lower"
        )
        for panel in line:
            panel.set(xticks=[], yticks=[])
        draw_scale_bar(line[0], view.counts.shape[1] * view.pixel_size_A)
        text = [
            f"{cell.rule}:",
            f"trained: {titles[str(cells.training_set.values[cell.row])]}",
            f"tested: {cells.condition_short_label.values[cell.column]}",
            f"F1 of this image {view.score:.2f}, of the cell {float(cells.f1.values[cell.row, cell.column]):.2f}",
        ]
        wrapped = "\n".join(textwrap.fill(each, WIDTH) for each in text)
        line[0].text(-0.08, 0.5, wrapped, ha="right", va="center", transform=line[0].transAxes, fontsize=7.5)
    for panel, name in zip(axes[0], PANELS, strict=True):
        panel.set_title(name, fontsize=9)
    handles = [
        Patch(facecolor=colour, edgecolor="0.6", label=text)
        for colour, text in zip(ERROR_COLOURS[1:], ("particle found", "missed", "none there"), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower right", frameon=False, ncols=3)
    return figure


def _draw_nothing() -> Figure:
    """Say that there is no view, in a frame that keeps its size."""
    figure = new_figure(6, 1.8)
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[])
    text = "No network of the chosen cells has weights and images to show."
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=9)
    return figure

"""Figure `measured`: F1 of every training set on labelled micrographs, beside its F1 in-domain in simulation."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hrtem_ood.analysis.measured import Measured, MeasuredGap
from hrtem_ood.plotting import BLUE, GREY, VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import minimal_axes
from hrtem_ood.report.templates import format_interval

MOST = 40
"""Largest number of training sets that are drawn: those with the best F1."""

CAPTION = (
    "F1 on labelled micrographs by training set, the best first: median over networks of the mean over images (discs, with "
    "{level:.0f} % intervals of a bootstrap of images and networks) and of each image (dots), beside the median in-domain F1 in "
    "simulation (diamonds).{cut} The gap from simulation to experiment, median over training sets: {gaps}."
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    measured = _measured(data)
    number = measured.cells.sizes["training_set"]
    cut = f" The best {MOST} of {number} training sets are drawn." if number > MOST else ""
    gaps = "; ".join(map(gap_text, measured.gaps))
    return CAPTION.format(level=100 * data.analysis.confidence_level, cut=cut, gaps=gaps)


def gap_text(gap: MeasuredGap) -> str:
    """Write the gap of a suite in words."""
    if not gap.training_sets:
        return f"{gap.suite}: unknown, as no training set has an in-domain score"
    images = f"{gap.images} image{'s' if gap.images != 1 else ''}"
    return f"{gap.suite}: {format_interval(gap.gap, gap.low, gap.high)} ({images})"


def draw(data: ReportData) -> Figure:
    """Draw one panel per suite, side by side."""
    measured = _measured(data)
    rows = min(MOST, measured.cells.sizes["training_set"])
    suites = measured.cells.sizes["condition"]
    figure = new_figure(2.2 + 3.6 * suites, 1.2 + 0.28 * rows)
    (grid,) = figure.subplots(1, suites, squeeze=False)
    for column, axes in enumerate(grid):
        _draw_suite(axes, measured, column)
    return figure


def _draw_suite(axes: Axes, measured: Measured, column: int) -> None:
    """Draw a suite, its training sets in the order of their F1 on it."""
    sets = measured.cells.sizes["training_set"]
    table = measured.table.iloc[column * sets : (column + 1) * sets].reset_index(drop=True)
    order = table.f1.sort_values(ascending=False, na_position="last").index[:MOST]
    for row, place in enumerate(order):
        one = table.loc[place]
        images = measured.cells.f1_of_image.values[place, column]
        axes.plot(images, np.full(len(images), row), ".", color=GREY, markersize=4, alpha=0.6)
        if np.isfinite(one.f1_low):
            axes.plot([one.f1_low, one.f1_high], [row, row], color=BLUE, linewidth=1.6)
    rows = np.arange(len(order))
    axes.plot(table.f1[order], rows, "o", color=BLUE, label="micrographs")
    axes.plot(table.in_domain_f1[order], rows, "D", color=VERMILION, markersize=4, label="in-domain, simulation")
    axes.set_yticks(rows, list(table.training_label[order]))
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("F1")
    axes.set_title(str(measured.cells.condition_label.values[column]))
    minimal_axes(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.08), frameon=False, ncols=2)


def _measured(data: ReportData) -> Measured:
    assert data.results.measured is not None, "only campaigns with micrographs have this figure"
    return data.results.measured

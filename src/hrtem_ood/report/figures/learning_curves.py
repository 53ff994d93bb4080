"""Figure `learning_curves`: training and validation loss of some networks, epoch by epoch."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from hrtem_ood.analysis.learning_curves import Curve, Curves
from hrtem_ood.plotting import BLUE, GREY, VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import minimal_axes

COLUMNS = 6

LETTERS = 34
"""Largest number of letters of a title."""

RANGE = 3.0
"""Upper limit of the axis, as a multiple of the largest loss of the first epochs."""

CAPTION = (
    "Training loss (grey, mean over the epoch) and validation loss (blue, after it) of {what}. Disc: the best epoch, whose "
    "weights are kept. Titles: training set and network.{diverged}{absent}"
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    return describe(data.results.curves) + data.default_note


def draw(data: ReportData) -> Figure:
    """Draw one small panel per network."""
    return draw_curves(data.results.curves)


def describe(curves: Curves) -> str:
    """Describe a sample of learning curves."""
    number = len(curves.sample)
    whole = number == curves.networks
    return CAPTION.format(
        what="every network" if whole else f"{number} of {curves.networks} networks, evenly spread over the campaign",
        diverged=" Orange: diverged." if any(curve.diverged for curve in curves.sample) else "",
        absent=f" The files of {curves.absent} others of the sample are missing." if curves.absent else "",
    )


def draw_curves(curves: Curves) -> Figure:
    """Draw one small panel per network."""
    if not curves.sample:
        figure = new_figure(5, 2)
        axes = figure.subplots()
        axes.axis("off")
        axes.text(0.5, 0.5, "no file of a network", ha="center", va="center", transform=axes.transAxes)
        return figure
    columns = min(COLUMNS, len(curves.sample))
    rows = -(-len(curves.sample) // columns)
    figure = new_figure(max(2.1 * columns, 4.2), 1.75 * rows + 0.8)
    same = len({curve.loss for curve in curves.sample}) == 1
    grid = figure.subplots(rows, columns, squeeze=False, sharey=same)
    for axes in grid.flat[len(curves.sample) :]:
        axes.axis("off")
    for axes, curve in zip(grid.flat, curves.sample, strict=False):
        _curve(axes, curve)
    for axes in grid.flat[:1] if same else grid.flat[: len(curves.sample)]:
        _limit(axes, curves.sample if same else [curves.sample[list(grid.flat).index(axes)]])
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("loss [nat]" if same and curves.sample[0].loss == "cross_entropy" else "loss", fontsize=10)
    handles = [
        Line2D([], [], color=GREY, linewidth=1.2, label="training"),
        Line2D([], [], color=BLUE, marker="o", markersize=4, linewidth=1.2, label="validation, best epoch"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _curve(axes: Axes, curve: Curve) -> None:
    epoch = np.arange(1, len(curve.epochs) + 1)
    point = "o" if len(epoch) == 1 else ""
    axes.plot(epoch, curve.epochs.train_loss, color=GREY, linewidth=1.0, marker=point, markersize=3)
    colour = VERMILION if curve.diverged else BLUE
    axes.plot(epoch, curve.epochs.validation_loss, color=colour, linewidth=1.2, marker=point, markersize=3)
    if not curve.diverged:
        axes.plot(curve.best_epoch + 1, curve.epochs.validation_loss[curve.best_epoch], "o", color=BLUE, markersize=4)
    label = curve.label if len(curve.label) <= LETTERS else curve.label[: LETTERS - 1] + "…"
    title = f"{label}\n{curve.network}" + (", diverged" if curve.diverged else "")
    axes.set_title(title, fontsize=6.5, color=VERMILION if curve.diverged else "black")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=7, which="both")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    minimal_axes(axes)


def _limit(axes: Axes, curves: list[Curve]) -> None:
    """Limit the axis, so that losses that diverge do not squeeze the others."""
    losses = np.concatenate(
        [curve.epochs[["train_loss", "validation_loss"]].to_numpy(float).ravel() for curve in curves]
    )
    losses = losses[np.isfinite(losses) & (losses > 0)]
    first = [curve.epochs.train_loss[0] for curve in curves if np.isfinite(curve.epochs.train_loss[0])]
    if losses.size and first:
        top = RANGE * max(first)
        within = losses[losses <= top]
        axes.set_ylim(within.min() / 1.2 if within.size else None, min(losses.max(), top) * 1.2)

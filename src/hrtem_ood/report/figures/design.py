"""Figure `design`: training sets in comparison, by their mean and worst score over the test conditions."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrtem_ood.analysis.training_set_comparison import TrainingSetScores
from hrtem_ood.campaign.test_datasets import evenly_spaced
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import metric_label, minimal_axes

NAMES = 12
"""Largest number of training sets that are drawn."""

COLOURED = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
"""Colours of the first training sets; the others are grey."""

MARKERS = ("o", "s", "^", "D", "v", "P")

CONDITIONS = 40
"""Largest number of test conditions that are drawn, evenly spread over their order."""

CROWD = 60
"""Above this number of networks of one training set, they are drawn as pixels in SVG, too."""

CAPTION = (
    "Left: mean (discs) and worst (diamonds) {score} over the {conditions} test conditions of every network, by training set; "
    "bars: means over networks. Right: {score} by test condition, mean over networks, in the order of {first}. Test "
    "conditions are all those under which the training sets' own recipe of structures is tested, training conditions included. "
    "The table lists differences from {first}, with {level:.0f} % intervals from {resamples} resamples of networks and of test "
    "conditions, the same for both.{diverged}{cut}"
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    return describe(data.results.compared, data.analysis) + data.default_note


def draw(data: ReportData) -> Figure:
    """Draw the networks of every training set, and their scores by condition."""
    return draw_comparison(data.results.compared, data.analysis, data.labels.axis_label)


def describe(compared: Sequence[TrainingSetScores], analysis: Analysis) -> str:
    """Describe a comparison of training sets."""
    cut, number = [], len(compared[0].conditions)
    if len(compared) > NAMES:
        cut.append(f"the first {NAMES} of {len(compared)} training sets")
    if number > CONDITIONS:
        cut.append(f"on the right {CONDITIONS} of {number} test conditions, evenly spread")
    diverged = sum(one.diverged for one in compared)
    return CAPTION.format(
        score=METRICS[analysis.metric].long_name,
        conditions=number,
        first=compared[0].name,
        level=100 * analysis.confidence_level,
        resamples=analysis.bootstrap_resamples,
        diverged=f" {diverged} networks that diverged are left out." if diverged else "",
        cut=f" Drawn: {'; '.join(cut)}." if cut else "",
    )


def draw_comparison(compared: Sequence[TrainingSetScores], analysis: Analysis, axis: str) -> Figure:
    """Draw the networks of every training set, and their scores by condition.

    Parameters
    ----------
    compared : sequence of TrainingSetScores
        Not empty.
    analysis : Analysis
    axis : str
        Label of an axis of conditions, without its first word.

    Returns
    -------
    Figure
    """
    compared = compared[:NAMES]
    rows = min(len(compared[0].conditions), CONDITIONS)
    figure = new_figure(11.8, max(4.2, 0.21 * rows + 1.4))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _networks(left, compared)
    _conditions(right, compared)
    left.set_ylabel(metric_label(analysis.metric))
    right.set(xlabel=metric_label(analysis.metric), ylabel=f"test {axis}")
    for axes in (left, right):
        minimal_axes(axes)
    handles = [
        Line2D([], [], color=GREY, marker=marker, linestyle="none", markersize=5, label=text)
        for marker, text in (("o", "mean over test conditions"), ("D", "worst test condition"))
    ]
    left.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure


def marker_style(index: int) -> tuple[str, str]:
    """Colour and marker of a training set by its index."""
    return (COLOURED[index], MARKERS[index]) if index < len(COLOURED) else ("0.6", "o")


def _networks(axes: Axes, compared: Sequence[TrainingSetScores]) -> None:
    for index, one in enumerate(compared):
        colour, _ = marker_style(index)
        for side, marker, values in ((-0.17, "o", one.mean), (0.17, "D", one.worst)):
            if not values.size:
                continue
            # in the order of their scores: neighbours stand side by side, and nothing is random
            ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
            step = (ranks % 5 - 2) * 0.04 if values.size > 1 else np.zeros(1)
            axes.scatter(
                index + side + step,
                values,
                s=22 if values.size <= CROWD else 6,
                color=colour,
                marker=marker,
                alpha=0.75,
                edgecolor="white",
                linewidth=0.3,
                rasterized=values.size > CROWD,
                zorder=2,
            )
            axes.hlines(values.mean(), index + side - 0.14, index + side + 0.14, color="black", linewidth=1.6, zorder=3)
    turned = sum(len(one.name) + 2 for one in compared) > 40
    axes.set_xticks(
        range(len(compared)), [one.name for one in compared], rotation=35 if turned else 0, ha="right" if turned else "center",
        rotation_mode="anchor",
    )  # fmt: skip
    axes.set_xlim(-0.5, len(compared) - 0.5)


def _conditions(axes: Axes, compared: Sequence[TrainingSetScores]) -> None:
    first = next((one for one in compared if one.networks), None)
    if first is None:
        axes.text(0.5, 0.5, "all networks diverged", ha="center", va="center", transform=axes.transAxes)
        return
    order = np.argsort(-first.sign * first.score.mean(axis=0), kind="stable")
    order = order[evenly_spaced(order.size, CONDITIONS)]
    y = np.arange(order.size)
    means = {index: one.score.mean(axis=0)[order] for index, one in enumerate(compared) if one.networks}
    every = np.array(list(means.values()))
    axes.hlines(y, every.min(axis=0), every.max(axis=0), color="0.8", linewidth=1.0, zorder=1)
    for index, values in reversed(means.items()):  # the first on top
        colour, marker = marker_style(index)
        axes.scatter(values, y, s=22, color=colour, marker=marker, edgecolor="white", linewidth=0.4, zorder=2)
    axes.set_yticks(y, [first.ticks[column] for column in order], fontsize=7.5)
    axes.set_ylim(order.size - 0.4, -0.6)
    handles = [
        Line2D(
            [],
            [],
            color=marker_style(index)[0],
            marker=marker_style(index)[1],
            linestyle="none",
            markersize=5,
            label=compared[index].name,
        )
        for index in means
    ]
    axes.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False, handletextpad=0.2
    )

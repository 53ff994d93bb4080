"""Figure `forecast`: measured against forecast scores, and the coverage of the intervals."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrtem_ood.config.analysis import Analysis
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.plotting import BLUE, GREY, VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import metric_label, minimal_axes

CROWD = 400
"""Above this number of cells, intervals are drawn as a band of their median width; above five times as many, points are small."""

CAPTION = (
    "Left: {score} of every cell under an imaging shift against its forecast, {forecast}. {intervals}: {level:.0f} % intervals; "
    "cells outside are orange. Middle: measured coverage of the intervals at several levels; on the diagonal it is the "
    "nominal one. The ring is the level of the left panel. Right: their width, median and quartiles over cells. {low}"
)

FITTED = "by the forecaster, from cells that were neither trained nor tested under one of its conditions"

MONOTONE = (
    "which uses the in-domain score and {}, and no cell of the same training set or test condition; there are too few cells for "
    "a forecaster"
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    tables, analysis = data.results.tables, data.analysis
    table, calibration = tables["forecast"], tables["calibration"]
    without = calibration.nominal[calibration.n == 0]
    low = (
        f"Too few cells for intervals at {', '.join(f'{100 * level:g} %' for level in without)}."
        if len(without)
        else ""
    )
    return CAPTION.format(
        score=METRICS[analysis.metric].long_name,
        forecast=FITTED if data.results.fitted else MONOTONE.format(analysis.forecast_predictor),
        intervals="Lines" if len(table) <= CROWD else "Band (of their median width)",
        level=100 * analysis.forecast_level,
        low=low,
    ).strip()


def draw(data: ReportData) -> Figure:
    """Draw forecasts, and coverage and width of their intervals."""
    tables = data.results.tables
    return draw_panels(tables["forecast"], tables["calibration"], data.analysis)


def draw_panels(table: pd.DataFrame, calibration: pd.DataFrame, analysis: Analysis) -> Figure:
    """Draw the three panels.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per cell, from :func:`hrtem_ood.analysis.ranking.predictor_ranking.forecasts`.
    calibration : pandas.DataFrame
        From :func:`hrtem_ood.analysis.results.calibration`.
    analysis : Analysis

    Returns
    -------
    Figure
    """
    figure = new_figure(11.4, 4.1)
    cells, coverage, width = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    _cells(cells, table, analysis)
    _coverage(coverage, calibration, analysis)
    _width(width, calibration, analysis)
    for axes, has_cells in ((cells, len(table)), (coverage, calibration.n.any()), (width, calibration.n.any())):
        minimal_axes(axes)
        if not has_cells:
            axes.text(0.5, 0.55, "too few cells", ha="center", va="center", transform=axes.transAxes)
    return figure


def _cells(axes: Axes, table: pd.DataFrame, analysis: Analysis) -> None:
    axes.set(xlabel=f"forecast {metric_label(analysis.metric)}", ylabel=f"measured {metric_label(analysis.metric)}")
    if not len(table):
        return
    covered = ((table.measured >= table.low) & (table.measured <= table.high)).to_numpy()
    both = table[["measured", "predicted"]].to_numpy()
    span = np.array([both.min(), both.max()]) + np.array([-0.04, 0.04]) * max(float(np.ptp(both)), 1e-3)
    axes.plot(span, span, color="black", linewidth=0.7)
    crowded, very = len(table) > CROWD, len(table) > 5 * CROWD
    if crowded:
        low, high = float((table.predicted - table.low).median()), float((table.high - table.predicted).median())
        axes.fill_between(span, span - low, span + high, color=BLUE, alpha=0.12, linewidth=0)
    else:
        axes.vlines(table.predicted, table.low, table.high, color="0.75", linewidth=0.7, zorder=1)
    for inside, colour in ((True, BLUE), (False, VERMILION)):
        part = table[covered == inside]
        axes.scatter(
            part.predicted,
            part.measured,
            s=4 if very else 16,
            color=colour,
            alpha=0.4 if very else 0.75,
            edgecolor="none" if very else "white",
            linewidth=0.4,
            rasterized=very,
            zorder=2,
        )
    share = f"{100 * covered.mean():.1f} % of {len(table)} cells within {100 * analysis.forecast_level:g} % intervals"
    axes.set(xlim=span, ylim=(min(span[0], table.low.quantile(0.02)), max(span[1], table.high.quantile(0.98))))
    axes.set_title(share, fontsize=9)
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="none", markersize=4.5, label=text)
        for colour, text in ((BLUE, "within its interval"), (VERMILION, "outside"))
    ]
    axes.legend(handles=handles, loc="upper left", frameon=False, handletextpad=0.2)


def _coverage(axes: Axes, calibration: pd.DataFrame, analysis: Analysis) -> None:
    counted = calibration[calibration.n > 0]
    axes.plot([0.45, 1], [0.45, 1], color="black", linewidth=0.7)
    axes.plot(counted.nominal, counted.coverage, color=BLUE, marker="o", markersize=5, linewidth=1.2)
    chosen = counted[counted.nominal == analysis.forecast_level]
    axes.plot(chosen.nominal, chosen.coverage, "o", markersize=10, markerfacecolor="none", markeredgecolor=VERMILION)
    lowest = min(0.45, float(counted.coverage.min()) - 0.03 if len(counted) else 0.45)
    axes.set(xlim=(0.45, 1), ylim=(lowest, 1.01), xlabel="nominal coverage", ylabel="measured coverage")


def _width(axes: Axes, calibration: pd.DataFrame, analysis: Analysis) -> None:
    counted = calibration[calibration.n > 0]
    axes.fill_between(counted.nominal, counted.width_q25, counted.width_q75, color=GREY, alpha=0.2, linewidth=0)
    axes.plot(counted.nominal, counted.width, color=GREY, marker="o", markersize=5, linewidth=1.2)
    axes.set(xlim=(0.45, 1), xlabel="nominal coverage", ylabel=f"width of intervals of {metric_label(analysis.metric)}")
    axes.set_ylim(0, max(1.05 * float(counted.width_q75.max()), 1e-3) if len(counted) else 1)

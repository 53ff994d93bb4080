"""Figure `forecast_map`: the forecast score over ln CNR of training and of the test, with the measured cells."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.plotting import new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import metric_label, palette
from hrtem_ood.transfer.forecast.cells import Cells
from hrtem_ood.transfer.forecast.descriptors import PLACE, ROWS
from hrtem_ood.transfer.forecast.response import ResponseMap, response_map

MOST_CELLS = 400
"""More measured cells than this are drawn small, and as pixels in SVG."""

CAPTION = (
    "Forecast {score} of networks trained under conditions of one ln CNR (contrast transferred over counting noise) and used "
    "under conditions of another; dots: measured cells, in the same colours{mixtures}. On the diagonal both transfer equally "
    "much; below it, the test transfers less than training did. Nothing is forecast where the map is white."
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    fitted = data.results.fitted
    if fitted is None:
        return f"No forecaster could be fitted: {data.results.no_forecaster}"
    return describe(METRICS[fitted.metric].long_name, fitted.chosen.cells)


def draw(data: ReportData) -> Figure:
    """Draw the map, or without a forecaster say that there is none."""
    fitted = data.results.fitted
    if fitted is None:
        figure = new_figure(4.2, 2.4)
        axes = figure.subplots()
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "too few cells for a forecaster", ha="center", va="center")
        return figure
    response = response_map(fitted.forecaster)
    return draw_forecast_map(response, fitted.chosen.cells, metric=fitted.metric, colours=data.palette)


def describe(score: str, cells: Cells) -> str:
    """Describe the map.

    Parameters
    ----------
    score : str
        Long name of the score.
    cells : Cells
        As drawn.

    Returns
    -------
    str
    """
    mixed = bool((cells.trained.sum(axis=1) > 1).any())
    return CAPTION.format(score=score, mixtures="; diamonds: mixtures, at the end of their hull" if mixed else "")


def draw_forecast_map(response: ResponseMap, cells: Cells, *, metric: str, colours: str) -> Figure:
    """Draw the map of the forecast, and the measured cells in its colours.

    Parameters
    ----------
    response : ResponseMap
    cells : Cells
        Measured.
    metric : str
        Name of the score.
    colours : str
        Name of the colour map.

    Returns
    -------
    Figure
    """
    figure = new_figure(6.2, 5.0)
    axes = figure.subplots()
    values = np.concatenate([cells.score, response.score[np.isfinite(response.score)]])
    low, high = float(values.min()), float(values.max())
    scale = {"cmap": palette(colours), "vmin": low, "vmax": max(high, low + 1e-6)}
    field = axes.pcolormesh(
        response.train_log_cnr,
        response.test_log_cnr,
        response.score,
        shading="nearest",
        rasterized=True,
        alpha=0.85,
        **scale,
    )
    train, test = (cells.descriptors[:, PLACE[name]] for name in ("train_log_cnr", "test_log_cnr"))
    ends = (
        max(response.train_log_cnr[0], response.test_log_cnr[0]),
        min(response.train_log_cnr[-1], response.test_log_cnr[-1]),
    )
    axes.plot(ends, ends, color="black", linewidth=0.7)
    mixed, many = cells.trained.sum(axis=1) > 1, len(cells) > MOST_CELLS
    for part, marker in ((~mixed, "o"), (mixed, "D")):
        axes.scatter(
            train[part],
            test[part],
            c=cells.score[part],
            s=9 if many else 26,
            marker=marker,
            edgecolor="black",
            linewidth=0.3,
            rasterized=many,
            **scale,
        )
    axes.set(xlabel=ROWS[PLACE["train_log_cnr"]].symbol, ylabel=ROWS[PLACE["test_log_cnr"]].symbol)
    figure.colorbar(field, ax=axes, label=metric_label(metric))
    if mixed.any():
        handles = [
            Line2D([], [], color="0.4", marker=marker, linestyle="none", markersize=5, label=label)
            for marker, label in (("o", "one condition"), ("D", "mixture"))
        ]
        axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure

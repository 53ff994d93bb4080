"""Figure `structures`: networks on structures of other recipes than their training set's, and predictors of their gap."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hrtem_ood.analysis.structure_matrix import Matrix
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.plotting import VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.figures import predictor_ranking
from hrtem_ood.report.style import DENSE, metric_label, palette, tick_labels

MOST = 40
"""Largest number of recipes of training, and of test, that are drawn."""

CELLS = ("structure", "structure and imaging")
"""Subsets of cells with a structure shift: under the training conditions, and under others."""

CAPTION = (
    "Left: median {score} of networks trained on structures of one recipe (rows) and tested on those of another (columns), "
    "under training conditions, so that only the structures change; only conditions under which all recipes are "
    "tested count. Small: number of cells, each a training set and a test dataset. In-domain recipes are framed. "
    "Right: Spearman's ρ of predictors with the gap where structures alone change, and where imaging changes, too, as in "
    "the ranking above.{cut}"
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    return describe(data.structure_matrix, data.analysis)


def draw(data: ReportData) -> Figure:
    """Draw the matrix of recipes beside the ranking of predictors under structure shifts."""
    ranking = data.results.tables["predictor_ranking"]
    return draw_structures(data.structure_matrix, ranking, data.analysis, colours=data.palette)


def describe(matrix: Matrix, analysis: Analysis) -> str:
    """Describe a matrix of recipes."""
    cut = max(len(matrix.rows), len(matrix.columns)) > MOST
    return CAPTION.format(
        score=METRICS[analysis.metric].long_name, cut=f" Only the first {MOST} recipes are drawn." if cut else ""
    )


def draw_structures(matrix: Matrix, table: pd.DataFrame, analysis: Analysis, *, colours: str) -> Figure:
    """Draw the matrix beside the ranking of predictors under structure shifts.

    Parameters
    ----------
    matrix : Matrix
    table : pandas.DataFrame
        The ranking, from :func:`hrtem_ood.analysis.ranking.predictor_ranking.rank_predictors`.
    analysis : Analysis
    colours : str
        Name of a seaborn or matplotlib colour map.

    Returns
    -------
    Figure
    """
    names = predictor_ranking.select_predictors(table, CELLS, analysis)
    rows, columns = min(len(matrix.rows), MOST), min(len(matrix.columns), MOST)
    side = 0.62 if max(rows, columns) <= DENSE else 0.22
    reach = 0.075 * max(map(len, matrix.rows))
    width = max(side * columns, 1.6) + reach + 1.4
    height = max(side * rows + 0.075 * max(map(len, matrix.columns)) + 1, 0.2 * len(names) + 1.3, 2.6)
    figure = new_figure(width + 6.6, height)
    parts: Any = figure.subfigures(1, 2, width_ratios=(width, 6.6))  # an array of two
    _matrix(parts[0].subplots(), matrix, analysis, colours=colours, size=8 if side > 0.5 else 0)
    panels = parts[1].subplots(1, len(CELLS), sharey=True)
    for axes, cells in zip(panels, CELLS, strict=True):
        predictor_ranking.plot_rank_correlations(axes, table, ("gap", cells), names, analysis)
    predictor_ranking.tick_names(panels[0], names, analysis)
    predictor_ranking.legend(parts[1], table[table.predictor.isin(names)].family)
    return figure


def _matrix(axes: Axes, matrix: Matrix, analysis: Analysis, *, colours: str, size: float) -> None:
    score = matrix.score[:MOST, :MOST]
    top = None if analysis.metric == "cross_entropy" else 1
    image = axes.imshow(score, cmap=palette(colours), vmin=0, vmax=top, interpolation="nearest")
    axes.set_facecolor("0.85")
    for row, column in np.argwhere(matrix.same_recipe[:MOST, :MOST]):
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=1.8, clip_on=False, zorder=3
            )
        )
    placed: Any = {"textcoords": "offset points", "ha": "center", "va": "center"}
    for row, column in np.argwhere(np.isfinite(score)) if size else ():
        red, green, blue, _ = image.cmap(image.norm(score[row, column]))
        colour = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
        for text, below, smaller in ((f"{score[row, column]:.2f}", 3, 0), (f"{matrix.cells[row, column]}", -8, 2)):
            axes.annotate(text, (column, row), (0, below), color=colour, fontsize=size - smaller, **placed)
    tick_labels(axes, matrix.columns[:MOST], along="x")
    tick_labels(axes, matrix.rows[:MOST], along="y")
    axes.set(xlabel="tested on structures of", ylabel="trained on structures of")
    axes.figure.colorbar(
        image, ax=axes, label=f"median {metric_label(analysis.metric)}", fraction=0.05, aspect=20, shrink=0.8
    )

"""Figure `predictor_ranking`: rank correlation of every predictor with gap and regret."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrtem_ood.config.analysis import FORECAST, Analysis
from hrtem_ood.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import minimal_axes

COLOURS = {"transfer": BLUE, "naive": GREY, "images": GREEN, "network": ORANGE, "user": PURPLE, "forecast": VERMILION}
KINDS = {
    "transfer": "information transfer",
    "naive": "naive",
    "images": "images",
    "network": "networks, without labels",
    "user": "user-defined",
    "forecast": "forecaster, out of fold",
}
MARKERS = {"transfer": "o", "naive": "s", "images": "^", "network": "D", "user": "v", "forecast": "P"}

MOST = 40
"""Largest number of predictors that are drawn."""

TEXT_PT = 10
"""Font size [pt], 6 or more where a page is 7.3 inches wide."""

CELLS = ("imaging", "imaging, away from minimum contrast")
"""Subsets of cells of this figure; those of structure shift have a separate figure."""

CAPTION = (
    "Spearman's ρ of every predictor with gap and regret over off-domain cells under an imaging shift, positive where its "
    "direction is that of theory. Lines: {level:.0f} % interval from {resamples} resamples of training sets and test conditions. "
    "Predictors are in the order of the first panel. Dashed: ρ of the baseline, {reference}; bold: "
    "{forecast}. Both were chosen before the run.{cut}"
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    return describe(data.results.tables["predictor_ranking"], data.analysis)


def draw(data: ReportData) -> Figure:
    """Draw one panel per outcome and subset of cells."""
    return draw_ranking(data.results.tables["predictor_ranking"], data.analysis)


def describe(table: pd.DataFrame, analysis: Analysis) -> str:
    """Describe a ranking."""
    part = table[table.cells.isin(CELLS)]
    ranked, number = part[part.rho.notna()].predictor.nunique(), len(select_predictors(table, CELLS, analysis))
    constant = sorted(set(part.predictor) - set(part[part.rho.notna()].predictor))
    cut = f" Of {ranked} predictors, {number} are drawn: all naive ones, and the best." if ranked > number else ""
    cut += f" Constant, hence without ρ: {', '.join(constant)}." if constant else ""
    return CAPTION.format(
        level=100 * analysis.confidence_level,
        resamples=analysis.bootstrap_resamples,
        reference=analysis.baseline_predictor,
        forecast=f"{FORECAST}, the forecaster, each cell from cells that share no condition with it"
        if FORECAST in set(part.predictor)
        else f"{analysis.forecast_predictor}, which the forecast uses",
        cut=cut,
    )


def draw_ranking(table: pd.DataFrame, analysis: Analysis) -> Figure:
    """Draw one panel per outcome and subset of cells.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`hrtem_ood.analysis.ranking.predictor_ranking.rank_predictors`.
    analysis : Analysis

    Returns
    -------
    Figure
    """
    names = select_predictors(table, CELLS, analysis)
    subsets = [(outcome, cells) for outcome in ("gap", "regret") for cells in CELLS]
    figure = new_figure(1.85 * len(subsets) + 2.6, max(2.6, 0.22 * len(names) + 1.5))
    panels = figure.subplots(1, len(subsets), sharey=True)
    for axes, subset in zip(panels, subsets, strict=True):
        plot_rank_correlations(axes, table, subset, names, analysis)
    tick_names(panels[0], names, analysis)
    # a line at every fifth name leads the eye through as many rows
    for axes in panels:
        for row in range(5, len(names), 5):
            axes.axhline(row - 0.5, color="0.75", linewidth=0.6, zorder=0)
    legend(figure, table[table.predictor.isin(names)].family)
    return figure


def select_predictors(table: pd.DataFrame, cells: Sequence[str], analysis: Analysis) -> list[str]:
    """Return the names of the predictors to draw, best first: by the first subset of cells that has them.

    Naive ones, the baseline and the one of the forecast are always among them; those without ρ are not.
    """
    order = pd.concat([table[(table.outcome == o) & (table.cells == c)] for o in ("gap", "regret") for c in cells])
    order = order[order.rho.notna()].drop_duplicates("predictor")
    always = (order.family == "naive") | order.predictor.isin(
        [analysis.baseline_predictor, analysis.forecast_predictor, FORECAST]
    )
    n_others = max(0, MOST - int(always.sum()))
    return list(order.predictor[always | ((~always).cumsum() <= n_others)])


def plot_rank_correlations(
    axes: Axes, table: pd.DataFrame, subset: tuple[str, str], names: Sequence[str], analysis: Analysis
) -> None:
    """Draw ρ of predictors with one outcome over one subset of cells, the first name at the top."""
    outcome, cells = subset
    part = table[(table.outcome == outcome) & (table.cells == cells)].set_index("predictor").reindex(list(names))
    n = part.n.dropna()
    broken = cells.replace(", ", ",\n").replace(" from ", " from\n")  # as narrow as the panel
    axes.set_title(f"{outcome}\n{broken}\nn = {int(n.iloc[0]) if len(n) else 0}", fontsize=TEXT_PT)
    minimal_axes(axes)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set(xlim=(-1.05, 1.05), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_xticklabels(["−1", "", "0", "", "1"])
    axes.set_xlabel("Spearman's ρ", fontsize=TEXT_PT)
    axes.set_ylim(len(names) - 0.4, -0.6)
    if not part.rho.notna().any():
        axes.text(0.5, 0.5, "too few cells", ha="center", va="center", transform=axes.transAxes, fontsize=TEXT_PT)
        return
    if analysis.baseline_predictor in part.index:
        axes.axvline(part.rho[analysis.baseline_predictor], color=GREY, linewidth=0.9, linestyle=(0, (4, 2)))
    y = np.arange(len(names))
    for family in part.family.dropna().unique():
        colour = COLOURS[family]
        in_family = (part.family == family).to_numpy() & part.rho.notna().to_numpy()
        axes.hlines(
            y[in_family], part.rho_low[in_family], part.rho_high[in_family], color=colour, linewidth=1.4, alpha=0.6
        )
        axes.scatter(
            part.rho[in_family], y[in_family], color=colour, marker=MARKERS[family], s=20, zorder=3, edgecolor="none"
        )


def tick_names(axes: Axes, names: Sequence[str], analysis: Analysis) -> None:
    """Write the names of the predictors, that of the forecast in bold."""
    axes.set_yticks(np.arange(len(names)), names, fontsize=TEXT_PT)
    chosen = FORECAST if FORECAST in names else analysis.forecast_predictor
    for name, text in zip(names, axes.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if name == chosen else "normal")


def legend(figure: Figure, families: pd.Series) -> None:
    """Name the families."""
    present = set(families)
    handles = [
        Line2D([], [], color=COLOURS[name], marker=MARKERS[name], linewidth=1.4, markersize=4.5, label=text)
        for name, text in KINDS.items()
        if name in present
    ]
    if handles:
        columns = min(len(handles), 4)
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=TEXT_PT)

"""Figure `league`: how well every predictor ranks gap and regret."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrtem_ood.config.analysis import Analysis
from hrtem_ood.report.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, minimal_axes, new_figure

COLOURS = {"transfer": BLUE, "naive": GREY, "images": GREEN, "network": ORANGE, "user": PURPLE}
KINDS = {
    "transfer": "information transfer",
    "naive": "naive",
    "images": "images",
    "network": "networks, without labels",
    "user": "your own",
}
MARKERS = {"transfer": "o", "naive": "s", "images": "^", "network": "D", "user": "v"}

MOST = 40
"""At most so many predictors are shown."""

CELLS = ("imaging", "imaging, away from minimum contrast")
"""The contests of this figure; those of structures have a figure of their own."""

CAPTION = (
    "Spearman's ρ of every predictor with gap and regret over off-domain cells under an imaging shift, positive where it points "
    "the way that theory says. Lines: {level:.0f} % interval from {resamples} resamples of training sets and test conditions. "
    "Predictors are in the order of the first panel. Dashed: ρ of {reference}, which the others are compared with; bold: "
    "{forecast}, which the forecast uses. Both were chosen before the run.{cut}"
)


def caption(table: pd.DataFrame, analysis: Analysis) -> str:
    """Tell what :func:`draw` draws."""
    here = table[table.cells.isin(CELLS)]
    ranked, number = here[here.rho.notna()].predictor.nunique(), len(select_predictors(table, CELLS, analysis))
    still = sorted(set(here.predictor) - set(here[here.rho.notna()].predictor))
    cut = f" Of {ranked} predictors, {number} are shown: all that are naive, and the best." if ranked > number else ""
    cut += f" The same everywhere, hence without ρ: {', '.join(still)}." if still else ""
    return CAPTION.format(
        level=100 * analysis.confidence_level,
        resamples=analysis.bootstrap_resamples,
        reference=analysis.baseline_predictor,
        forecast=analysis.forecast_predictor,
        cut=cut,
    )


def draw(table: pd.DataFrame, analysis: Analysis) -> Figure:
    """Draw one panel per outcome and contest.

    Parameters
    ----------
    table : pandas.DataFrame
        The league, from :func:`hrtem_ood.analysis.ranking.predictor_ranking.rank_predictors`.
    analysis : Analysis

    Returns
    -------
    Figure
    """
    names = select_predictors(table, CELLS, analysis)
    contests = [(outcome, cells) for outcome in ("gap", "regret") for cells in CELLS]
    figure = new_figure(2.35 * len(contests) + 2.2, max(2.4, 0.2 * len(names) + 1.3))
    panels = figure.subplots(1, len(contests), sharey=True)
    for axes, contest in zip(panels, contests, strict=True):
        plot_rank_correlations(axes, table, contest, names, analysis)
    tick_names(panels[0], names, analysis)
    legend(figure, table[table.predictor.isin(names)].family)
    return figure


def select_predictors(table: pd.DataFrame, cells: Sequence[str], analysis: Analysis) -> list[str]:
    """Names of the predictors that are shown, best first: by the first contest that they are in.

    Naive ones, the reference and the one of the forecast are always among them; what ranks nothing is not.
    """
    order = pd.concat([table[(table.outcome == o) & (table.cells == c)] for o in ("gap", "regret") for c in cells])
    order = order[order.rho.notna()].drop_duplicates("predictor")
    always = (order.family == "naive") | order.predictor.isin(
        [analysis.baseline_predictor, analysis.forecast_predictor]
    )
    room = max(0, MOST - int(always.sum()))
    return list(order.predictor[always | ((~always).cumsum() <= room)])


def plot_rank_correlations(
    axes: Axes, table: pd.DataFrame, contest: tuple[str, str], names: Sequence[str], analysis: Analysis
) -> None:
    """Draw ρ of predictors in one contest, the first name at the top."""
    outcome, cells = contest
    part = table[(table.outcome == outcome) & (table.cells == cells)].set_index("predictor").reindex(list(names))
    n = part.n.dropna()
    axes.set_title(
        f"{outcome}\n{cells.replace(', ', ',' + chr(10))}\nn = {int(n.iloc[0]) if len(n) else 0}", fontsize=8.5
    )
    minimal_axes(axes)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set(xlim=(-1.05, 1.05), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_xticklabels(["−1", "", "0", "", "1"])
    axes.set_xlabel("Spearman's ρ", fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    if not part.rho.notna().any():
        axes.text(0.5, 0.5, "too few cells", ha="center", va="center", transform=axes.transAxes, fontsize=8.5)
        return
    if analysis.baseline_predictor in part.index:
        axes.axvline(part.rho[analysis.baseline_predictor], color=GREY, linewidth=0.9, linestyle=(0, (4, 2)))
    y = np.arange(len(names))
    for family in part.family.dropna().unique():
        colour = COLOURS[family]
        mine = (part.family == family).to_numpy() & part.rho.notna().to_numpy()
        axes.hlines(y[mine], part.rho_low[mine], part.rho_high[mine], color=colour, linewidth=1.4, alpha=0.6)
        axes.scatter(part.rho[mine], y[mine], color=colour, marker=MARKERS[family], s=20, zorder=3, edgecolor="none")


def tick_names(axes: Axes, names: Sequence[str], analysis: Analysis) -> None:
    """Write the names of the predictors, that of the forecast in bold."""
    axes.set_yticks(np.arange(len(names)), names, fontsize=8)
    for name, text in zip(names, axes.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if name == analysis.forecast_predictor else "normal")


def legend(figure: Figure, families: pd.Series) -> None:
    """Name the families that are there."""
    there = set(families)
    handles = [
        Line2D([], [], color=COLOURS[name], marker=MARKERS[name], linewidth=1.4, markersize=4.5, label=text)
        for name, text in KINDS.items()
        if name in there
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)

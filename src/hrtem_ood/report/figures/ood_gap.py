"""Figure `ood_gap`: the OOD gap against its predictors σ and |Δdefocus|, and the one that the forecast uses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrtem_ood.analysis.correlation import gap_correlation
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.plotting import GREY, VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import minimal_axes

CROWD = 1000
"""Above this number of points, they are drawn small, and as pixels in SVG, too."""

BINS = 6
"""Number of bins, each of equally many points except for ties of the predictor."""

BINNED = 100
"""Above this number of points, medians of bins are drawn over them."""

CAPTION = (
    "F1 gap (F1 minus the same networks' mean in-domain F1; below zero is worse) of every pair of training set "
    "and test dataset of its own structure recipe under another condition, median over networks, "
    "against shared transfer σ and change of defocus (both to the "
    "nearest training condition){third}. Vertical lines: quartiles over networks, of up to {crowd} pairs. Red lines, with more "
    "than {binned} pairs: median and quartiles over bins of as many pairs each. Colour: transfer ε of the test condition. "
    "Titles: Spearman's ρ with its {level:g} % bootstrap interval over training sets and test conditions."
)

USUAL = {"sigma": "shared transfer σ", "abs_delta_defocus_A": "|Δf − Δf′| to the nearest training condition [Å]"}
"""Predictors of the first two panels, with the titles of their axes."""


def caption(data: ReportData) -> str:
    """Describe the figure."""
    forecast = data.analysis.forecast_predictor
    third = "" if forecast in USUAL else f", and against {forecast}, which the forecast uses"
    return CAPTION.format(third=third, crowd=CROWD, binned=BINNED, level=100 * data.analysis.confidence_level)


def draw(data: ReportData) -> Figure:
    """Draw the panels."""
    results, analysis = data.results, data.analysis
    values = results.predictors[analysis.forecast_predictor]
    return draw_gap(results.cells, results.tables["predictors"], values, analysis)


def draw_gap(cells: xr.Dataset, correlations: pd.DataFrame, values: xr.DataArray, analysis: Analysis) -> Figure:
    """Draw the panels.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.
    correlations : pandas.DataFrame
        From :func:`hrtem_ood.analysis.correlation.predictor_table`.
    values : xarray.DataArray, (training_set, condition)
        The predictor of the forecast, with its symbol and unit; it has a third panel unless it is one of the first two.
    analysis : Analysis

    Returns
    -------
    Figure
    """
    titles, imaging = dict(USUAL), cell_subsets(cells)["imaging"]
    rhos = correlations[correlations.cells == "imaging"].set_index("predictor").to_dict("index")
    name = str(values.name)
    if name not in titles:
        cells = _with_predictor(cells, values)
        unit = f" [{values.attrs['units']}]" if values.attrs["units"] != "1" else ""
        titles[name] = f"{values.attrs['long_name']}{unit}"
        result = gap_correlation(cells, name, imaging, analysis)
        rhos[name] = {"rho": result.rho, "rho_low": result.low, "rho_high": result.high, "n": result.n}
    figure = new_figure(4.4 * len(titles) + 0.6, 4.2)
    panels = figure.subplots(1, len(titles), sharey=True)
    cells = cells.assign(imaging=(("training_set", "condition"), imaging))
    frame = cells[["gap", "gap_q25", "gap_q75", "imaging", "epsilon", *titles]].to_dataframe().reset_index()
    frame = frame[frame.imaging & frame.gap.notna()]
    norm = Normalize(0, max(float(frame.epsilon.max()) if len(frame) else 0.0, 1e-3))
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        _points(axes, frame[np.isfinite(frame[name])], name, norm)
        axes.set_xlabel(title)
        axes.set_title(spearman_text(rhos[name]), fontsize=9.5)
        minimal_axes(axes)
    panels[0].set_ylabel("F1 gap to in-domain")
    panels[0].set_xlim(-0.03, 1.03)
    if len(frame):
        for axes in panels:
            axes.axhline(0, color=GREY, linewidth=0.8, zorder=0)
        figure.colorbar(
            ScalarMappable(norm, "crest"), ax=panels, label="ε of the test condition", fraction=0.04, aspect=25
        )
        _legend(figure, frame)
    else:
        for axes in panels:
            axes.set(xticks=[], yticks=[])
            axes.text(
                0.5,
                0.5,
                "no cell under an imaging shift with a gap",
                ha="center",
                va="center",
                transform=axes.transAxes,
            )
    return figure


def _points(axes: Axes, frame: pd.DataFrame, name: str, norm: Normalize) -> None:
    """Draw single-condition training sets as discs, mixtures as diamonds."""
    crowded = len(frame) > CROWD
    if len(frame) > BINNED:
        _medians(axes, frame, name)
    if not crowded:
        axes.vlines(frame[name], frame.gap_q25, frame.gap_q75, color="0.75", linewidth=0.7, zorder=1)
    for mixed, marker in ((False, "o"), (True, "D")):
        part = frame[frame.mixed == mixed]
        axes.scatter(
            part[name],
            part.gap,
            c=part.epsilon,
            cmap="crest",
            norm=norm,
            marker=marker,
            s=(6 if crowded else 34) * (0.8 if mixed else 1),
            alpha=0.6 if crowded else 0.8,
            edgecolor="none" if crowded else "white",
            linewidth=0.5,
            rasterized=crowded,
        )


def _with_predictor(cells: xr.Dataset, values: xr.DataArray) -> xr.Dataset:
    """Return the cells with the values of a predictor, in the order of the cells."""
    ids = {name: cells[name].values.astype(str) for name in ("training_set", "condition")}
    return cells.assign({str(values.name): (("training_set", "condition"), values.reindex(ids).values)})


def _medians(axes: Axes, frame: pd.DataFrame, name: str) -> None:
    """Draw medians and quartiles of the gap over bins of the predictor."""
    bins = pd.qcut(frame[name], BINS, duplicates="drop")
    groups = frame.groupby(bins, observed=True)
    at = groups[name].median()
    for level, width in ((0.25, 1.0), (0.5, 2.2), (0.75, 1.0)):
        axes.plot(at, groups.gap.quantile(level), color=VERMILION, linewidth=width, zorder=3)


def _legend(figure: Figure, frame: pd.DataFrame) -> None:
    kinds = {False: ("o", "one training condition"), True: ("D", "mixture")}
    handles = [
        Line2D([], [], marker=marker, linestyle="none", color=GREY, markersize=5.5, label=label)
        for mixed, (marker, label) in kinds.items()
        if (frame.mixed == mixed).any()
    ]
    if len(frame) > BINNED:
        handles.append(Line2D([], [], color=VERMILION, linewidth=2.2, label="median and quartiles over bins"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def spearman_text(row: Mapping[Any, Any]) -> str:
    """Write a correlation with its interval, e.g. ``Spearman ρ = +0.62 [+0.41, +0.78], n = 49``."""
    if not np.isfinite(row["rho"]):
        return f"Spearman ρ undefined, n = {row['n']}"
    text = f"Spearman ρ = {row['rho']:+.2f} [{row['rho_low']:+.2f}, {row['rho_high']:+.2f}], n = {row['n']}"
    return text.replace("-", "−")

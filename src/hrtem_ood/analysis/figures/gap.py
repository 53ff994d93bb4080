"""Figure `gap`: the OOD gap against its predictors σ and |Δdefocus|."""

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

from hrtem_ood.analysis.figures.style import GREY, VERMILION, new_figure

CROWD = 2000
"""More points than this are drawn small, and as pixels in SVG, too, with medians of bins over them."""

BINS = 10
"""Bins of as many points each, give or take those of equal predictors."""

CAPTION = (
    "F1 gap (F1 minus the same networks' mean in-domain F1; below zero is worse) of every off-domain pair of training set "
    "and test condition, median over networks, against shared transfer σ (left) and change of defocus (right; both to the "
    "nearest training condition). Vertical lines: quartiles over the networks of a few pairs; of many pairs, median and "
    "quartiles over bins. Colour: transfer ε of the test condition. Titles: Spearman's ρ with its 95 % bootstrap "
    "interval over training sets and test conditions."
)


def draw(cells: xr.Dataset, predictors: pd.DataFrame) -> Figure:
    """Draw both panels.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.cells.cells`.
    predictors : pandas.DataFrame
        From :func:`hrtem_ood.analysis.correlation.predictor_table`.

    Returns
    -------
    Figure
    """
    figure = new_figure(9.2, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    frame = (
        cells[["gap", "gap_q25", "gap_q75", "in_domain", "sigma", "abs_delta_defocus_A", "epsilon"]]
        .to_dataframe()
        .reset_index()
    )
    frame = frame[~frame.in_domain & frame.gap.notna()]
    whole = predictors[predictors.cells == "all off-domain"].set_index("predictor").to_dict("index")
    norm = Normalize(0, max(float(frame.epsilon.max()) if len(frame) else 0.0, 1e-3))
    titles = {"sigma": "shared transfer σ", "abs_delta_defocus_A": "|Δf − Δf′| to the nearest training condition [Å]"}
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        _points(axes, frame, name, norm)
        axes.set(xlabel=title, title=spearman_text(whole[name]))
        axes.grid(visible=True, color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
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
            axes.text(0.5, 0.5, "no off-domain cell with a gap", ha="center", va="center", transform=axes.transAxes)
    return figure


def _points(axes: Axes, frame: pd.DataFrame, name: str, norm: Normalize) -> None:
    """Draw single-condition training sets as discs, mixtures as diamonds."""
    crowded = len(frame) > CROWD
    if crowded:
        _medians(axes, frame, name)
    else:
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
    if len(frame) > CROWD:
        handles.append(Line2D([], [], color=VERMILION, linewidth=2.2, label="median and quartiles over bins"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def spearman_text(row: Mapping[Any, Any]) -> str:
    """Write a correlation with its interval, e.g. ``Spearman ρ = +0.62 [+0.41, +0.78], n = 49``."""
    if not np.isfinite(row["spearman_rho"]):
        return f"Spearman ρ undefined, n = {row['n']}"
    text = f"Spearman ρ = {row['spearman_rho']:+.2f} [{row['low_95']:+.2f}, {row['high_95']:+.2f}], n = {row['n']}"
    return text.replace("-", "−")

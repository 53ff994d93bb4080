"""Figure `ood_matrix`: performance of every training set under every test condition."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from hrtem_ood.analysis.figures.style import DENSE, VERMILION, new_figure, palette, room_for, tick_labels
from hrtem_ood.analysis.labels import ConditionLabels

CAPTION = (
    "Median F1 over the networks of each training set (rows) under each test condition (columns). In-domain cells, "
    "whose test condition is a training condition, are framed."
)


def draw(cells: xr.Dataset, labels: ConditionLabels, *, colours: str) -> Figure:
    """Draw one heat map per structure set.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.cells.cells`.
    labels : ConditionLabels
    colours : str
        Name of a seaborn or matplotlib colour map.

    Returns
    -------
    Figure
    """
    sets = list(dict.fromkeys(cells.structure_set.values))
    parts = [cells.isel(condition=np.flatnonzero(cells.structure_set.values == name)) for name in sets]
    rows, most = cells.sizes["training_set"], max(part.sizes["condition"] for part in parts)
    dense = max(rows, most) > DENSE
    width = float(np.clip((0.13 if dense else 0.62) * most, 2.5, 9.5))
    height = float(np.clip((0.14 if dense else 0.36) * rows, 0.4, 9.0)) + 0.9
    height += room_for(list(cells.condition_short_label.values), along="x")
    across = 1 if width * len(parts) > 10 else len(parts)
    down = len(parts) // across
    figure = new_figure(width * across + room_for(list(cells.short_label.values), along="y") + 1.4, height * down + 0.3)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    colour_map = palette(colours)
    for axes, name, part in zip(grid.flat, sets, parts, strict=True):
        image = axes.imshow(part.f1.values, cmap=colour_map, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        _mark(axes, part, numbers=not dense)
        tick_labels(axes, list(part.condition_short_label.values), along="x")
        axes.tick_params(length=2, labelsize=7 if dense else 8.5)
        axes.set_facecolor("0.85")
        axes.set_xlabel(f"test {labels.axis}")
        if len(sets) > 1:
            axes.set_title(f"structure set {name}")
    for axes in grid[:, 0]:
        tick_labels(axes, list(cells.short_label.values), along="y")
        axes.set_ylabel(f"training {labels.axis}")
    figure.colorbar(image, ax=grid, label="median F1", fraction=0.03, aspect=25)
    handles = [Patch(facecolor="none", edgecolor=VERMILION, linewidth=1.8, label="in-domain")]
    if not np.isfinite(cells.f1.values).all():
        handles.append(Patch(facecolor="0.85", label="no network"))
    figure.legend(handles=handles, loc="outside upper right", frameon=False, ncols=2)
    return figure


def _mark(axes: Axes, part: xr.Dataset, *, numbers: bool) -> None:
    """Frame in-domain cells, and write F1 into all of them."""
    values = part.f1.values
    for row, column in zip(*np.nonzero(part.in_domain.values), strict=True):
        frame = Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=1.8 if numbers else 0.6
        )
        frame.set_clip_on(False)
        axes.add_patch(frame)
    if not numbers:
        return
    for row, column in np.argwhere(np.isfinite(values)):
        colour = axes.images[0].cmap(values[row, column])
        bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
        axes.text(
            column,
            row,
            f"{values[row, column]:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="black" if bright > 0.55 else "white",
        )

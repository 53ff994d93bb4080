"""Figure `ood_matrix`: performance of every training set under every test condition."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from hrtem_ood.analysis.gather import MEASURED
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.plotting import VERMILION, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import DENSE, consecutive_groups, label_extent, palette, tick_labels

CAPTION = (
    "Median F1 over the networks of each training set (rows) under each test condition (columns), both ordered by what "
    "varies. In-domain cells, whose test condition and structure recipe are ones of the training set, are framed."
)

MEASURED_NOTE = " Columns of measured micrographs are scores on labelled images, whose condition nobody knows."

LARGEST = {"x": 6.5, "y": 13.0}
"""Largest width and height of a dense matrix [inch]."""

DENSE_PT = 9.5
"""Font size of tick labels of a dense matrix [pt], 6 or more where a page is 7.3 inches wide; where they do not fit, some are
omitted."""

LEADING = 2
"""Of conditions that vary in more parameters than this, labels of a dense matrix have the leading ones."""

SEPARATOR = " · "
"""Of parameters in labels."""


@dataclass(frozen=True)
class Cell:
    """Size of cells: width and height in inches, and whether they are too small for numbers."""

    width: float
    height: float
    dense: bool

    @classmethod
    def of(cls, rows: int, columns: int) -> "Cell":
        """Choose the size for a matrix."""
        if rows <= DENSE and columns <= 1.5 * DENSE:
            return cls(0.62, 0.36, dense=False)
        sides = ((LARGEST["x"], columns), (LARGEST["y"], rows))
        width, height = (float(np.clip(largest / count, 0.01, 0.3)) for largest, count in sides)
        return cls(width, height, dense=True)

    @property
    def font(self) -> float:
        """Size of tick labels in points."""
        return DENSE_PT if self.dense else 8.5

    def most(self, along: str, count: int) -> int:
        """Return how many of the tick labels fit."""
        side = self.width if along == "x" else self.height
        return max(1, min(count, int(count * side * 72 / (1.05 * self.font))))

    def shortened(self, labels: list[str]) -> list[str]:
        """Return labels of conditions, in a dense matrix with the leading parameters only."""
        return [SEPARATOR.join(each.split(SEPARATOR)[:LEADING]) for each in labels] if self.dense else labels


def caption(data: ReportData) -> str:
    """Describe the figure."""
    measured = MEASURED_NOTE if data.results.measured else ""
    return CAPTION + measured + data.default_note


def draw(data: ReportData) -> Figure:
    """Draw one heat map per structure set, side by side."""
    cells, measured = data.results.cells, data.results.measured
    return draw_matrix(measured.beside(cells) if measured else cells, data.labels, colours=data.palette)


def draw_matrix(cells: xr.Dataset, labels: ConditionLabels, *, colours: str) -> Figure:
    """Draw one heat map per structure set, side by side.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.
    labels : ConditionLabels
    colours : str
        Name of a seaborn or matplotlib colour map.

    Returns
    -------
    Figure
    """
    sets = list(dict.fromkeys(cells.structure_set.values))
    parts = [cells.isel(condition=np.flatnonzero(cells.structure_set.values == name)) for name in sets]
    cell = Cell.of(cells.sizes["training_set"], cells.sizes["condition"])
    widths = [max(part.sizes["condition"] * cell.width, 0.6) for part in parts]
    scale = cell.font / 8.5
    of_rows, of_columns = (cell.shortened(list(cells[name].values)) for name in ("tick_label", "condition_tick_label"))
    height = max(cells.sizes["training_set"] * cell.height, 0.5) + 1.2
    height += scale * label_extent(of_columns, along="x")
    left = scale * label_extent(of_rows, along="y")
    figure = new_figure(max(sum(widths), 2.5) + left + 2.2, height)
    (grid,) = figure.subplots(1, len(parts), squeeze=False, sharey=True, width_ratios=widths)
    colour_map = palette(colours)
    for axes, name, part, width in zip(grid, sets, parts, widths, strict=True):
        image = axes.imshow(part.f1.values, cmap=colour_map, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set_facecolor("0.85")
        axes.tick_params(length=2)
        _mark(axes, part, cell)
        _label(axes, part, cell, "x", cell.shortened(list(part.condition_tick_label.values)))
        title = f"structure set {name}" if width > 2 and name != MEASURED else str(name)
        if len(sets) > 1:
            slanted = 0.085 * len(title) > width
            axes.set_title(
                title, rotation=30 if slanted else 0, ha="left" if slanted else "center", pad=18 if cell.dense else 6
            )
    _label(grid[0], cells, cell, "y", of_rows)
    title, more = _axis_label(labels.axis_label, cell)
    grid[0].set_ylabel(f"training {title}{more}", fontsize=max(10, cell.font))
    figure.supxlabel(f"test {title}{more}", fontsize=max(10, cell.font))
    if cell.dense:
        for name, start, stop in consecutive_groups(list(cells.row_group.values)):
            _bracket(grid[-1], name, start, stop)
    figure.colorbar(image, ax=list(grid), label="median F1", fraction=0.03, aspect=25, shrink=min(1.0, 4 / height))
    handles = [Patch(facecolor="none", edgecolor=VERMILION, linewidth=1.8, label="in-domain")]
    if not np.isfinite(cells.f1.values).all():
        handles.append(Patch(facecolor="0.85", label="no network"))
    figure.legend(handles=handles, loc="outside upper right", frameon=False, ncols=2)
    return figure


def _axis_label(label: str, cell: Cell) -> tuple[str, str]:
    """Return the title of an axis, with the parameters that its labels have, and how many others vary."""
    names = label.split(SEPARATOR)
    left = len(names) - LEADING if cell.dense else 0
    return cell.shortened([label])[0], f", of {len(names)} parameters that vary" if left > 0 else ""


def _label(axes: Axes, part: xr.Dataset, cell: Cell, along: str, labels: list[str]) -> None:
    """Write tick labels; in a dense matrix as many as fit, with names for groups."""
    tick_labels(axes, labels, along=along, most=cell.most(along, len(labels)), upright=cell.dense)
    axes.tick_params(axis="x" if along == "x" else "y", labelsize=cell.font)
    if not cell.dense:
        return
    groups = list(consecutive_groups(list((part.column_group if along == "x" else part.row_group).values)))
    for name, start, stop in groups:
        if along == "x" and len(groups) > 1:
            upright = 0.08 * len(name) > cell.width * (stop - start)
            axes.annotate(
                name,
                ((start + stop - 1) / 2, 1),
                (0, 4),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=cell.font,
                rotation=90 if upright else 0,
            )


def _bracket(axes: Axes, name: str, start: int, stop: int) -> None:
    """Name a group of rows on the right."""
    where = axes.get_yaxis_transform()
    axes.plot([1.0, 1.0], [start - 0.3, stop - 0.7], transform=where, color="black", linewidth=1.5, clip_on=False)
    axes.annotate(
        name,
        (1, (start + stop - 1) / 2),
        (6, 0),
        xycoords=where,
        textcoords="offset points",
        va="center",
        fontsize=DENSE_PT,
        rotation=90,
        annotation_clip=False,
    )


def _mark(axes: Axes, part: xr.Dataset, cell: Cell) -> None:
    """Frame in-domain cells, part groups of a dense matrix, and write F1 into the cells of others."""
    values = part.f1.values
    for row, column in zip(*np.nonzero(part.in_domain.values), strict=True):
        frame = Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=0.7 if cell.dense else 1.8
        )
        frame.set_clip_on(False)
        axes.add_patch(frame)
    if cell.dense:
        for _, start, _ in list(consecutive_groups(list(part.row_group.values)))[1:]:
            axes.axhline(start - 0.5, color="white", linewidth=1.2)
        for _, start, _ in list(consecutive_groups(list(part.column_group.values)))[1:]:
            axes.axvline(start - 0.5, color="white", linewidth=1.2)
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

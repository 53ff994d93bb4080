"""Figure of scored micrographs: F1 of networks × images, beside their medians."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hrtem_ood.plotting import BLUE, SCREEN_DPI, VERMILION, new_figure, render, text_of_size
from hrtem_ood.quoting import shortened

TEXT_PT = 8

MOST_NETWORKS, MOST_IMAGES = 60, 120
"""Rows and columns that are drawn: the best networks, and the images with the least median F1."""

MOST_NUMBERS = 24
"""Columns up to which each cell holds its number."""

MOST_LETTERS = 34
"""Of a name."""


def draw_scores(table: pd.DataFrame, summary: pd.DataFrame) -> bytes:
    """Draw F1 of each network (rows, the best above) on each image (columns, the easiest at the left).

    At the right, the same scores as points, with the median and its bootstrap interval. Images whose label holds no
    particle have no F1, and are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :class:`hrtem_ood.learning.inference.score_micrographs.MicrographScores`, with at least one F1.
    summary : pandas.DataFrame
        Of :func:`hrtem_ood.learning.inference.score_micrographs.summarise`.

    Returns
    -------
    bytes
        PNG.
    """
    import seaborn as sns  # in a second

    cells = _cells(table, summary)
    rows, columns = cells.shape
    wide, high = float(np.clip(0.42 * columns, 1.2, 12)), 0.3 * rows
    with mpl.rc_context(text_of_size(TEXT_PT)):
        figure = new_figure(wide + 6.2, high + 2.6)
        left, right = figure.subplots(1, 2, width_ratios=(wide, 2.6))
        sns.heatmap(
            cells,
            vmin=0,
            vmax=1,
            cmap="viridis",
            annot=columns <= MOST_NUMBERS,
            fmt=".2f",
            annot_kws={"size": 7},
            linewidths=0.4 if columns <= MOST_NUMBERS else 0,
            xticklabels=[shortened(str(name), MOST_LETTERS) for name in cells.columns],
            yticklabels=[shortened(str(name), MOST_LETTERS) for name in cells.index],
            cbar_kws={"label": "F1", "location": "left", "pad": 0.02, "aspect": 40},
            ax=left,
        )
        left.set(xlabel="", ylabel="", title=_title(table, cells), facecolor="#dddddd")
        left.tick_params(axis="x", rotation=90, labelsize=7 if columns <= 60 else 4)
        left.tick_params(axis="y", rotation=0, labelsize=7)
        _draw_medians(right, cells, summary.loc[cells.index])
        (png,) = render(figure, ["png"], SCREEN_DPI)
        return png


def _cells(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Arrange F1 in rows of networks and columns of images."""
    scored = table[table.f1.notna()]
    # two files may hold images of one name
    several = scored.groupby("micrograph").micrograph_file.nunique().max() > 1
    image = scored.micrograph_file + " " + scored.micrograph if several else scored.micrograph
    cells = scored.assign(image=image).pivot_table(index="network", columns="image", values="f1", sort=False)
    cells = cells.reindex([name for name in summary.index if name in cells.index][:MOST_NETWORKS])
    order = cells.median().sort_values(ascending=False, kind="stable").index
    return cells[order[-MOST_IMAGES:]]


def _title(table: pd.DataFrame, cells: pd.DataFrame) -> str:
    networks = table.network.nunique()
    drawn = f"the best {len(cells)} of {networks} networks" if len(cells) < networks else ""
    images = table[table.f1.notna()][["micrograph_file", "micrograph"]].drop_duplicates()
    hard = f"the hardest {cells.shape[1]} of {len(images)} images" if cells.shape[1] < len(images) else ""
    return "F1 on labelled micrographs" + "".join(f"\n{text}" for text in (drawn, hard) if text)


def _draw_medians(axes: Axes, cells: pd.DataFrame, summary: pd.DataFrame) -> None:
    """Draw each score as a point, and each median with its interval, in the rows of the matrix."""
    import seaborn as sns

    places = np.arange(len(cells))
    points = pd.DataFrame(
        {"f1": cells.to_numpy().ravel(), "row": np.repeat(places, cells.shape[1])},
    ).dropna()
    sns.stripplot(points, x="f1", y="row", orient="h", color=BLUE, alpha=0.5, size=3.5, jitter=False, ax=axes)
    low, high = (summary[f"median_{end}"].to_numpy(float) for end in ("low", "high"))
    axes.hlines(places, low, high, color=VERMILION, linewidth=1.4)
    axes.plot(summary["median"], places, "|", color=VERMILION, markersize=9, markeredgewidth=2)
    axes.set(
        xlim=(-0.03, 1.03), ylim=(len(cells) - 0.5, -0.5), xlabel="F1", ylabel="", yticks=[],
        title="images; median with its 95 % interval",
    )  # fmt: skip
    axes.grid(axis="x", alpha=0.3)

"""Figure of a selection: networks by their estimated F1, and the evidence behind it."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hrtem_ood.learning.inference.selection.outcome import Selection
from hrtem_ood.plotting import BLUE, FONT, GREY, VERMILION, new_figure, render
from hrtem_ood.quoting import shortened

DPI = 130

MOST_NETWORKS = 60
"""The best, which are drawn."""

MOST_LETTERS = 40
"""Of a name."""

RC: Any = {"font.family": FONT, "font.size": 8, "axes.titlesize": 9}  # Any: matplotlib types the keys as a long Literal


def draw_selection(selection: Selection) -> bytes:
    """Draw the estimated F1 of each network, the best above, and its agreement with the others against its consistency.

    Parameters
    ----------
    selection : Selection

    Returns
    -------
    bytes
        PNG.
    """
    best = selection.networks.head(MOST_NETWORKS)
    with mpl.rc_context(RC):
        figure = new_figure(10.5, max(3.6, 0.22 * len(best) + 1.6))
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
        _draw_ranking(left, selection, best)
        _draw_evidence(right, selection.networks)
        (png,) = render(figure, ["png"], DPI)
        return png


def _draw_ranking(axes: Axes, selection: Selection, best: pd.DataFrame) -> None:
    """Draw estimates of images as points, that of all of them with its interval."""
    import seaborn as sns  # in a second

    places = np.arange(len(best))
    row = pd.Series(places, index=best.index)
    points = selection.images[selection.images.network.isin(best.index)]
    points = pd.DataFrame({"f1": points.f1.to_numpy(), "row": row[points.network].to_numpy()})
    sns.stripplot(points, x="f1", y="row", orient="h", color=BLUE, alpha=0.4, size=3, jitter=False, ax=axes)
    axes.hlines(places, best.low, best.high, color=VERMILION, linewidth=1.4)
    axes.plot(best.f1, places, "o", color=VERMILION, markersize=4)
    axes.axvline(selection.least_f1, color=GREY, linewidth=0.9, linestyle="--")
    few = f"the best {len(best)} of {len(selection.networks)} networks; " if len(best) < len(selection.networks) else ""
    axes.set(
        xlim=(-0.03, 1.03), ylim=(len(best) - 0.5, -0.5), xlabel="estimated F1", ylabel="", yticks=places,
        yticklabels=[shortened(str(name), MOST_LETTERS) for name in best.index],
        title=f"{few}images, and all of them with {selection.level:.0%} intervals\n"
        f"dashed: F1 from which a network will do",
    )  # fmt: skip
    axes.grid(axis="x", alpha=0.3)


def _draw_evidence(axes: Axes, networks: pd.DataFrame) -> None:
    import seaborn as sns

    sns.scatterplot(
        networks, x="consistency", y="consensus", hue="f1", hue_norm=(0, 1), palette="viridis", legend=False, ax=axes
    )
    axes.set(
        xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="consistency: Dice of masks of changed images",
        ylabel="agreement: Dice with the consensus", title="evidence; light: high estimated F1",
    )  # fmt: skip
    axes.grid(alpha=0.3)

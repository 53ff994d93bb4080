"""Colours, rendering and scale bars of all figures: of reports, previews and predictions."""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

# Okabe & Ito's colours, which differ under all common kinds of colour blindness
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#6B6B6B"

FONT = "DejaVu Sans"
"""Comes with matplotlib, hence the same everywhere."""

SCREEN_DPI = 130
"""Of pictures that verbs draw, which are looked at on a screen."""

LARGEST_SHARE = 0.3
"""A scale bar takes at most this share of the width of an image."""


matplotlib.rcParams["text.parse_math"] = False
"""Names and symbols of users are plain text, whatever characters they contain; this project's labels have no formulae."""


def colour_map(name: str) -> Colormap | None:
    """Return a colour map of seaborn or matplotlib, or None where there is none of that name."""
    import seaborn as sns  # takes a second, so only figures with colour maps import it

    try:
        colours = sns.color_palette(name, as_cmap=True)
    except (ValueError, TypeError, KeyError):  # names may contain parameters, which may be invalid
        return None
    return colours if isinstance(colours, Colormap) else None  # some names are lists of a few colours


def new_figure(width: float, height: float) -> Figure:
    """Make a figure outside of any window system; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def text_of_size(points: float) -> Any:
    """Return settings for :func:`matplotlib.rc_context`: the font, and its size [pt]; titles are one point larger.

    The type is Any, as matplotlib types the keys as a long Literal.
    """
    return {"font.family": FONT, "font.size": points, "axes.titlesize": points + 1}


def render(figure: Figure, kinds: Sequence[str], dpi: int) -> list[bytes]:
    """Render a figure as ``png`` or ``svg``, without dates: the same bytes for the same data.

    The layout, which takes as long as drawing, is computed once for all kinds.
    """
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    box = figure.get_tightbbox().padded(0.08)  # [inches]
    files = []
    for kind in kinds:
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, bbox_inches=box)
        files.append(buffer.getvalue())
    return files


def round_length_A(width_A: float) -> float:
    """Return the longest of 1, 2, 5, 10, 20, … Å, and of fractions like these, that a scale bar may have.

    Parameters
    ----------
    width_A : float, [Å]
        Of the image.

    Returns
    -------
    float, [Å]
    """
    limit = LARGEST_SHARE * width_A * (1 + 1e-9)
    decade = 10.0 ** math.floor(math.log10(limit))
    return max(step * decade for step in (1, 2, 5) if step * decade <= limit)


def draw_scale_bar(axes: Axes, width_A: float, *, fontsize: float = 8) -> None:
    """Draw a scale bar of a round length into the lower left corner of an image.

    Parameters
    ----------
    axes : Axes
        Spans the width of the image.
    width_A : float, [Å]
        Of the image.
    fontsize : float, [pt]
    """
    length_A = round_length_A(width_A)
    label = f"{length_A:g} Å" if length_A < 5 else f"{length_A / 10:g} nm"
    bar = AnchoredSizeBar(
        axes.transAxes,
        length_A / width_A,
        label,
        "lower left",
        pad=0.25,
        borderpad=0.3,
        sep=2,
        color="white",
        label_top=True,
        size_vertical=0.015,
        fontproperties={"family": FONT, "size": fontsize},
        fill_bar=True,
    )
    bar.patch.set(facecolor="black", alpha=0.55, edgecolor="none")
    axes.add_artist(bar)

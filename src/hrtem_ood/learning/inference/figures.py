"""Figures of predictions: outlines on the micrograph beside the probability, thumbnails, sizes, and F1 against σ."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from scipy import ndimage

from hrtem_ood.learning.inference.domain_distance import ConditionAssessment
from hrtem_ood.learning.inference.expectation import Expectation
from hrtem_ood.learning.inference.particle_labels import Labels
from hrtem_ood.learning.inference.resample import Floats, block_mean
from hrtem_ood.plotting import (
    BLUE,
    GREY,
    ORANGE,
    SCREEN_DPI,
    VERMILION,
    draw_scale_bar,
    new_figure,
    render,
    text_of_size,
)

DRAWN_PX = 1024
"""Larger images are drawn with pixels averaged to about this side."""

THUMBNAIL_PX = 400
"""About the longer side of thumbnails."""

MOST_NUMBERS = 80
"""Particles of a picture are numbered up to so many."""

TEXT_PT = 9


def draw_segmentation(
    image: Floats,
    probability: Floats,
    labels: Labels,
    particles: pd.DataFrame,
    *,
    pixel_size_A: float,
    title: str,
    network: str,
) -> bytes:
    """Draw a micrograph with the particles' outlines beside the probability, with a scale bar.

    Parameters
    ----------
    image, probability : float32 array, (y, x)
    labels : int32 array, (y, x)
        Numbers of the particles; 0 is background.
    particles : pandas.DataFrame
        Their table; if it is short, their numbers are drawn.
    pixel_size_A : float, [Å]
    title, network : str

    Returns
    -------
    bytes
        PNG.
    """
    block = max(1, min(math.ceil(max(image.shape) / DRAWN_PX), *image.shape))
    image, probability = (block_mean(values, block) for values in (image, probability))
    labels = labels[block // 2 :: block, block // 2 :: block][: image.shape[0], : image.shape[1]]
    height, width = (side * block * pixel_size_A / 10 for side in image.shape)
    extent = (0, width, height, 0)
    with mpl.rc_context(text_of_size(TEXT_PT)):
        figure = new_figure(10.4, 0.7 + 4.6 * min(height / width, 4))  # of a strip, not metres
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        low, high = np.percentile(image, (0.5, 99.5))
        left.imshow(image, cmap="gray", vmin=low, vmax=high, extent=extent)
        if 0 < np.count_nonzero(labels) < labels.size:  # matplotlib warns where there is no line to draw
            outlined = _outlined(probability, labels)
            left.contour(outlined, levels=[0.5], colors=[ORANGE], linewidths=1.2, extent=extent, origin="upper")
        if len(particles) <= MOST_NUMBERS:
            for number, (y, x) in enumerate(particles[["y_A", "x_A"]].to_numpy(float) / 10, start=1):
                text = left.text(x, y, str(number), color="white", size=8, ha="center", va="center")
                text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="black")])
        left.set_title(title)
        drawn = right.imshow(probability, cmap="viridis", vmin=0, vmax=1, extent=extent)
        right.set_title("probability of particle")
        figure.colorbar(drawn, ax=right, shrink=0.9)
        figure.supxlabel(f"network {network}", fontsize=7, color=GREY)
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
        draw_scale_bar(left, 10 * width)
        (png,) = render(figure, ["png"], SCREEN_DPI)
        return png


def _outlined(probability: Floats, labels: Labels) -> Floats:
    """Return the probability, on that side of one half on which labels are; lines between particles are background."""
    inside = labels > 0
    inside[:, :-1] &= (labels[:, 1:] == labels[:, :-1]) | (labels[:, 1:] == 0)
    inside[:-1] &= (labels[1:] == labels[:-1]) | (labels[1:] == 0)
    return np.where(inside, np.maximum(probability, 0.51), np.minimum(probability, 0.49)).astype(np.float32)


def draw_thumbnail(image: Floats, labels: Labels) -> bytes:
    """Draw a small micrograph with its particles in colour.

    Parameters
    ----------
    image : float32 array, (y, x)
    labels : int32 array, (y, x)
        Numbers of the particles; 0 is background.

    Returns
    -------
    bytes
        JPEG.
    """
    import imagecodecs

    block = max(1, round(max(image.shape) / THUMBNAIL_PX))
    grey = block_mean(image, min(block, *image.shape))
    inside = labels[block // 2 :: block, block // 2 :: block][: grey.shape[0], : grey.shape[1]] > 0
    low, high = np.percentile(grey, (0.5, 99.5))
    grey = np.clip((grey - low) / max(high - low, 1e-30), 0, 1)
    outline = inside & ~ndimage.binary_erosion(inside, border_value=1)
    share = np.where(outline, 1.0, np.where(inside, 0.3, 0.0))[..., None]
    rgb = 255 * ((1 - share) * grey[..., None] + share * np.array(to_rgb(ORANGE)))
    return bytes(imagecodecs.jpeg_encode(np.ascontiguousarray(rgb.astype(np.uint8)), level=85))


def draw_diameters(diameters_A: NDArray[np.floating], title: str) -> bytes:
    """Draw a histogram of diameters, with their median as a vertical line.

    Parameters
    ----------
    diameters_A : float array, (particle,), [Å]
        One or more.
    title : str

    Returns
    -------
    bytes
        PNG.
    """
    with mpl.rc_context(text_of_size(TEXT_PT)):
        figure = new_figure(6.4, 3.0)
        axes = figure.subplots()
        # square-root rule: as many bins as a table of so few numbers can fill
        axes.hist(diameters_A, bins=int(np.clip(np.sqrt(len(diameters_A)) * 2, 5, 60)), color=BLUE, edgecolor="white")
        median = float(np.median(diameters_A))
        axes.axvline(median, color=VERMILION, linewidth=1.4, label=f"median {median:.3g} Å")
        axes.set(xlabel="diameter of the circle of the same area [Å]", ylabel="particles", title=title)
        axes.legend(frameon=False)
        (png,) = render(figure, ["png"], SCREEN_DPI)
        return png


def draw_assessment(trust: ConditionAssessment, network: str) -> bytes:
    """Draw F1 against σ of a network's measured conditions, with the stated condition as a vertical line.

    On it stands the expected F1, with its range or interval.

    Parameters
    ----------
    trust : ConditionAssessment
    network : str
        Id.

    Returns
    -------
    bytes
        PNG.
    """
    here, expected = trust.distance, trust.expected
    with mpl.rc_context(text_of_size(TEXT_PT)):
        figure = new_figure(5.6, 3.8)
        axes = figure.subplots()
        if trust.measured is not None and expected is not None:
            points = trust.measured.points
            inside = points.in_domain.to_numpy(bool)
            axes.scatter(points.sigma[~inside], points.f1[~inside], s=26, color=BLUE, label="off-domain")
            axes.scatter(points.sigma[inside], points.f1[inside], s=40, color=ORANGE, marker="D", label="in-domain")
            axes.scatter(
                expected.points.sigma, expected.points.f1, s=110, facecolors="none", edgecolors=GREY, linewidths=0.9,
                label="near the stated one" if expected.near else "nearest in σ",
            )  # fmt: skip
            axes.set_title(f"{network}\nmeasured in {trust.measured.campaign}", fontsize=8.5)
        else:
            axes.set_title(f"{network}\nnothing measured", fontsize=8.5)
        axes.axvline(here.sigma, color=VERMILION, linewidth=1.4, label=f"stated: σ = {here.sigma:.3f}")
        if trust.expectation.source != "none":
            _draw_expected(axes, here.sigma, trust.expectation)
        axes.set(xlabel="shared transfer σ with training", ylabel="F1, mean over images", ylim=(-0.02, 1.02))
        axes.grid(alpha=0.25)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        (png,) = render(figure, ["png"], SCREEN_DPI)
        return png


def _draw_expected(axes: Axes, sigma: float, expected: Expectation) -> None:
    reach = None
    if expected.has_range:
        reach = [[expected.value - expected.low], [expected.high - expected.value]]
    axes.errorbar(
        [sigma], [expected.value], yerr=reach, fmt="_", markersize=14, markeredgewidth=2, color=VERMILION, capsize=4,
        label=f"expected F1 {expected.value:.2f} ({expected.source})",
    )  # fmt: skip

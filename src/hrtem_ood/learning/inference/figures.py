"""Figures of predictions: outlines on the micrograph beside the probability, and F1 against σ."""

import math
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from hrtem_ood.learning.inference.domain_distance import ConditionAssessment
from hrtem_ood.learning.inference.particles import threshold
from hrtem_ood.learning.inference.resample import block_mean
from hrtem_ood.plotting import BLUE, FONT, GREY, ORANGE, VERMILION, draw_scale_bar, new_figure, render

DRAWN_PX = 1024
"""Larger images are drawn with pixels averaged to about this side."""

DPI = 130

RC: Any = {
    "font.family": FONT,
    "font.size": 9,
    "axes.titlesize": 10,
}  # Any: matplotlib types the keys as a long Literal


def draw_segmentation(
    image: NDArray[np.float32], probability: NDArray[np.float32], *, pixel_size_A: float, title: str
) -> bytes:
    """Draw a micrograph with the particles' outlines beside the probability, with a scale bar.

    Parameters
    ----------
    image, probability : float32 array, (y, x)
    pixel_size_A : float, [Å]
    title : str

    Returns
    -------
    bytes
        PNG.
    """
    block = max(1, math.ceil(max(image.shape) / DRAWN_PX))
    image, probability = (block_mean(values, block) for values in (image, probability))
    height, width = (side * block * pixel_size_A / 10 for side in image.shape)
    extent = (0, width, height, 0)
    with mpl.rc_context(RC):
        figure = new_figure(10.4, 0.7 + 4.6 * height / width)
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        low, high = np.percentile(image, (0.5, 99.5))
        left.imshow(image, cmap="gray", vmin=low, vmax=high, extent=extent)
        mask = threshold(probability)
        if mask.min() < mask.max():  # matplotlib warns where there is no line to draw
            left.contour(probability, levels=[0.5], colors=[ORANGE], linewidths=1.2, extent=extent, origin="upper")
        left.set_title(title)
        drawn = right.imshow(probability, cmap="viridis", vmin=0, vmax=1, extent=extent)
        right.set_title("probability of particle")
        figure.colorbar(drawn, ax=right, shrink=0.9)
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
        draw_scale_bar(left, 10 * width)
        (png,) = render(figure, ["png"], DPI)
        return png


def draw_assessment(trust: ConditionAssessment, network: str) -> bytes:
    """Draw F1 against σ of a network's measured conditions, with the stated condition as a vertical line.

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
    with mpl.rc_context(RC):
        figure = new_figure(5.6, 3.8)
        axes = figure.subplots()
        if trust.measured is not None and expected is not None:
            points = trust.measured.points
            inside = points.in_domain.to_numpy(bool)
            axes.scatter(points.sigma[~inside], points.f1[~inside], s=26, color=BLUE, label="off-domain")
            axes.scatter(points.sigma[inside], points.f1[inside], s=40, color=ORANGE, marker="D", label="in-domain")
            axes.scatter(
                expected.points.sigma, expected.points.f1, s=110, facecolors="none", edgecolors=GREY, linewidths=0.9,
                label="nearest in σ",
            )  # fmt: skip
            axes.set_title(f"{network}\nmeasured in {trust.measured.campaign}", fontsize=8.5)
        else:
            axes.set_title(f"{network}\nnothing measured", fontsize=8.5)
        axes.axvline(here.sigma, color=VERMILION, linewidth=1.4, label=f"stated: σ = {here.sigma:.3f}")
        axes.set(xlabel="shared transfer σ with training", ylabel="F1, mean over images", ylim=(-0.02, 1.02))
        axes.grid(alpha=0.25)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        (png,) = render(figure, ["png"], DPI)
        return png

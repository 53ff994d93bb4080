"""Conditions: contrast transfer with its envelopes, and an example image of each."""

import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.ctf import envelope, phase_contrast_transfer
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.plotting import BLUE, SCREEN_DPI, VERMILION, draw_scale_bar, new_figure, render
from hrtem_ood.report.style import theme

ROWS = 8
"""Conditions in one picture."""
WIDTH, CHARACTERS = 9.5, 130
"""Width of a page [inch], and characters of a line of that width."""


class ExampleImage(NamedTuple):
    """An image of the first structure.

    Attributes
    ----------
    counts : uint array, (y, x), [e/px]
    source : str
        Where the image comes from, for its title.
    """

    counts: np.ndarray
    source: str


def draw_conditions(
    name: str, conditions: Sequence[Condition], config: CampaignConfig, example_of: Callable[[Condition], ExampleImage]
) -> list[bytes]:
    """Draw every condition of a named list: T(q) and envelope, T in two dimensions, an image.

    Parameters
    ----------
    name : str
        Under ``conditions``.
    conditions : sequence of Condition
    config : CampaignConfig
        Gives the pixel size and the beam energy.
    example_of : callable
        Returns the example image of a condition.

    Returns
    -------
    list of bytes
        PNGs, of some conditions each.
    """
    pages = [conditions[start : start + ROWS] for start in range(0, len(conditions), ROWS)]
    titles = [f"{name} ({number} of {len(pages)})" if len(pages) > 1 else name for number in range(1, len(pages) + 1)]
    return [_page(title, page, config, example_of) for title, page in zip(titles, pages, strict=True)]


def _page(
    title: str, conditions: Sequence[Condition], config: CampaignConfig, example_of: Callable[[Condition], ExampleImage]
) -> bytes:
    nyquist, wavelength_A = 1 / (2 * config.imaging.pixel_size_A), electron_wavelength_A(config.simulation.energy_eV)
    with theme():
        figure = new_figure(WIDTH, 3.0 * len(conditions) + 0.9)
        # one part for each condition, with a title as wide as the page
        parts = figure.subfigures(len(conditions), 1, squeeze=False)[:, 0]
        for part, condition in zip(parts, conditions, strict=True):
            left, middle, right = part.subplots(1, 3, width_ratios=[2, 1.25, 1])
            part.suptitle(textwrap.fill(condition.label, CHARACTERS), fontsize=8)
            _curve(left, condition, nyquist, wavelength_A)
            image = _map(middle, condition, nyquist, wavelength_A)
            part.colorbar(image, ax=middle, label="T(q)", ticks=(-1, 0, 1), shrink=0.8)
            _image(right, example_of(condition), condition, config.imaging.pixel_size_A)
        curves = [part.axes[0].get_legend_handles_labels() for part in parts]
        entries = {label: handle for handles, labels in curves for handle, label in zip(handles, labels, strict=True)}
        figure.legend(
            list(entries.values()), list(entries), loc="outside lower center", ncols=len(entries), frameon=False
        )
        figure.suptitle(title, fontsize=9)
        (png,) = render(figure, ["png"], SCREEN_DPI)
        return png


def _image(axes: Axes, example: ExampleImage, condition: Condition, pixel_size_A: float) -> None:
    low, high = np.percentile(example.counts, [0.5, 99.5])
    axes.imshow(example.counts, cmap="gray", vmin=low, vmax=max(high, low + 1), origin="lower")
    jitter = "; one draw of the jitter" if condition.jitter else ""
    axes.set_title(f"{example.counts.mean():.1f} e/px{jitter}\n{example.source}", fontsize=7)
    axes.set(xticks=[], yticks=[])
    draw_scale_bar(axes, pixel_size_A * example.counts.shape[1], fontsize=7)


def _curve(axes: Axes, condition: Condition, nyquist: float, wavelength_A: float) -> None:
    q, azimuth = np.linspace(0, nyquist, 600)[:, None], np.linspace(0, 2 * np.pi, 48, endpoint=False)[None, :]
    shape = (q.size, azimuth.size)
    transfer, damping = (
        np.broadcast_to(
            function(condition, q, azimuth, wavelength_A=wavelength_A, defocus_A=condition.defocus_A), shape
        )
        for function in (phase_contrast_transfer, envelope)
    )
    if np.ptp(transfer, axis=1).max() > 1e-3:
        axes.fill_between(
            q[:, 0],
            transfer.min(axis=1),
            transfer.max(axis=1),
            color=BLUE,
            alpha=0.25,
            linewidth=0,
            label="all azimuths",
        )
    axes.plot(q[:, 0], transfer.mean(axis=1), color=BLUE, linewidth=1, label="T(q), azimuthal mean")
    for sign in (1, -1):
        axes.plot(
            q[:, 0],
            sign * damping.mean(axis=1),
            color=VERMILION,
            linewidth=0.8,
            linestyle="--",
            label="aperture, envelopes",
        )
    axes.axhline(0, color="black", linewidth=0.4)
    axes.set(xlim=(0, nyquist), ylim=(-1.08, 1.08), yticks=(-1, 0, 1))
    axes.set(xlabel="|q| [1/Å], up to the images' Nyquist frequency", ylabel="T(q), with envelopes")


def _map(axes: Axes, condition: Condition, nyquist: float, wavelength_A: float) -> AxesImage:
    line = np.linspace(-nyquist, nyquist, 256)
    q_x, q_y = np.meshgrid(line, line)
    transfer = phase_contrast_transfer(
        condition,
        np.hypot(q_x, q_y),
        np.arctan2(q_y, q_x),
        wavelength_A=wavelength_A,
        defocus_A=condition.defocus_A,
    )
    side = (-nyquist, nyquist)
    axes.set(xlabel="q_x [1/Å]", ylabel="q_y [1/Å]")
    return axes.imshow(transfer, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower", extent=(*side, *side))

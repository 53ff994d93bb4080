"""Figure `ctf`: the phase-contrast transfer of the conditions."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hrtem_ood.analysis.figures.style import BLUE, GREY, new_figure, tick_labels
from hrtem_ood.analysis.labels import ConditionLabels
from hrtem_ood.campaign.condition import Condition

CURVES = 12
"""Up to this many conditions get a panel of their own; more are drawn as rows of heat maps."""

GROUPS = 6
"""Heat maps are split by what varies besides the leading parameter, unless that gives more parts than this."""

CAPTION = (
    "Phase-contrast transfer T against spatial frequency |q|: azimuthal mean (line) and range over the azimuth (blue "
    "band), within aperture and envelopes (grey). Conditions that differ in dose only share one curve."
)
CAPTION_MAPS = (
    "Phase-contrast transfer T against spatial frequency |q|, azimuthal mean. Each row is one condition; those that "
    "differ in dose only share one row."
)


def optical(conditions: Sequence[Condition]) -> dict[Condition, int]:
    """Return the conditions that differ in more than dose, which is no matter of optics, and where the first of each is."""
    result: dict[Condition, int] = {}
    for index, condition in enumerate(conditions):
        result.setdefault(condition.model_copy(update={"dose_e_per_A2": conditions[0].dose_e_per_A2}), index)
    return result


def caption(conditions: Sequence[Condition]) -> str:
    """Tell what :func:`draw` draws."""
    return CAPTION if len(optical(conditions)) <= CURVES else CAPTION_MAPS


def draw(transfer: xr.Dataset, conditions: Sequence[Condition]) -> Figure:
    """Draw T(q) of all conditions.

    Parameters
    ----------
    transfer : xarray.Dataset
        The transfer artefact.
    conditions : sequence of Condition
        In the order of ``transfer``.

    Returns
    -------
    Figure
    """
    chosen = optical(conditions)
    labels = ConditionLabels(chosen)
    ordered = sorted(chosen, key=labels.sort_key)
    if len(ordered) <= CURVES:
        return _curves(transfer, [(chosen[condition], labels.title(condition)) for condition in ordered])
    return _maps(transfer, chosen, labels)


def _curves(transfer: xr.Dataset, panels: list[tuple[int, str]]) -> Figure:
    columns = min(len(panels), 3 if len(panels) in (3, 5, 6, 9) else 4)
    rows = -(-len(panels) // columns)
    figure = new_figure(3.0 * columns + 0.4, 1.75 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, (index, name) in zip(grid.flat, panels, strict=False):
        _curve(axes, transfer.isel(condition=index))
        axes.set_title(f"{name} (ε = {float(transfer.epsilon[index]):.3f})", fontsize=9)
    for position, axes in enumerate(grid.flat[: len(panels)]):
        if position + columns >= len(panels):
            axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel("spatial frequency |q| [1/Å]", fontsize=10)
    figure.supylabel("transfer T(q)", fontsize=10)
    return figure


def _curve(axes: Axes, one: xr.Dataset) -> None:
    q, envelope = one.q.values, one.radial_envelope.values
    axes.fill_between(q, -envelope, envelope, color="0.92", linewidth=0)
    axes.plot(q, envelope, color=GREY, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.plot(q, -envelope, color=GREY, linewidth=0.7, linestyle=(0, (4, 2)))
    low, high = one.transfer.min("phi").values, one.transfer.max("phi").values
    if np.ptp(high - low) > 1e-3:
        axes.fill_between(q, low, high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(q, one.radial_transfer.values, color=BLUE, linewidth=1.1)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set(xlim=(0, q[-1]), ylim=(-1.08, 1.08), yticks=(-1, 0, 1))


def _maps(transfer: xr.Dataset, chosen: dict[Condition, int], labels: ConditionLabels) -> Figure:
    groups = _groups(list(chosen), labels)
    columns = 2 if len(groups) == 4 else min(len(groups), 3)
    rows = -(-len(groups) // columns)
    tallest = max(len(group) for group in groups.values())
    width = 3.2 * columns + 1.8 if columns > 1 else 7.5
    figure = new_figure(width, rows * float(np.clip(0.16 * tallest + 0.8, 1.8, 8)))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes in grid.flat[len(groups) :]:
        axes.axis("off")
    q, image = transfer.q.values, None
    for axes, (title, group) in zip(grid.flat, groups.items(), strict=False):
        part = ConditionLabels(group) if len(groups) > 1 else labels
        ordered = sorted(group, key=part.sort_key)
        values = transfer.radial_transfer.values[[chosen[condition] for condition in ordered]]
        edges = np.arange(len(ordered) + 1) - 0.5
        image = axes.pcolormesh(
            np.r_[q, 2 * q[-1] - q[-2]], edges, values, cmap="RdBu_r", vmin=-1, vmax=1, rasterized=True
        )
        tick_labels(axes, [part.short(condition) for condition in ordered], along="y")
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(title, fontsize=9)
        axes.set(xlim=(0, q[-1]), ylabel=part.axis)
        axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel("spatial frequency |q| [1/Å]", fontsize=10)
    if image is not None:
        figure.colorbar(image, ax=grid, label="transfer T(q)", aspect=25)
    return figure


def _groups(conditions: list[Condition], labels: ConditionLabels) -> dict[str, list[Condition]]:
    """Split conditions by all that varies besides the leading parameter, or not at all where that gives many parts."""
    leading = labels.varying[0]
    groups: dict[Condition, list[Condition]] = {}
    for condition in sorted(conditions, key=labels.sort_key):
        key = condition.model_copy(update={leading: getattr(conditions[0], leading)})
        groups.setdefault(key, []).append(condition)
    if not 1 < len(groups) <= GROUPS or len(labels.varying) == 1:
        return {"": conditions}
    others = ConditionLabels(groups)
    return {others.title(key): group for key, group in groups.items()}

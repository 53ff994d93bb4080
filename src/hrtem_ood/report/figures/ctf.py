"""Figure `ctf`: the phase-contrast transfer of the conditions."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.campaign.results import Results
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.plotting import BLUE, GREY, new_figure
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import tick_labels

CURVES = 12
"""Largest number of conditions with a panel each; more are drawn as rows of heat maps."""

GROUPS = 12
"""Heat maps are split by the parameters that depart from common values, unless that gives more parts than this."""

CAPTION = (
    "Phase-contrast transfer T against spatial frequency |q|: azimuthal mean (line) and range over the azimuth (blue "
    "band), within aperture and envelopes (grey). Conditions that differ in dose only share one curve."
)
CAPTION_MAPS = (
    "Phase-contrast transfer T against spatial frequency |q|, azimuthal mean. Each row is one condition; those that "
    "differ in dose only share one row. One panel for each parameter that departs from its common value."
)


def unique_optical_conditions(conditions: Sequence[Condition]) -> dict[Condition, int]:
    """Return the conditions that differ in more than dose, with the index of the first of each."""
    result: dict[Condition, int] = {}
    for index, condition in enumerate(conditions):
        result.setdefault(condition.model_copy(update={"dose_e_per_A2": conditions[0].dose_e_per_A2}), index)
    return result


def caption(data: ReportData) -> str:
    """Describe the figure."""
    return CAPTION if is_drawn_as_curves(data.campaign.transfer.conditions) else CAPTION_MAPS


def is_drawn_as_curves(conditions: Sequence[Condition]) -> bool:
    """Whether every condition has a panel with its curve; else they are rows of heat maps."""
    return len(unique_optical_conditions(conditions)) <= CURVES


def draw(data: ReportData) -> Figure:
    """Draw T(q) of all conditions."""
    return draw_transfer(data)


def draw_transfer(data: ReportData, *, power: bool = False) -> Figure:
    """Draw T(q) of all conditions, or T²(q)."""
    campaign = data.campaign
    chosen = unique_optical_conditions(campaign.transfer.conditions)
    labels = ConditionLabels(chosen)
    with store.open_zarr(Results(data.folder).path("transfer", campaign.transfer.id)) as transfer:
        if len(chosen) > CURVES:
            return _maps(transfer, chosen, labels, power=power)
        ordered = sorted(chosen, key=labels.sort_key)
        panels = [(chosen[condition], labels.title(condition)) for condition in ordered]
        return _curves(transfer, panels, power=power)


def _curves(transfer: xr.Dataset, panels: list[tuple[int, str]], *, power: bool) -> Figure:
    columns = min(len(panels), 3 if len(panels) in (3, 5, 6, 9) else 4)
    rows = -(-len(panels) // columns)
    figure = new_figure(3.0 * columns + 0.4, 1.75 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, (index, name) in zip(grid.flat, panels, strict=False):
        (_power if power else _curve)(axes, transfer.isel(condition=index))
        axes.set_title(f"{name} (ε = {float(transfer.epsilon[index]):.3f})", fontsize=9)
    for position, axes in enumerate(grid.flat[: len(panels)]):
        if position + columns >= len(panels):
            axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel("spatial frequency |q| [1/Å]", fontsize=10)
    figure.supylabel("power transfer T²(q)" if power else "transfer T(q)", fontsize=10)
    return figure


def _power(axes: Axes, one: xr.Dataset) -> None:
    q, envelope = one.q.values, one.radial_envelope.values
    axes.plot(q, envelope**2, color=GREY, linewidth=0.7, linestyle=(0, (4, 2)))
    values = (one.transfer**2).mean("phi").values
    axes.fill_between(q, values, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(q, values, color=BLUE, linewidth=1.1)
    axes.set(xlim=(0, q[-1]), ylim=(0, 1.05), yticks=(0, 0.5, 1))


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


def _maps(transfer: xr.Dataset, chosen: dict[Condition, int], labels: ConditionLabels, *, power: bool) -> Figure:
    groups = _groups(list(chosen), labels)
    columns = 1 if len(groups) == 1 else 2 if len(groups) in (2, 4) else 3
    rows = -(-len(groups) // columns)
    sizes = [len(group) for group in groups.values()]
    heights = [max(0.15 * max(sizes[row * columns : (row + 1) * columns]), 1.2) for row in range(rows)]
    figure = new_figure(7.5 if columns == 1 else 4.4 * columns + 1.2, min(sum(heights), 12) + 0.55 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, height_ratios=heights)
    for axes in grid.flat[len(groups) :]:
        axes.axis("off")
    q, image = transfer.q.values, None
    style = {"cmap": "Blues", "vmin": 0, "vmax": 1} if power else {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
    values = (transfer.transfer**2).mean("phi").values if power else transfer.radial_transfer.values
    for axes, (title, group) in zip(grid.flat, groups.items(), strict=False):
        part = ConditionLabels(group)
        ordered = sorted(group, key=part.sort_key)
        edges = np.arange(len(ordered) + 1) - 0.5
        image = axes.pcolormesh(
            np.r_[q, 2 * q[-1] - q[-2]],
            edges,
            values[[chosen[condition] for condition in ordered]],
            rasterized=True,
            **style,
        )
        tick_labels(
            axes, [(part.short_label if title else part.tick_label)(condition) for condition in ordered], along="y"
        )
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(title, fontsize=9)
        axes.set(xlim=(0, q[-1]), ylabel=part.axis_label if len(part.varying) == 1 or not title else "")
        axes.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel("spatial frequency |q| [1/Å]", fontsize=10)
    if image is not None:
        name = "power transfer T²(q)" if power else "transfer T(q)"
        figure.colorbar(image, ax=grid, label=name, aspect=25, shrink=0.8)
    return figure


def _groups(conditions: list[Condition], labels: ConditionLabels) -> dict[str, list[Condition]]:
    """Split conditions by uncommon values or, without common ones, by all that varies besides the leading parameter."""
    leading = labels.varying[0]
    groups: dict[str, list[Condition]] = {}
    others = ConditionLabels(
        condition.model_copy(update={leading: getattr(conditions[0], leading)}) for condition in conditions
    )
    for condition in sorted(conditions, key=labels.sort_key):
        key = condition.model_copy(update={leading: getattr(conditions[0], leading)})
        title = labels.group(condition) if labels.common_values else others.title(key)
        groups.setdefault(title, []).append(condition)
    return groups if 1 < len(groups) <= GROUPS and len(labels.varying) > 1 else {"": conditions}

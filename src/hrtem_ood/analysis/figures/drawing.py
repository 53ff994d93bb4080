"""Drawing all figures of a campaign and rendering them to bytes."""

from pathlib import Path

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from hrtem_ood import store
from hrtem_ood.analysis.figures import ctf, examples, gap, ood_matrix
from hrtem_ood.analysis.figures.style import rendered, theme
from hrtem_ood.analysis.labels import ConditionLabels
from hrtem_ood.analysis.outputs import figure_names
from hrtem_ood.analysis.shown import shown_datasets
from hrtem_ood.campaign.campaign import Campaign, artefact
from hrtem_ood.progress import track


def all_figures(campaign: Campaign, results: Path, cells: xr.Dataset, predictors: pd.DataFrame) -> dict[str, bytes]:
    """Draw every figure.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: transfer and test datasets are read.
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.cells.cells`.
    predictors : pandas.DataFrame
        From :func:`hrtem_ood.analysis.correlation.predictor_table`.

    Returns
    -------
    dict of str to bytes
        File contents by the names in :func:`hrtem_ood.analysis.outputs.files`.
    """
    settings = campaign.config.report
    labels = ConditionLabels(campaign.transfer.conditions)
    files: dict[str, bytes] = {}
    with theme():
        names = figure_names(campaign)
        for name in track(names, "figures", len(names)):
            figure = _drawn(name, campaign, results, cells, predictors, labels)
            for kind in ("png", "svg"):
                files[f"figures/{name}.{kind}"] = rendered(figure, kind, settings.dpi)
    return files


def captions(campaign: Campaign) -> dict[str, str]:
    """Return a caption for every figure."""
    note = ConditionLabels(campaign.transfer.conditions).note
    unless = f" Unless a label says otherwise: {note}." if note else ""
    return {
        "examples": examples.CAPTION + unless,
        **ctf.captions(campaign.transfer.conditions),
        "ood_matrix": ood_matrix.CAPTION + unless,
        "gap": gap.CAPTION,
    }


def _drawn(
    name: str, campaign: Campaign, results: Path, cells: xr.Dataset, predictors: pd.DataFrame, labels: ConditionLabels
) -> Figure:
    if name == "examples":
        return examples.draw(*_examples(campaign, results, labels))
    if name in ("ctf", "power"):
        with store.open_zarr(results / artefact("transfer", campaign.transfer.id)) as transfer:
            return ctf.draw(transfer, campaign.transfer.conditions, power=name == "power")
    if name == "ood_matrix":
        return ood_matrix.draw(cells, labels, colours=campaign.config.report.palette)
    return gap.draw(cells, predictors)


def _examples(
    campaign: Campaign, results: Path, labels: ConditionLabels
) -> tuple[list[examples.Example], list[tuple[int, str]]]:
    """Read the first images of the test datasets that are shown."""
    chosen, sets, row = [], [], 0
    for name, ids in shown_datasets(campaign).items():
        count = min(campaign.config.report.examples, campaign.datasets[ids[0]].structures)
        for column, id_ in enumerate(ids):
            condition = campaign.datasets[id_].condition
            with store.open_zarr(results / artefact("datasets", id_)) as found:
                counts, label = (found[key].isel(image=slice(count)).values for key in ("counts", "label"))
                pixel = float(found.attrs["pixel_A"])
            chosen.append(examples.Example(row, column, labels.title(condition), counts, label, pixel))
        sets.append((row, name))
        row += count
    return chosen, sets

"""Drawing all figures of a campaign and rendering them to bytes."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from hrtem_ood import store
from hrtem_ood.analysis.analysed import Analysed
from hrtem_ood.analysis.figures import (
    ctf,
    design,
    examples,
    forecast,
    gap,
    league,
    learning_curves,
    ood_matrix,
    structures,
)
from hrtem_ood.analysis.figures.style import rendered, theme
from hrtem_ood.analysis.labels import ConditionLabels
from hrtem_ood.analysis.outputs import figure_names
from hrtem_ood.analysis.shown import shown_datasets
from hrtem_ood.analysis.structures import structure_matrix
from hrtem_ood.campaign.campaign import Campaign, artefact
from hrtem_ood.progress import track

KINDS = ("png", "svg")


def all_figures(campaign: Campaign, results: Path, found: Analysed) -> dict[str, bytes]:
    """Draw every figure.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: transfer and test datasets are read.
    found : Analysed

    Returns
    -------
    dict of str to bytes
        File contents by the names in :func:`hrtem_ood.analysis.outputs.files`.
    """
    settings = campaign.config.report
    files: dict[str, bytes] = {}
    with theme():
        names = figure_names(campaign)
        for name in track(names, "figures", len(names)):
            figure = _drawn(name, campaign, results, found)
            for kind, content in zip(KINDS, rendered(figure, KINDS, settings.dpi), strict=True):
                files[f"figures/{name}.{kind}"] = content
    return files


def captions(campaign: Campaign, found: Analysed) -> dict[str, str]:
    """Return a caption for every figure."""
    note = ConditionLabels(campaign.transfer.conditions).note
    unless = f" Unless a label says otherwise: {note}." if note else ""
    analysis = campaign.config.analysis
    told: dict[str, Callable[[], str]] = {
        "examples": lambda: examples.CAPTION + unless,
        "ctf": lambda: ctf.captions(campaign.transfer.conditions)["ctf"],
        "power": lambda: ctf.captions(campaign.transfer.conditions)["power"],
        "ood_matrix": lambda: ood_matrix.CAPTION + unless,
        "gap": lambda: gap.caption(analysis.forecast),
        "league": lambda: league.caption(found.tables["league"], analysis),
        "forecast": lambda: forecast.caption(found.tables["forecast"], found.tables["calibration"], analysis),
        "structures": lambda: structures.caption(structure_matrix(campaign, found.outcomes), analysis),
        "design": lambda: design.caption(found.compared, analysis) + unless,
        "learning_curves": lambda: learning_curves.caption(found.curves) + unless,
    }
    return {name: told[name]() for name in figure_names(campaign)}


def _drawn(name: str, campaign: Campaign, results: Path, found: Analysed) -> Figure:
    analysis, labels = campaign.config.analysis, ConditionLabels(campaign.transfer.conditions)
    colours = campaign.config.report.palette
    if name in ("ctf", "power"):
        with store.open_zarr(results / artefact("transfer", campaign.transfer.id)) as transfer:
            return ctf.draw(transfer, campaign.transfer.conditions, power=name == "power")
    drawn: dict[str, Callable[[], Figure]] = {
        "examples": lambda: examples.draw(*_examples(campaign, results, labels)),
        "ood_matrix": lambda: ood_matrix.draw(found.cells, labels, colours=colours),
        "gap": lambda: gap.draw(found.cells, found.tables["predictors"], found.predictors[analysis.forecast]),
        "league": lambda: league.draw(found.tables["league"], analysis),
        "forecast": lambda: forecast.draw(found.tables["forecast"], found.tables["calibration"], analysis),
        "structures": lambda: structures.draw(
            structure_matrix(campaign, found.outcomes), found.tables["league"], analysis, colours=colours
        ),
        "design": lambda: design.draw(found.compared, analysis, labels.axis),
        "learning_curves": lambda: learning_curves.draw(found.curves),
    }
    return drawn[name]()


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

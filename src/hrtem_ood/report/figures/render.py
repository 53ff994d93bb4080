"""Drawing all figures of a campaign and rendering them to bytes."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.analysis.structure_matrix import structure_matrix
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.campaign.report_files import figure_names
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.test_datasets import report_datasets
from hrtem_ood.progress import track
from hrtem_ood.report.figures import (
    ctf,
    design,
    examples,
    forecast,
    learning_curves,
    ood_gap,
    ood_matrix,
    predictor_ranking,
    structures,
)
from hrtem_ood.report.figures.style import render, theme

KINDS = ("png", "svg")


def all_figures(campaign: Campaign, results: Path, found: CampaignResults) -> dict[str, bytes]:
    """Draw every figure.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: transfer and test datasets are read.
    found : CampaignResults

    Returns
    -------
    dict of str to bytes
        File contents by the names in :func:`hrtem_ood.campaign.report_files.report_files`.
    """
    settings = campaign.config.report
    files: dict[str, bytes] = {}
    with theme():
        names = figure_names(campaign)
        for name in track(names, "figures", len(names)):
            figure = _drawn(name, campaign, results, found)
            for kind, content in zip(KINDS, render(figure, KINDS, settings.dpi), strict=True):
                files[f"figures/{name}.{kind}"] = content
    return files


def captions(campaign: Campaign, found: CampaignResults) -> dict[str, str]:
    """Return a caption for every figure."""
    note = ConditionLabels(campaign.transfer.conditions).default_note
    unless = f" Unless a label says otherwise: {note}." if note else ""
    analysis = campaign.config.analysis
    told: dict[str, Callable[[], str]] = {
        "examples": lambda: examples.CAPTION + unless,
        "ctf": lambda: ctf.captions(campaign.transfer.conditions)["ctf"],
        "power": lambda: ctf.captions(campaign.transfer.conditions)["power"],
        "ood_matrix": lambda: ood_matrix.CAPTION + unless,
        "gap": lambda: ood_gap.caption(analysis.forecast_predictor),
        "league": lambda: predictor_ranking.caption(found.tables["league"], analysis),
        "forecast": lambda: forecast.caption(found.tables["forecast"], found.tables["calibration"], analysis),
        "structures": lambda: structures.caption(structure_matrix(campaign, found.outcomes), analysis),
        "design": lambda: design.caption(found.compared, analysis) + unless,
        "learning_curves": lambda: learning_curves.caption(found.curves) + unless,
    }
    return {name: told[name]() for name in figure_names(campaign)}


def _drawn(name: str, campaign: Campaign, results: Path, found: CampaignResults) -> Figure:
    analysis, labels = campaign.config.analysis, ConditionLabels(campaign.transfer.conditions)
    colours = campaign.config.report.palette
    if name in ("ctf", "power"):
        with Results(results).open("transfer", campaign.transfer.id) as transfer:
            return ctf.draw(transfer, campaign.transfer.conditions, power=name == "power")
    drawn: dict[str, Callable[[], Figure]] = {
        "examples": lambda: examples.draw(*_examples(campaign, results, labels)),
        "ood_matrix": lambda: ood_matrix.draw(found.cells, labels, colours=colours),
        "gap": lambda: ood_gap.draw(
            found.cells, found.tables["predictors"], found.predictors[analysis.forecast_predictor]
        ),
        "league": lambda: predictor_ranking.draw(found.tables["league"], analysis),
        "forecast": lambda: forecast.draw(found.tables["forecast"], found.tables["calibration"], analysis),
        "structures": lambda: structures.draw(
            structure_matrix(campaign, found.outcomes), found.tables["league"], analysis, colours=colours
        ),
        "design": lambda: design.draw(found.compared, analysis, labels.axis_label),
        "learning_curves": lambda: learning_curves.draw(found.curves),
    }
    return drawn[name]()


def _examples(
    campaign: Campaign, results: Path, labels: ConditionLabels
) -> tuple[list[examples.Example], list[tuple[int, str]]]:
    """Read the first images of the test datasets that are shown."""
    chosen, sets, row = [], [], 0
    for name, ids in report_datasets(campaign).items():
        count = min(campaign.config.report.examples, campaign.datasets[ids[0]].n_structures)
        for column, id_ in enumerate(ids):
            condition = campaign.datasets[id_].condition
            with Results(results).open("datasets", id_) as found:
                counts, label = (found[key].isel(image=slice(count)).values for key in ("counts", "label"))
                pixel = float(found.attrs["pixel_size_A"])
            chosen.append(examples.Example(row, column, labels.title(condition), counts, label, pixel))
        sets.append((row, name))
        row += count
    return chosen, sets

"""The catalogue of figures and tables of a report, and the names of its files. Light to import: the workflow reads it.

A new figure is a row of :data:`FIGURES` and a module ``report/figures/<name>.py`` with two functions, ``draw`` and
``caption``; see :mod:`hrtem_ood.report.figures.catalogue`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hrtem_ood.campaign.campaign import Campaign

REPORT = "report.html"

KINDS = ("png", "svg")
"""File formats of every figure."""

CAPTION = "rst"
"""Format of the caption of every figure, for `snakemake --report`."""


def _always(_: "Campaign") -> bool:
    return True


def has_several_recipes(campaign: "Campaign") -> bool:
    """Whether training sets and test suites use more than one structure recipe."""
    return len({campaign.recipe_id(name) for name in campaign.used_structure_sets}) > 1


def compares_training_sets(campaign: "Campaign") -> bool:
    """Whether the configuration names training sets to compare."""
    return bool(campaign.config.analysis.compare_training_sets)


def has_micrographs(campaign: "Campaign") -> bool:
    """Whether networks are tested on labelled micrographs."""
    return bool(campaign.labelled_sets)


@dataclass(frozen=True)
class FigureRow:
    """One figure of the report.

    Attributes
    ----------
    name : str
        Of its module in ``report/figures/``, and of its files.
    title : str
    section : str
        Heading in the report under which it stands; figures of one section are neighbours.
    needed : callable
        Whether a campaign has it.
    on_study_page : bool
        Whether the page of a study shows it, too.
    """

    name: str
    title: str
    section: str
    needed: Callable[["Campaign"], bool] = _always
    on_study_page: bool = False


@dataclass(frozen=True)
class TableRow:
    """One table of the report: the name of its CSV file, and whether a campaign has it."""

    name: str
    needed: Callable[["Campaign"], bool] = _always


FIGURES = (
    FigureRow("examples", "Test images", "Conditions"),
    FigureRow("ctf", "Contrast transfer of the conditions", "Conditions"),
    FigureRow("power", "Power transfer of the conditions", "Conditions"),
    FigureRow("ood_matrix", "Every training set under every test condition", "Generalisation", on_study_page=True),
    FigureRow("ood_gap", "The gap against its predictors", "Generalisation", on_study_page=True),
    FigureRow("network_views", "What networks see", "Generalisation"),
    FigureRow("predictor_ranking", "Ranking of predictors", "What predicts it", on_study_page=True),
    FigureRow("forecast", "Forecasts and measured scores", "What predicts it", on_study_page=True),
    FigureRow(
        "forecast_map", "The forecast by what training and test transfer", "What predicts it", on_study_page=True
    ),
    FigureRow("measured", "From simulation to micrographs", "Measured micrographs", has_micrographs),
    FigureRow(
        "structures",
        "Every structure recipe on every other",
        "Other structures",
        has_several_recipes,
        on_study_page=True,
    ),
    FigureRow(
        "design",
        "Mean and worst score over the test conditions",
        "Comparison of training sets",
        compares_training_sets,
        on_study_page=True,
    ),
    FigureRow("learning_curves", "Learning curves", "Training"),
)

TABLES = (
    TableRow("ood_matrix"),
    TableRow("ood_gap"),
    TableRow("predictors"),
    TableRow("networks"),
    TableRow("conditions"),
    TableRow("architectures"),
    TableRow("uncertainty"),
    TableRow("predictor_ranking"),
    TableRow("forecast"),
    TableRow("calibration"),
    TableRow("measured", has_micrographs),
    TableRow("compare", compares_training_sets),
    TableRow("compare_networks", compares_training_sets),
    TableRow("learning_curves"),
)


def figures_of(campaign: "Campaign | None" = None) -> tuple[FigureRow, ...]:
    """Return the figures of a campaign; without one, those of any campaign."""
    return tuple(row for row in FIGURES if campaign is None or row.needed(campaign))


def figure_names(campaign: "Campaign | None" = None) -> tuple[str, ...]:
    """Return the names of the figures of a campaign; without one, of all figures."""
    return tuple(row.name for row in figures_of(campaign))


def table_names(campaign: "Campaign | None" = None) -> tuple[str, ...]:
    """Return the names of the tables of a campaign; without one, of all tables."""
    return tuple(row.name for row in TABLES if campaign is None or row.needed(campaign))


def report_files(campaign: "Campaign | None" = None) -> list[str]:
    """Return the names of all files, below the folder of the report; the report, which is written last, comes first."""
    figures = [f"figures/{name}.{kind}" for name in figure_names(campaign) for kind in (*KINDS, CAPTION)]
    return [REPORT, *figures, *(f"tables/{name}.csv" for name in table_names(campaign))]


def figure_of_file(path: str) -> FigureRow | None:
    """Return the figure whose vector graphic a file of a report is; None of any other file."""
    rows = {f"figures/{row.name}.svg": row for row in FIGURES}
    return next((row for name, row in rows.items() if path.endswith(f"/{name}")), None)

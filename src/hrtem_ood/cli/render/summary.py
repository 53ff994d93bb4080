"""The scores of a finished campaign as a table."""

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers, rows_as_dicts
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.analysis.measured import measured_scores
from hrtem_ood.analysis.results import read_scores
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.report.answer import answer
from hrtem_ood.report.templates import format_interval, format_score
from hrtem_ood.transfer.forecast.choose_file import forecaster_of
from hrtem_ood.transfer.forecast.cross_validation import LEVEL


def answer_lines(campaign: Campaign, results: Path) -> list[str]:
    """Return the answer as ten lines: a heading, and the sentences with which the report begins.

    Parameters
    ----------
    campaign : Campaign
        A finished one.
    results : Path
        The results folder.

    Returns
    -------
    list of str
    """
    statements = answer(campaign, read_scores(campaign, results))
    width = max(len(each.topic) for each in statements)
    return [f"Campaign {campaign.name}", *(f"{each.topic:<{width}}  {each.text}" for each in statements)]


def forecaster_line(campaign: Campaign, results: Path) -> str:
    """Say how well the campaign's forecaster does out of fold, or that it has none."""
    found = forecaster_of(results, campaign.metrics_id)
    if found is None:
        return "Forecaster: none; the report says how many cells and conditions one needs."
    path, forecaster = found
    known = forecaster.performance
    return (
        f"Forecaster: {path}\n  {forecaster.metric} from information transfer alone, out of fold: r.m.s. error "
        f"{format_score(known.rmse)}, median {100 * LEVEL:g} % interval {format_score(known.width)} wide, "
        f"{100 * known.coverage:.0f} % of {known.n_forecast} cells within theirs"
    )


def summary_table(campaign: Campaign, results: Path) -> Table:
    """Return the table of a finished campaign: every training set in-domain and off-domain.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.

    Returns
    -------
    rich.table.Table
    """
    cells = aggregate_by_training_set(campaign, read_metrics(campaign, results))
    rows, key = by_training_set(cells), key_numbers(cells)
    diverged = f" {key.diverged} of {key.networks} networks diverged; the report names them." if key.diverged else ""
    several = rows.structure_set.nunique() > 1
    table = make_table(
        f"Campaign {campaign.name}: F1, median over the networks of each training set",
        "training set",
        *(["tested on"] if several else []),
        *numbers("networks", "in-domain", "off-domain: median", "best"),
        "under",
        *numbers("worst"),
        "under",
        caption=f"In-domain away from minimum contrast: median F1 {format_score(key.in_domain_f1)}. "
        f"Off-domain: median gap {format_score(key.gap, signed=True)} over {key.off_domain_cells} pairs of training set and "
        f"test dataset.{diverged}",
    )
    for row in rows_as_dicts(rows):
        table.add_row(
            row["training_set"],
            *([row["structure_set"]] if several else []),
            str(row["networks"]),
            *(format_score(row[name]) for name in ("in_domain_f1", "median_ood_f1", "best_ood_f1")),
            row["best_ood"],
            format_score(row["worst_ood_f1"]),
            row["worst_ood"],
        )
    return table


def measured_tables(campaign: Campaign, results: Path) -> Iterator[Table]:
    """Yield a table for each suite of labelled micrographs: every training set, the best first, with its gap to simulation.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    """
    if not campaign.labelled_sets:
        return
    cells = aggregate_by_training_set(campaign, read_metrics(campaign, results))
    measured = measured_scores(campaign, results, cells)
    level = f"{100 * campaign.config.analysis.confidence_level:.0f} %"
    for gap in measured.gaps:
        rows = measured.table[measured.table.suite == gap.suite].sort_values("f1", ascending=False)
        table = make_table(
            f"Micrographs of {gap.suite}: F1, median over the networks of each training set",
            "training set",
            *numbers("networks", "images", "mean F1", level, "median F1", "in-domain, simulated", "gap", level),
            caption=f"Gap from simulation to experiment, median over {gap.training_sets} training sets: "
            f"{format_interval(gap.gap, gap.low, gap.high)}.",
        )
        for row in rows_as_dicts(rows):
            table.add_row(
                row["training_label"],
                str(row["networks"]),
                str(row["images"]),
                format_score(row["f1"]),
                f"{format_score(row['f1_low'])} to {format_score(row['f1_high'])}",
                *(format_score(row[name]) for name in ("median_f1", "in_domain_f1")),
                format_score(row["gap"], signed=True),
                f"{format_score(row['gap_low'], signed=True)} to {format_score(row['gap_high'], signed=True)}",
            )
        yield table

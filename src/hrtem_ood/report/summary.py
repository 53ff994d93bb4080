"""The results of a campaign as a short table for a terminal."""

from pathlib import Path

from rich.table import Table

from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers, rows_as_dicts
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.report.templates import format_score


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
    reduced = aggregate_by_training_set(campaign, read_metrics(campaign, results))
    rows, found = by_training_set(reduced), key_numbers(reduced)
    diverged = (
        f" {found.diverged} of {found.networks} networks diverged; the report names them." if found.diverged else ""
    )
    several = rows.structure_set.nunique() > 1
    table = Table(
        title=f"Campaign {campaign.name}: F1, median over the networks of each training set",
        title_justify="left",
        caption=f"In-domain away from minimum contrast: median F1 {format_score(found.in_domain_f1)}. "
        f"Off-domain: median gap {format_score(found.gap, signed=True)} over {found.off_domain_cells} pairs of training set and "
        f"test dataset.{diverged}",
        caption_justify="left",
    )
    for name in ("training set", *(["tested on"] if several else [])):
        table.add_column(name)
    for name in ("networks", "in-domain", "off-domain: median", "best"):
        table.add_column(name, justify="right")
    table.add_column("under")
    table.add_column("worst", justify="right")
    table.add_column("under")
    for row in rows_as_dicts(rows):
        heads = [row["training_set"], *([row["structure_set"]] if several else []), str(row["networks"])]
        middle = [format_score(row["in_domain_f1"]), format_score(row["median_ood_f1"])]
        extremes = [
            format_score(row["best_ood_f1"]),
            row["best_ood"],
            format_score(row["worst_ood_f1"]),
            row["worst_ood"],
        ]
        table.add_row(*heads, *middle, *extremes)
    return table

"""The scores of a finished campaign as a table."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import xarray as xr
from rich.table import Table

from hrtem_ood.analysis.campaign_forecast import check_forecaster
from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers, rows_as_dicts
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics, training_set_titles
from hrtem_ood.analysis.measured import measured_scores
from hrtem_ood.analysis.results import read_scores
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.report.answer import answer
from hrtem_ood.report.templates import format_interval, format_score
from hrtem_ood.transfer.forecast.choose_file import choose_forecaster, forecaster_of
from hrtem_ood.transfer.forecast.cross_validation import LEVEL
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.wording import AT_EDGE, performance_text, weakness_texts

MOST_SHOWN = 10
"""Rows that are shown at each end of a table with more than twice as many, shared among its structure sets."""

FEWEST_SHOWN = 3
"""Of each structure set, however many there are."""


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


def forecaster_lines(campaign: Campaign, results: Path) -> Iterator[str]:
    """Yield how well the campaign's forecaster does out of fold; where it has none, how well another one does on its cells."""
    found = forecaster_of(results, campaign.metrics_id)
    if found is not None:
        path, forecaster = found
        name = METRICS[forecaster.metric].long_name
        yield f"Forecaster: {path}"
        yield f"  forecast {name}, from information transfer alone: {performance_text(forecaster.performance)}"
        yield from _weak_bins(forecaster)
        return
    yield "Forecaster: none of this campaign; the report says how many cells and conditions one needs."
    config = campaign.config
    other = choose_forecaster(
        results,
        pixel_size_A=config.imaging.pixel_size_A,
        metric=config.analysis.metric,
        energy_eV=config.simulation.energy_eV,
    )
    if other is None:
        yield "  There is no other one for its pixel, beam energy and score: `predict` and `design` have no forecast for it."
        return
    yield f"  `predict --condition` and `design` use {other[0]}, of the campaign {other[1].origin.get('campaign', 'unknown')}."
    yield from _weak_bins(other[1])
    checked = check_forecaster(campaign, results, other[1])
    if checked is not None:
        star = " *" if checked.outside else ""
        yield (
            f"  On this campaign's cells under an imaging shift, to which it was not fitted: r.m.s. error {checked.rmse:.2f}; "
            f"{100 * checked.coverage:.0f} % of {checked.n} cells within {100 * LEVEL:g} % intervals{star}, whose median width "
            f"is {checked.width:.2f}"
        )
        if checked.outside:
            yield f"  * outside its domain: {'; '.join(checked.outside)}; {AT_EDGE}"


def _weak_bins(forecaster: Forecaster) -> Iterator[str]:
    every = [each.most for each in forecaster.performance.bins]
    yield from (f"  {text}" for text in weakness_texts(forecaster.performance, every))


def summary_table(campaign: Campaign, results: Path) -> Table:
    """Return the table of a finished campaign: training sets in-domain and off-domain, of many the best and the worst.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.

    Returns
    -------
    rich.table.Table
    """
    cells = _briefly_named(campaign, aggregate_by_training_set(campaign, read_metrics(campaign, results)))
    rows, key = by_training_set(cells), key_numbers(cells)
    off = rows.median_ood_f1.notna().any()
    by = ("median_ood_f1", "off-domain median") if off else ("in_domain_f1", "score in-domain")
    some, left_out = _best_and_worst(campaign, results, rows, *by, "ood_matrix")
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
        f"test dataset.{diverged}{left_out}",
    )
    for row in rows_as_dicts(some):
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
    """Yield a table for each suite of labelled micrographs: training sets, the best first, with their gaps to simulation.

    Of many, only the best and the worst are shown.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    """
    if not campaign.labelled_sets:
        return
    cells = _briefly_named(campaign, aggregate_by_training_set(campaign, read_metrics(campaign, results)))
    measured = measured_scores(campaign, results, cells)
    level = f"{100 * campaign.config.analysis.confidence_level:.0f} %"
    for gap in measured.gaps:
        rows = measured.table[measured.table.suite == gap.suite].sort_values("f1", ascending=False)
        rows, left_out = _best_and_worst(campaign, results, rows, "f1", "mean F1", "measured")
        table = make_table(
            f"Micrographs of {gap.suite}: F1, median over the networks of each training set",
            "training set",
            *numbers("networks", "images", "mean F1", level, "median F1", "in-domain, simulated", "gap", level),
            caption=f"Gap from simulation to experiment, median over {gap.training_sets} training sets: "
            f"{format_interval(gap.gap, gap.low, gap.high)}.{left_out}",
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


def _briefly_named(campaign: Campaign, cells: xr.Dataset) -> xr.Dataset:
    """Name conditions as in a sentence: where many parameters vary at once, whole names take ten lines of a column."""
    labels = campaign.condition_labels
    if not labels.varies_jointly:
        return cells
    titles = training_set_titles(campaign, brief=True)
    conditions = [campaign.datasets[id_].condition for id_ in cells.condition.values.astype(str)]
    return cells.assign_coords(
        short_label=("training_set", [titles[id_] for id_ in cells.training_set.values.astype(str)]),
        condition_short_label=("condition", [labels.brief(each) for each in conditions]),
    )


def _best_and_worst(
    campaign: Campaign, results: Path, rows: pd.DataFrame, column: str, meaning: str, table: str
) -> tuple[pd.DataFrame, str]:
    """Return all rows, or of many the best and the worst by a column on each structure set; and where all scores are."""
    if len(rows) <= 2 * MOST_SHOWN:
        return rows, ""
    sets = rows.structure_set if "structure_set" in rows else pd.Series("", rows.index)
    most = max(FEWEST_SHOWN, MOST_SHOWN // max(1, sets.nunique()))
    some = rows[rows[column].notna()].sort_values(column, ascending=False, kind="stable")
    from_ends = some.groupby(sets[some.index], sort=False)
    from_best, from_worst = from_ends.cumcount(), from_ends.cumcount(ascending=False)
    shown = some[(from_best < most) | (from_worst < most)]
    if len(shown) in (0, len(rows)):
        return rows, ""
    file = Results(results).path("reports", campaign.report_id) / f"tables/{table}.csv"
    on_each = " on each structure set" if sets.nunique() > 1 else ""
    text = f" Shown are the {most} best and the {most} worst{on_each} by {meaning}; {file} has the scores of all."
    return shown.loc[sets[shown.index].sort_values(kind="stable").index], text

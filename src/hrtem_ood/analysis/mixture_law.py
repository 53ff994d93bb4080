"""What mixing costs and gains: mixtures of k conditions beside networks of each of their conditions alone."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.mixture_cells import Floats, MixtureCells, mixture_cells, published_mixture_cells
from hrtem_ood.analysis.published_cells import read_cell_table, readable
from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import Analysis

FEWEST = 3
"""Mixtures of one size below which a row has no interval."""

COMPARED = ("own", "average", "best")
"""Means of a row."""


class Mean(NamedTuple):
    """A mean over cells with its interval, and the number of cells."""

    value: float
    low: float
    high: float
    n: int


class MixtureRow(NamedTuple):
    """Mixtures of one size; scores are larger where they are better.

    Attributes
    ----------
    conditions : int
        Of each mixture.
    mixtures : int
    own : Mean
        Score under the mixture's conditions less that of the networks of that condition alone: the cost of mixing.
    average, best : Mean
        Score under other conditions less the mean, and less the largest, of those of the networks of its conditions alone.
    """

    conditions: int
    mixtures: int
    own: Mean
    average: Mean
    best: Mean


class MixtureLaw(NamedTuple):
    """Rows by size, and the change of the first two per factor e of the number of conditions."""

    rows: tuple[MixtureRow, ...]
    own_per_log: Mean
    average_per_log: Mean


def mixture_law(campaign: Campaign, outcomes: xr.Dataset) -> MixtureLaw | None:
    """Compare mixtures of equal shares with networks of as many images of each of their conditions alone.

    Intervals are of the two-way bootstrap of mixtures and test conditions. The slopes are of least squares through 0, as a
    mixture of one condition has neither cost nor gain.

    Parameters
    ----------
    campaign : Campaign
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.

    Returns
    -------
    MixtureLaw or None
        None without mixtures of two sizes whose conditions also train alone.
    """
    return _law(mixture_cells(campaign, outcomes), campaign.config.analysis)


def has_mixture_law(campaign: Campaign, outcomes: xr.Dataset) -> bool:
    """Tell whether :func:`mixture_law` finds one, without its intervals, which take the time."""
    return _sizes(mixture_cells(campaign, outcomes)).size > 1


def published_mixture_law(path: Path, analysis: Analysis) -> MixtureLaw | None:
    """Compare mixtures as :func:`mixture_law` does, from the published cells of a campaign.

    Parameters
    ----------
    path : Path
        ``<campaign>_cells.csv.gz``.
    analysis : Analysis
        Score, resamples and level; those of the campaign that is compared with it.

    Returns
    -------
    MixtureLaw or None
        None without mixtures of two sizes whose conditions also train alone.

    Raises
    ------
    ArtifactError
        When the file cannot be read, or has no such score.
    """
    table = read_cell_table(path, analysis.metric)
    with readable(path):
        cells = published_mixture_cells(table)
    return _law(cells, analysis)


def interval_widths(law: MixtureLaw, other: MixtureLaw) -> dict[str, float]:
    """Compare the widths of the intervals of two laws.

    Parameters
    ----------
    law, other : MixtureLaw

    Returns
    -------
    dict of str to float, [1]
        ``least`` and ``largest`` ratio of a width to the other's, over all that both have an interval of; ``slope``, that of the
        average's slope. Empty without any.
    """
    pairs = {"slope": (law.average_per_log, other.average_per_log), "own": (law.own_per_log, other.own_per_log)}
    by_size = {row.conditions: row for row in other.rows}
    for row in law.rows:
        if beside := by_size.get(row.conditions):
            pairs |= {f"{name} {row.conditions}": (getattr(row, name), getattr(beside, name)) for name in COMPARED}
    ratios = {
        name: (one.high - one.low) / (two.high - two.low) for name, (one, two) in pairs.items() if two.high > two.low
    }
    ratios = {name: ratio for name, ratio in ratios.items() if np.isfinite(ratio)}
    if not ratios:
        return {}
    slope = {"slope": ratios["slope"]} if "slope" in ratios else {}
    return {"least": min(ratios.values()), "largest": max(ratios.values())} | slope


def _sizes(cells: MixtureCells) -> NDArray[np.integer]:
    return np.unique(cells.size)


def _law(cells: MixtureCells, analysis: Analysis) -> MixtureLaw | None:
    sizes = _sizes(cells)
    if sizes.size < 2:
        return None
    how = (analysis.bootstrap_resamples, analysis.confidence_level)

    def mean(values: Floats, use: NDArray[np.bool_], slope: bool = False) -> Mean:
        some = use & np.isfinite(values)
        terms = np.log(cells.size[some]) if slope else np.ones(int(some.sum()))
        return _mean(values[some], terms, cells.row[some], cells.place[some], *how)

    rows = [
        MixtureRow(
            int(size),
            np.unique(cells.row[cells.size == size]).size,
            mean(cells.own, cells.size == size),
            mean(cells.average, cells.size == size),
            mean(cells.best, cells.size == size),
        )
        for size in sizes
    ]
    every = np.ones(cells.size.shape, np.bool_)
    return MixtureLaw(tuple(rows), mean(cells.own, every, slope=True), mean(cells.average, every, slope=True))


def _mean(
    values: Floats, terms: Floats, row: NDArray[np.integer], place: NDArray[np.integer], resamples: int, level: float
) -> Mean:
    """Fit values = a · terms by least squares, with a bootstrap interval; with terms of 1 this is the mean."""
    if not values.size:
        return Mean(np.nan, np.nan, np.nan, 0)
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, place))
    if rows.max() + 1 < FEWEST:
        return Mean(float(values @ terms / (terms @ terms)), np.nan, np.nan, values.size)
    drawn = []
    for weight in two_way_bootstrap_weights(rows, columns, resamples, "law of mixtures"):
        power = weight @ terms**2
        drawn.append((weight @ (values * terms))[power > 0] / power[power > 0])
    low, high = percentile_interval(np.concatenate(drawn), level)
    return Mean(float(values @ terms / (terms @ terms)), low, high, values.size)

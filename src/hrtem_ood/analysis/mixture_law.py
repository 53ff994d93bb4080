"""What mixing costs and gains: mixtures of k conditions beside networks of each of their conditions alone."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS, IN_DOMAIN

Floats = NDArray[np.float64]

FEWEST = 3
"""Mixtures of one size below which a row has no interval."""


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
    cells = _cells(campaign, outcomes)
    sizes = np.unique(cells.size)
    if sizes.size < 2:
        return None
    analysis = campaign.config.analysis
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


class _Cells(NamedTuple):
    """Cells of mixtures, (cell,): training set, test condition, number of conditions, differences of scores or NaN."""

    row: NDArray[np.integer]
    place: NDArray[np.integer]
    size: NDArray[np.integer]
    own: Floats
    average: Floats
    best: Floats


def _cells(campaign: Campaign, outcomes: xr.Dataset) -> _Cells:
    """Collect the cells of mixtures that have one structure set, equal shares, and networks of every condition alone."""
    score, shift = outcomes.score.values, outcomes["shift"].values
    sets = [campaign.training_set_by_id[str(id_)] for id_ in outcomes.training_set.values]
    alone = {spec.datasets[0]: row for row, spec in enumerate(sets) if len(spec.datasets) == 1}
    images = {row: sum(spec.n_images) for row, spec in enumerate(sets)}
    parts: list[tuple[NDArray[Any], ...]] = []
    for row, spec in enumerate(sets):
        members = [alone[id_] for id_ in spec.datasets if id_ in alone]
        equal = max(spec.n_images) - min(spec.n_images) <= 1
        same = len({images[each] for each in (row, *members)}) == 1
        if len(spec.datasets) < 2 or len(members) < len(spec.datasets) or not (equal and same):
            continue
        inside, outside = shift[row] == IN_DOMAIN, np.isin(shift[row], IMAGING_SHIFTS)
        columns = np.flatnonzero(inside | outside)
        singles, own = score[members][:, columns], score[row, columns]
        differences = [
            np.where(inside[columns], outcomes.regret.values[row, columns], np.nan),
            np.where(outside[columns], own - singles.mean(axis=0), np.nan),
            np.where(outside[columns], own - singles.max(axis=0), np.nan),
        ]
        counts = (np.full(columns.size, row), outcomes.place.values[columns], np.full(columns.size, len(members)))
        parts.append((*counts, *differences))
    if not parts:
        return _Cells(*(np.empty(0, int) for _ in range(3)), *(np.empty(0) for _ in range(3)))
    return _Cells(*(np.concatenate(each) for each in zip(*parts, strict=True)))


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

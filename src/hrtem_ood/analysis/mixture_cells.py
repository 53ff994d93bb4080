"""The cells of mixtures, beside those of networks of each of their conditions alone."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS, IN_DOMAIN

Floats = NDArray[np.float64]


class MixtureCells(NamedTuple):
    """Cells of mixtures, (cell,): training set, test condition, number of conditions, differences of scores or NaN."""

    row: NDArray[np.integer]
    place: NDArray[np.integer]
    size: NDArray[np.integer]
    own: Floats
    average: Floats
    best: Floats


def mixture_cells(campaign: Campaign, outcomes: xr.Dataset) -> MixtureCells:
    """Collect the cells of mixtures that have one structure set, equal shares, and as many images of every condition alone.

    Parameters
    ----------
    campaign : Campaign
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.

    Returns
    -------
    MixtureCells
    """
    score, shift = outcomes.score.values, outcomes["shift"].values
    sets = [campaign.training_set_by_id[str(id_)] for id_ in outcomes.training_set.values]
    images = [sum(spec.n_images) for spec in sets]
    alone = {(spec.datasets[0], images[row]): row for row, spec in enumerate(sets) if len(spec.datasets) == 1}
    parts: list[tuple[NDArray[Any], ...]] = []
    for row, spec in enumerate(sets):
        members = [alone[each] for id_ in spec.datasets if (each := (id_, images[row])) in alone]
        equal = max(spec.n_images) - min(spec.n_images) <= 1
        if len(spec.datasets) < 2 or len(members) < len(spec.datasets) or not equal:
            continue
        inside, outside = shift[row] == IN_DOMAIN, np.isin(shift[row], IMAGING_SHIFTS)
        columns = np.flatnonzero(inside | outside)
        counts = (np.full(columns.size, row), outcomes.place.values[columns], np.full(columns.size, len(members)))
        regret = outcomes.regret.values[row, columns]
        differences = _differences(inside[columns], score[row, columns], regret, score[members][:, columns])
        parts.append((*counts, *differences))
    return _joined(parts)


def published_mixture_cells(table: pd.DataFrame) -> MixtureCells:
    """Collect the cells of mixtures that have equal shares, and as many images of every condition alone.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`hrtem_ood.analysis.published_cells.read_cell_table`. Its entropies, which tell equal shares, are rounded.

    Returns
    -------
    MixtureCells

    Raises
    ------
    ValueError
        Where a training set has two scores under one condition.
    """
    table = table[table["shift"].isin((IN_DOMAIN, *IMAGING_SHIFTS))]
    of_sets, of_tests = ["train_structures", "log_n_images", "trained", "training_set"], ["tested", "test_structures"]
    if (twice := table.duplicated([*of_sets, *of_tests])).any():
        first = table[twice].iloc[0]
        raise ValueError(f"training set {first.training_set!r} has two scores under condition {first.tested}")
    sets: dict[tuple[Any, ...], pd.DataFrame] = {
        key: cells.set_index(of_tests) for key, cells in table.groupby(of_sets, sort=False)
    }
    alone = {key[:3]: cells.score for key, cells in sets.items() if len(key[2]) == 1}
    parts: list[tuple[NDArray[Any], ...]] = []
    for row, ((structures, images, trained, _), cells) in enumerate(sets.items()):
        members = [alone[each] for one in trained if (each := (structures, images, (one,))) in alone]
        equal = (abs(cells.mixture_entropy - np.log(len(trained))) < 0.01).all()
        if len(trained) < 2 or len(set(trained)) < len(trained) or len(members) < len(trained) or not equal:
            continue
        singles = np.array([each.reindex(cells.index).to_numpy() for each in members])
        inside = (cells["shift"] == IN_DOMAIN).to_numpy()
        differences = _differences(inside, cells.score.to_numpy(), cells.regret.to_numpy(), singles)
        places = cells.index.get_level_values(0).to_numpy()
        parts.append((np.full(places.size, row), places, np.full(places.size, len(members)), *differences))
    return _joined(parts)


def _differences(inside: NDArray[np.bool_], own: Floats, regret: Floats, singles: Floats) -> tuple[Floats, ...]:
    """Return *own*, *average* and *best* of a mixture's cells (cell,), from the scores (member, cell) of its conditions alone."""
    return (
        np.where(inside, regret, np.nan),
        np.where(inside, np.nan, own - singles.mean(axis=0)),
        np.where(inside, np.nan, own - singles.max(axis=0)),
    )


def _joined(parts: list[tuple[NDArray[Any], ...]]) -> MixtureCells:
    if not parts:
        return MixtureCells(*(np.empty(0, int) for _ in range(3)), *(np.empty(0) for _ in range(3)))
    return MixtureCells(*(np.concatenate(each) for each in zip(*parts, strict=True)))

"""How much of the spread of OOD gaps lies between cells, between learning rates, and between seeds: luck."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets
from hrtem_ood.config.analysis import Analysis

Floats = NDArray[np.float64]
Places = NDArray[np.integer]

LARGE = 0.1
"""A gap that differs by more than this from that of the cell would mislead."""


class Component(NamedTuple):
    """One source of the spread of a network's outcome.

    Attributes
    ----------
    source : str
        ``cells``, ``learning rates`` or ``seeds``.
    deviation, low, high : float
        Standard deviation of the score, with its interval.
    share : float, [1]
        Of the variance of single networks.
    """

    source: str
    deviation: float
    low: float
    high: float
    share: float


class VarianceComponents(NamedTuple):
    """Sources of the spread of the gaps of single networks.

    Attributes
    ----------
    components : tuple of Component
    cells, networks, replicated : int
        Cells, networks, and learning rates of training sets with two seeds or more.
    misled : float, [1]
        Share of single networks' gaps that are further than :data:`LARGE` from the median gap of their cell.
    """

    components: tuple[Component, ...]
    cells: int
    networks: int
    replicated: int
    misled: float


class _Sums(NamedTuple):
    """Sums of squares and sizes of cells, (cell,), of which weighted sums are those of a resample."""

    seeds: Floats
    rates: Floats
    mean: Floats
    networks: Floats
    groups: Floats
    pairs: Floats  # Σ_j n_ij² of cell i


SOURCES = ("cells", "learning rates", "seeds")


def variance_components(metrics: xr.Dataset, outcomes: xr.Dataset, analysis: Analysis) -> VarianceComponents | None:
    """Split the variance of gaps of single networks under imaging shifts by a nested analysis of variance.

    A gap is y = μ + cell + learning rate in cell + seed in learning rate, all random. The components come from the mean
    squares and their expectations for unequal numbers (Searle, Casella & McCulloch, Variance Components, 1992, section
    3.6); negative ones count as 0. Intervals are of the two-way bootstrap of training sets and test conditions.

    Parameters
    ----------
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.
    analysis : Analysis

    Returns
    -------
    VarianceComponents or None
        None where no two networks differ by their seed alone.
    """
    use = cell_subsets(outcomes)["imaging"]
    order = pd.Index(metrics.condition.values.astype(str)).get_indexer(outcomes.condition.values.astype(str))
    gap = BETTER[analysis.metric] * metrics[f"gap_{analysis.metric}"].values[:, order].astype(float)
    sound = ~metrics.diverged.values
    sets = pd.Index(outcomes.training_set.values.astype(str)).get_indexer(metrics.training_id.values.astype(str))
    sound &= np.isfinite(gap[np.arange(len(gap)), use[sets].argmax(axis=1)])
    rates, number = _groups(metrics, sets, sound)
    if not (number > 1).any():
        return None
    row, column = np.nonzero(use & np.isin(np.arange(len(use)), sets[sound])[:, None])
    sums = _sums(gap[sound], sets[sound], rates, row, column)
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, outcomes.place.values[column]))
    drawn = [
        _components(sums, weight)
        for block in two_way_bootstrap_weights(rows, columns, analysis.bootstrap_resamples, "variance components")
        for weight in block
        if weight.any()
    ]
    variance = _components(sums, np.ones(row.size))
    ends = [percentile_interval(np.sqrt(each), analysis.confidence_level) for each in np.array(drawn).T]
    total = variance.sum()
    components = tuple(
        Component(source, float(np.sqrt(value)), *interval, float(value / total) if total > 0 else float("nan"))
        for source, value, interval in zip(SOURCES, variance, ends, strict=True)
    )
    apart = np.abs(gap - outcomes.gap.values[sets])[sound]
    counted = use[sets][sound] & np.isfinite(apart)
    misled = float((apart[counted] > LARGE).mean())
    return VarianceComponents(components, row.size, int(sound.sum()), int((number > 1).sum()), misled)


def _groups(metrics: xr.Dataset, sets: NDArray[np.integer], sound: NDArray[np.bool_]) -> tuple[Places, Places]:
    """Return the group of each sound network, of those that differ by their seed alone, and the sizes of groups."""
    names = [
        str(name)
        for name, values in metrics.coords.items()
        if values.dims == ("network",)
        and name not in ("network", "seed", *_TRAINED)
        and not str(name).startswith("training_")
    ]
    table = pd.DataFrame({name: metrics[name].values[sound].astype(str) for name in names}) if names else pd.DataFrame()
    table["training set"] = sets[sound]
    group = table.groupby(list(table.columns), sort=False).ngroup().to_numpy()
    return group, np.bincount(group)


_TRAINED = ("best_val_loss", "diverged", "epochs_trained", "parameter_count", "flops_per_image", "mixed")
"""Coordinates of networks that are outcomes of training, or follow from the training set."""


def _sums(gap: Floats, sets: Places, group: Places, row: Places, column: Places) -> _Sums:
    """Reduce networks to sums of squares per cell; every network of a training set is tested in all of its cells."""
    number, in_group = np.bincount(sets, minlength=sets.max() + 1), np.bincount(group)
    set_of_group = np.zeros(len(in_group), int)
    set_of_group[group] = sets
    of_group = _totals(group, gap, len(in_group)) / in_group[:, None]
    of_set = _totals(sets, gap, len(number)) / np.maximum(number, 1)[:, None]
    seeds = _totals(sets, (gap - of_group[group]) ** 2, len(number))
    rates = _totals(set_of_group, in_group[:, None] * (of_group - of_set[set_of_group]) ** 2, len(number))
    at = (row, column)
    return _Sums(
        seeds[at],
        rates[at],
        of_set[at],
        number[row].astype(float),
        np.bincount(set_of_group, minlength=len(number))[row].astype(float),
        np.bincount(set_of_group, in_group.astype(float) ** 2, len(number))[row].astype(float),
    )


def _totals(group: Places, values: Floats, number: int) -> Floats:
    result = np.zeros((number, values.shape[1]))
    np.add.at(result, group, values)
    return result


def _components(sums: _Sums, weight: Floats) -> Floats:
    """Return the variances between cells, learning rates and seeds, (3,), of weighted cells."""
    cells, networks, groups = (float(weight @ each) for each in (np.ones_like(weight), sums.networks, sums.groups))
    inner = float(weight @ (sums.pairs / sums.networks))  # Σ_ij n_ij² / n_i
    seeds = float(weight @ sums.seeds) / (networks - groups) if networks > groups else np.nan
    rates = 0.0
    if groups > cells:
        rates = (float(weight @ sums.rates) / (groups - cells) - seeds) * (groups - cells) / (networks - inner)
    mean = float(weight @ (sums.networks * sums.mean)) / networks
    between = float(weight @ (sums.networks * (sums.mean - mean) ** 2))
    of_rates = inner - float(weight @ sums.pairs) / networks
    of_cells = networks - float(weight @ sums.networks**2) / networks
    whole = (between - (cells - 1) * seeds - of_rates * max(rates, 0.0)) / of_cells if cells > 1 else np.nan
    return np.asarray(np.maximum([whole, rates, seeds], 0.0))

"""How far networks can be trusted, in few numbers with intervals: over cells, by training set, and how well it is forecast."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval, two_way_bootstrap_weights
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.training_set_comparison import TrainingSetScores, resampled_differences
from hrtem_ood.config.analysis import Analysis

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Statistic = Callable[[Floats], Floats]

LOSS = 0.1
"""A network that loses more F1 than this is said to fail."""

DRAWN = 30_000_000
"""Largest number of cells times resamples: campaigns of thousands of networks draw fewer resamples, which they do not need."""

FEWEST_RESAMPLES = 200


class Estimate(NamedTuple):
    """A number over cells.

    Attributes
    ----------
    value : float
        NaN without a cell.
    low, high : float
        Bootstrap interval; NaN with cells of a single training set or test condition, which tell nothing of others.
    n : int
        Cells.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


def estimate(use: Bools, place: NDArray[np.integer], statistic: Statistic, analysis: Analysis, stream: str) -> Estimate:
    """Estimate a statistic of cells, with the interval of the two-way bootstrap of training sets and test conditions.

    Parameters
    ----------
    use : bool array, (training_set, condition)
        The cells.
    place : int array, (condition,)
        Number of the test condition of each test dataset.
    statistic : callable
        Takes weights (resample, cell) and returns numbers (resample,).
    analysis : Analysis
    stream : str
        Names the random stream.

    Returns
    -------
    Estimate
    """
    row, column = np.nonzero(use)
    if not row.size:
        return Estimate(np.nan, np.nan, np.nan, 0)
    value = float(statistic(np.ones((1, row.size)))[0])
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (row, place[column]))
    if not rows.any() or not columns.any():
        return Estimate(value, np.nan, np.nan, row.size)
    resamples = min(analysis.bootstrap_resamples, max(FEWEST_RESAMPLES, DRAWN // row.size))
    drawn = [statistic(weights) for weights in two_way_bootstrap_weights(rows, columns, resamples, stream)]
    return Estimate(value, *percentile_interval(np.concatenate(drawn), analysis.confidence_level), row.size)


def weighted_median(values: Floats) -> Statistic:
    """Return the median of values (cell,) as a function of weights; of an even number of equal weights, the mean of two."""
    order = np.argsort(values)
    ordered = values[order]

    def median(weights: Floats) -> Floats:
        total = np.cumsum(weights[:, order], axis=1)
        half = total[:, -1:] / 2
        lower, upper = ordered[(total >= half).argmax(axis=1)], ordered[(total > half).argmax(axis=1)]
        return np.where(half[:, 0] > 0, (lower + upper) / 2, np.nan)

    return median


def weighted_share(flags: Bools) -> Statistic:
    """Return the share of cells (cell,) with a property, as a function of weights."""

    def share(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        return np.asarray(np.divide(weights @ flags, total, out=np.full(len(weights), np.nan), where=total > 0))

    return share


def explained_variance(score: Floats, predicted: Floats) -> Statistic:
    """Return 1 − Σ(score − predicted)² / Σ(score − mean score)² over cells, as a function of weights."""
    error = (score - predicted) ** 2

    def explained(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        some = total > 0
        mean = np.divide(weights @ score, total, out=np.zeros(len(weights)), where=some)
        spread = weights @ score**2 - total * mean**2
        ratio = np.divide(weights @ error, spread, out=np.full(len(weights), np.nan), where=spread > 1e-12 * total)
        return np.asarray(1 - ratio)

    return explained


@dataclass(frozen=True)
class Choice:
    """The training set that is best by one statistic over the test datasets, and the next one.

    Attributes
    ----------
    statistic : {"mean", "worst"}
    row : int
        Of the training set, in the outcomes.
    score : float
        Its score, in the metric's own sign; median over networks.
    at : int
        Column of its worst score.
    candidates : int
        Training sets that were compared: those with a score on all test datasets.
    next_row : int or None
        Of the next best; None where there is none.
    lead, low, high : float
        By how much it is better than the next best, networks' mean, and the bootstrap interval; positive is better.
    """

    statistic: str
    row: int
    score: float
    at: int
    candidates: int
    next_row: int | None
    lead: float
    low: float
    high: float

    @property
    def lead_is_shown(self) -> bool:
        """Whether the interval of the lead lies above 0."""
        return bool(self.low > 0)


def choose_training_sets(outcomes: xr.Dataset, metrics: xr.Dataset, analysis: Analysis) -> dict[str, Choice]:
    """Find the training sets with the best mean and the best worst score over all simulated test datasets.

    Parameters
    ----------
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.
    analysis : Analysis

    Returns
    -------
    dict of str to Choice
        ``mean`` and ``worst``; empty where no training set has a score everywhere.
    """
    score = outcomes.score.values
    rows = np.flatnonzero(np.isfinite(score).all(axis=1))
    if not rows.size:
        return {}
    choices = {}
    for column, (name, values) in enumerate({"mean": score.mean(axis=1), "worst": score.min(axis=1)}.items()):
        order = rows[np.argsort(-values[rows], kind="stable")]
        best, second = int(order[0]), int(order[1]) if len(order) > 1 else None
        lead = low = high = float("nan")
        if second is not None:
            both = [_networks_of(outcomes, metrics, analysis, row) for row in (best, second)]
            ends = [float((one.mean if name == "mean" else one.worst).mean()) * one.sign for one in both]
            lead = ends[0] - ends[1]
            drawn = both[0].sign * resampled_differences(both[0], both[1], analysis.bootstrap_resamples)[:, column]
            if all(len(one.networks) > 1 for one in both) and len(both[0].conditions) > 1:
                low, high = percentile_interval(drawn, analysis.confidence_level)
        choices[name] = Choice(
            name,
            best,
            BETTER[analysis.metric] * float(values[best]),
            int(score[best].argmin()),
            len(rows),
            second,
            lead,
            low,
            high,
        )
    return choices


def _networks_of(outcomes: xr.Dataset, metrics: xr.Dataset, analysis: Analysis, row: int) -> TrainingSetScores:
    """Return the scores of the networks of one training set, mean over the test datasets of each condition."""
    id_, place = str(outcomes.training_set.values[row]), outcomes.place.values
    use = (metrics.training_id.values.astype(str) == id_) & ~metrics.diverged.values
    order = np.argsort(metrics.condition.values.astype(str))
    columns = order[np.searchsorted(metrics.condition.values.astype(str)[order], outcomes.condition.values.astype(str))]
    score = metrics[f"mean_{analysis.metric}"].values[np.ix_(use, columns)].astype(float)
    share = (place[:, None] == np.unique(place)).astype(float)
    names = [str(number) for number in np.unique(place)]
    return TrainingSetScores(
        id_,
        [str(network) for network in metrics.network.values[use]],
        [int(seed) for seed in metrics.seed.values[use]],
        0,
        names,
        names,
        score @ (share / share.sum(axis=0)),
        BETTER[analysis.metric],
    )

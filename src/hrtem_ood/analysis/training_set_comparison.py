"""Comparison of training sets: mean and worst score over the test conditions, and their differences."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import Analysis

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingSetScores:
    """Scores of the networks of one name of training sets.

    Attributes
    ----------
    name : str
        In the configuration.
    networks : list of str
        Ids of the networks that did not diverge.
    seeds : list of int
    diverged : int
        Number of networks that diverged.
    conditions : list of str
        Short labels of the test conditions; the same for all training sets that are compared.
    ticks : list of str
        Their labels on an axis.
    score : float64 array, (network, condition)
        Mean over images, and over the test datasets of that condition.
    sign : int
        Whether a larger score is better (1) or worse (−1).
    """

    name: str
    networks: list[str]
    seeds: list[int]
    diverged: int
    conditions: list[str]
    ticks: list[str]
    score: Floats
    sign: int

    @property
    def mean(self) -> Floats:
        """Mean score over the test conditions, float64 array, (network,)."""
        return np.asarray(self.score.mean(axis=1))

    @property
    def worst(self) -> Floats:
        """Worst score over the test conditions, float64 array, (network,)."""
        return self.sign * np.asarray((self.sign * self.score).min(axis=1))

    @property
    def worst_condition(self) -> list[str]:
        """Test condition of the worst score of every network."""
        return [self.conditions[column] for column in (self.sign * self.score).argmin(axis=1)]


def score_training_sets(campaign: Campaign, metrics: xr.Dataset) -> list[TrainingSetScores]:
    """Gather the scores of the training sets that ``analysis.compare_training_sets`` names.

    The test conditions are those of all test datasets, of any test suite, of the training sets' own structure recipe,
    training conditions included.

    Parameters
    ----------
    campaign : Campaign
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.

    Returns
    -------
    list of TrainingSetScores
        In the order of the configuration; empty where it names none.
    """
    config, labels = campaign.config, campaign.condition_labels
    names, tested, compared = config.analysis.compare_training_sets or (), metrics.condition.values.astype(str), []
    # all compared training sets have the same recipes
    recipes = {campaign.recipe_id(each) for name in names for each in config.training_sets[name].structure_sets}
    columns = [
        column
        for column, id_ in enumerate(tested)
        if campaign.recipe_id(campaign.structure_set_of_dataset[id_]) in recipes
    ]
    conditions = [campaign.datasets[id_].condition for id_ in tested[columns]]
    order = sorted(set(conditions), key=labels.sort_key)
    share = np.array([[one == other for other in order] for one in conditions], float)
    for name in names:
        ids = {training_set.id for training_set in campaign.training_sets[name]}
        of_name = np.isin(metrics.training_id.values.astype(str), sorted(ids))
        sound = of_name & ~metrics.diverged.values
        scores = metrics[f"mean_{config.analysis.metric}"].values[np.ix_(sound, columns)].astype(float)
        compared.append(
            TrainingSetScores(
                name,
                networks=[str(id_) for id_ in metrics.network.values[sound]],
                seeds=[int(seed) for seed in metrics.seed.values[sound]],
                diverged=int(of_name.sum() - sound.sum()),
                conditions=[labels.short_label(condition) for condition in order],
                ticks=[labels.tick_label(condition) for condition in order],
                score=scores @ (share / share.sum(axis=0)),
                sign=BETTER[config.analysis.metric],
            )
        )
    return compared


def compare_tables(compared: list[TrainingSetScores], analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return :func:`compare_table` and :func:`network_table` by the names of their files; empty if none are compared."""
    if not compared:
        return {}
    table = compare_table(compared, resamples=analysis.bootstrap_resamples, level=analysis.confidence_level)
    return {"compare": table, "compare_networks": network_table(compared)}


def network_table(compared: list[TrainingSetScores]) -> pd.DataFrame:
    """List every network that is compared.

    Returns
    -------
    pandas.DataFrame
        ``training_set`` (name), ``network``, ``seed``, ``mean`` and ``worst`` score over the test conditions, and
        ``worst_condition``.
    """
    parts = [
        pd.DataFrame(
            {
                "training_set": one.name,
                "network": one.networks,
                "seed": one.seeds,
                "mean": one.mean,
                "worst": one.worst,
                "worst_condition": one.worst_condition,
            }
        )
        for one in compared
        if one.networks
    ]
    names = ["training_set", "network", "seed", "mean", "worst", "worst_condition"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def compare_table(compared: list[TrainingSetScores], *, resamples: int, level: float) -> pd.DataFrame:
    """Compare every training set with the first.

    Parameters
    ----------
    compared : list of TrainingSetScores
    resamples : int
    level : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per name: ``training_set``, ``networks``, ``diverged``, ``conditions`` (counts); ``mean`` and ``worst``
        (means over networks of those scores over the test conditions); ``mean_difference``, ``mean_low``, ``mean_high``
        and ``worst_difference``, ``worst_low``, ``worst_high``: less that of the first, with the interval; NaN for the
        first and where all networks diverged.
    """
    rows: list[dict[str, Any]] = []
    for one in compared:
        sound = bool(one.networks)
        row: dict[str, Any] = {
            "training_set": one.name,
            "networks": len(one.networks),
            "diverged": one.diverged,
            "conditions": len(one.conditions),
            "mean": float(one.mean.mean()) if sound else np.nan,
            "worst": float(one.worst.mean()) if sound else np.nan,
        }
        both = sound and one is not compared[0] and bool(compared[0].networks)
        drawn = resampled_differences(one, compared[0], resamples) if both else np.full((1, 2), np.nan)
        for column, name in enumerate(("mean", "worst")):
            low, high = percentile_interval(drawn[:, column], level)
            difference = row[name] - rows[0][name] if both else np.nan
            row |= {f"{name}_difference": difference, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def resampled_differences(one: TrainingSetScores, first: TrainingSetScores, resamples: int) -> Floats:
    """Draw differences of mean and worst score from the first, float64 array, (resample, 2).

    Test conditions are drawn with replacement, the same for both, and the networks of each. The worst score is that of
    the conditions drawn.
    """
    rng = np.random.default_rng(seed_sequence(f"comparison of {one.name} with {first.name}"))
    drawn, conditions = np.empty((resamples, 2)), len(one.conditions)
    for index in range(resamples):
        times = rng.multinomial(conditions, np.full(conditions, 1 / conditions))
        ends = []
        for each in (one, first):
            number = len(each.networks)
            share = rng.multinomial(number, np.full(number, 1 / number)) / number
            mean = each.score @ times / conditions
            worst = each.sign * (each.sign * each.score[:, times > 0]).min(axis=1)
            ends.append((share @ mean, share @ worst))
        drawn[index] = np.subtract(ends[0], ends[1])
    return drawn

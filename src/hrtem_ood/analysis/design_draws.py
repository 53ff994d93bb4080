"""Designed training sets against uniform and random ones, pooled over draws of conditions of use."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.bootstrap import percentile_interval
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import DesignDraw

Floats = NDArray[np.float64]
Statistic = Literal["mean", "worst"]
Kind = Literal["uniform", "random"]

KINDS: tuple[Kind, ...] = ("uniform", "random")
"""What designed sets are compared with."""

STATISTICS: tuple[Statistic, ...] = ("mean", "worst")
"""Over the conditions of use."""

COLUMNS = ["use", "conditions", "kind", "training_set", "networks", "mean", "worst", "forecast"]
"""Columns of the table of :func:`draw_table`."""


@dataclass(frozen=True)
class DrawScores:
    """Scores of the training sets of one draw of conditions of use and one number of training conditions.

    Attributes
    ----------
    use : str
        Names of the conditions of use: draws of one name are resampled together.
    size : int
        Number of training conditions of each set.
    scores : dict of str to float64 array, (network, condition)
        By training set, the designed one first and the uniform one second; signs such that larger is better. Networks that
        diverged are left out.
    forecast : dict of str to float
        By training set, the mean forecast over the conditions of use, out of fold; NaN without a forecaster.
    """

    use: str
    size: int
    scores: dict[str, Floats]
    forecast: dict[str, float]

    @property
    def complete(self) -> bool:
        """Whether every set has a network and there is a condition."""
        return all(each.size for each in self.scores.values())

    def others(self, kind: Kind) -> list[str]:
        """Return the training sets of a kind."""
        _, uniform, *random = self.scores
        return [uniform] if kind == "uniform" else random


def draw_scores(campaign: Campaign, metrics: xr.Dataset, predicted: xr.DataArray | None = None) -> list[DrawScores]:
    """Gather the scores of ``analysis.design_draws``.

    Parameters
    ----------
    campaign : Campaign
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.
    predicted : xarray.DataArray, (training_set, condition), optional
        Forecast scores by id.

    Returns
    -------
    list of DrawScores
        In the order of the configuration.
    """
    metric = campaign.config.analysis.metric
    return [_of_draw(campaign, metrics, predicted, draw, metric) for draw in campaign.config.analysis.design_draws]


def _of_draw(
    campaign: Campaign, metrics: xr.Dataset, predicted: xr.DataArray | None, draw: DesignDraw, metric: str
) -> DrawScores:
    tested = [str(id_) for id_ in metrics.condition.values]
    recipe = campaign.recipe_id(campaign.config.training_sets[draw.designed].structure_sets[0])
    use = {condition for grid in draw.use for condition in campaign.conditions[grid]}
    columns = [
        column
        for column, id_ in enumerate(tested)
        if campaign.datasets[id_].condition in use
        and campaign.recipe_id(campaign.structure_set_of_dataset[id_]) == recipe
    ]
    values = BETTER[metric] * metrics[f"mean_{metric}"].values.astype(float)
    scores: dict[str, Floats] = {}
    forecast: dict[str, float] = {}
    for name in draw.training_sets:
        ids = [each.id for each in campaign.training_sets[name]]
        sound = np.isin(metrics.training_id.values.astype(str), ids) & ~metrics.diverged.values
        scores[name] = values[np.ix_(sound, columns)]
        forecast[name] = float("nan")
        if predicted is not None and columns:
            forecast[name] = float(predicted.sel(training_set=ids, condition=[tested[each] for each in columns]).mean())
    size = max(len(each.datasets) for each in campaign.training_sets[draw.designed])
    return DrawScores(", ".join(draw.use), size, scores, forecast)


def draw_table(draws: list[DrawScores], sign: int) -> pd.DataFrame:
    """List every training set of every draw.

    Parameters
    ----------
    draws : list of DrawScores
    sign : int
        Whether a larger score is better (1) or worse (−1).

    Returns
    -------
    pandas.DataFrame
        :data:`COLUMNS`: conditions of use, number of training conditions, ``designed``, ``uniform`` or ``random``, name, number
        of networks, mean and worst score over the conditions of use (means over networks), and mean forecast.
    """
    rows = []
    for draw in draws:
        kinds = ("designed", "uniform", *["random"] * (len(draw.scores) - 2))
        for kind, (name, score) in zip(kinds, draw.scores.items(), strict=True):
            mean, worst = (sign * _reduced(score, each) if score.size else np.nan for each in STATISTICS)
            rows.append((draw.use, draw.size, kind, name, len(score), mean, worst, draw.forecast[name]))
    return pd.DataFrame(rows, columns=COLUMNS)


def pooled_difference(
    draws: list[DrawScores], kind: Kind, statistic: Statistic, *, resamples: int, level: float
) -> tuple[float, float, float]:
    """Return by how much designed sets are better, pooled over draws.

    The difference of a draw is that of the designed set from the mean of the others of a kind; the mean over draws is
    returned, with its percentile interval. Draws of conditions of use are drawn with replacement, all sizes of one together;
    within each of them the conditions of use, the same for all sets, and the networks of each set.

    Parameters
    ----------
    draws : list of DrawScores
        Incomplete ones are left out.
    kind : {"uniform", "random"}
    statistic : {"mean", "worst"}
        Over the conditions of use.
    resamples : int
    level : float
        Of the interval.

    Returns
    -------
    value, low, high : float
        NaN without a draw.
    """
    draws = [each for each in draws if each.complete]
    if not draws:
        return (float("nan"),) * 3
    value = float(np.mean([_difference(draw, kind, statistic) for draw in draws]))
    uses = {use: [draw for draw in draws if draw.use == use] for use in dict.fromkeys(draw.use for draw in draws)}
    rng = np.random.default_rng(seed_sequence(f"designed sets against {kind}, {statistic}"))
    drawn = np.empty(resamples)
    for index in range(resamples):
        differences = []
        for place in rng.integers(len(uses), size=len(uses)):
            group = list(uses.values())[place]
            number = next(iter(group[0].scores.values())).shape[1]
            conditions = rng.integers(number, size=number)
            differences += [_difference(_resampled(draw, conditions, rng), kind, statistic) for draw in group]
        drawn[index] = np.mean(differences)
    return (value, *percentile_interval(drawn, level))


def worst_of_medians(draws: list[DrawScores], kind: Kind) -> float:
    """Return by how much designed sets are better in the worst of their cells, which are medians over networks.

    :func:`pooled_difference` takes the worst condition of each network instead, then the mean over networks.

    Parameters
    ----------
    draws : list of DrawScores
        Incomplete ones are left out.
    kind : {"uniform", "random"}

    Returns
    -------
    float
        Mean over draws; NaN without one.
    """
    differences = []
    for draw in draws:
        if draw.complete:
            worst = {name: float(np.median(score, axis=0).min()) for name, score in draw.scores.items()}
            others = float(np.mean([worst[name] for name in draw.others(kind)]))
            differences.append(worst[next(iter(draw.scores))] - others)
    return float(np.mean(differences)) if differences else float("nan")


def _resampled(draw: DrawScores, conditions: NDArray[np.integer], rng: np.random.Generator) -> DrawScores:
    scores = {
        name: score[np.ix_(rng.integers(len(score), size=len(score)), conditions)]
        for name, score in draw.scores.items()
    }
    return DrawScores(draw.use, draw.size, scores, draw.forecast)


def _difference(draw: DrawScores, kind: Kind, statistic: Statistic) -> float:
    designed = next(iter(draw.scores.values()))
    others = [_reduced(draw.scores[name], statistic) for name in draw.others(kind)]
    return _reduced(designed, statistic) - float(np.mean(others))


def _reduced(score: Floats, statistic: Statistic) -> float:
    """Return the mean over networks of the mean or worst score over conditions."""
    return float((score.mean(axis=1) if statistic == "mean" else score.min(axis=1)).mean())

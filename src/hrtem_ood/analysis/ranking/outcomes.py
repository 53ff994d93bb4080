"""Outcomes of networks by training set and test dataset, on which predictors are scored."""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.feature_shift import MEASURES
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IN_DOMAIN, condition_groups, domain_shifts
from hrtem_ood.transfer.forecast.cross_validation import Bounds, metric_bounds

Floats = NDArray[np.float64]

BETTER = {"f1": 1, "iou": 1, "cross_entropy": -1}
"""Whether a larger score is better (1) or worse (−1)."""

LABEL_FREE = {"entropy": "mean_entropy", "confidence": "mean_confidence"} | {name: name for name in MEASURES}
"""Outputs of networks that need no labels, and their names in the metrics."""


def oriented_bounds(metric: str) -> Bounds:
    """Return what a score can be at least and at most, with the sign by which larger is better."""
    low, high = metric_bounds(metric)
    return (low, high) if BETTER[metric] > 0 else (None if high is None else -high, None if low is None else -low)


def training_set_outcomes(campaign: Campaign, metrics: xr.Dataset) -> xr.Dataset:
    """Reduce measured scores to outcomes of training sets.

    Parameters
    ----------
    campaign : Campaign
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.

    Returns
    -------
    xarray.Dataset
        Training sets and test datasets by id, sorted as in the predictors' store. Along both, with signs such that larger is
        better: ``score`` (median over the networks that did not diverge), ``gap`` = score − its mean over in-domain
        datasets, ``regret`` = score − that of the training set of this recipe and condition alone (the best, of
        several; NaN without one), ``shift`` (:func:`hrtem_ood.campaign.domain.domain_shifts`) and ``group``
        (:func:`hrtem_ood.campaign.domain.condition_groups`). Without change of
        sign, medians of the label-free outputs ``entropy``, ``confidence``, ``mahalanobis`` and ``feature_cka``. Along
        ``training_set``: ``in_domain_score`` (that mean) and ``mixed``. Along ``condition``: ``minimum_contrast`` and ``place``
        (a number per test condition).
    """
    analysis = campaign.config.analysis
    training_sets, tested = campaign.training_set_ids, campaign.test_dataset_ids
    score = BETTER[analysis.metric] * _medians(metrics, f"mean_{analysis.metric}", training_sets, tested)
    conditions = [campaign.datasets[id_].condition for id_ in tested]
    mixed = np.array([len(campaign.training_set_by_id[id_].datasets) > 1 for id_ in training_sets])
    shifts = domain_shifts(campaign, training_sets, tested)
    reference = np.array(
        [
            np.mean(values[inside]) if inside.any() else np.nan
            for values, inside in zip(score, shifts == IN_DOMAIN, strict=True)
        ]
    )
    order = pd.Index(metrics.condition.values.astype(str)).get_indexer(tested)
    place = {condition: number for number, condition in enumerate(dict.fromkeys(conditions))}
    both = ("training_set", "condition")
    return xr.Dataset(
        {
            "score": (both, score),
            "gap": (both, score - reference[:, None]),
            "regret": (both, score - _best_single_condition_score(score, shifts, mixed)[None, :]),
            **{name: (both, _medians(metrics, stored, training_sets, tested)) for name, stored in LABEL_FREE.items()},
            "shift": (both, shifts),
            "group": (both, condition_groups(campaign, training_sets, tested)),
            "in_domain_score": ("training_set", reference),
            "mixed": ("training_set", mixed),
            "minimum_contrast": ("condition", metrics.minimum_contrast.values[order]),
            "place": ("condition", [place[condition] for condition in conditions]),
        },
        coords={"training_set": training_sets, "condition": tested},
    )


def _best_single_condition_score(score: Floats, shifts: NDArray[np.object_], mixed: NDArray[np.bool_]) -> Floats:
    """Best score of the training sets whose only dataset is in-domain, (condition,); NaN without one."""
    alone = (shifts == IN_DOMAIN) & ~mixed[:, None]
    best = np.where(alone & ~np.isnan(score), score, -np.inf).max(axis=0)
    return np.where(np.isfinite(best), best, np.nan)


def _medians(metrics: xr.Dataset, name: str, training_sets: list[str], tested: list[str]) -> Floats:
    """Median over the sound networks of every training set; NaN where there is none."""
    columns = pd.Index(metrics.condition.values.astype(str)).get_indexer(tested)
    sound = ~metrics.diverged.values
    frame = pd.DataFrame(metrics[name].values.astype(float)[sound][:, columns])
    reduced = frame.groupby(metrics.training_id.values.astype(str)[sound]).median().reindex(training_sets)
    return reduced.to_numpy()

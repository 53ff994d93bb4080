"""What networks did, by training set and test dataset: the outcomes that predictors are scored on."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.feature_shift import MEASURES
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.physics.optics.condition import Condition

Floats = NDArray[np.float64]

DEFOCUS = ("defocus_A", "defocus_sd_A")
DOSE = ("dose_e_per_A2", "dose_sd_e_per_A2")

BETTER = {"f1": 1, "iou": 1, "cross_entropy": -1}
"""Whether a larger score is better (1) or worse (−1)."""

TOLD = {"entropy": "mean_entropy", "confidence": "mean_confidence"} | {name: name for name in MEASURES}
"""What networks tell of test images without labels, and its name in the metrics."""


def classify_shift(trained: Iterable[Condition], tested: Condition, *, same_objects: bool) -> str:
    """Name what changes from training to test.

    Parameters
    ----------
    trained : iterable of Condition
        Of a mixture, the condition that differs in the fewest respects counts.
    tested : Condition
    same_objects : bool
        Whether structures come of one recipe.

    Returns
    -------
    str
        ``in-domain``; ``defocus``, ``dose`` or ``aberrations`` (anything else of the condition) alone; ``several`` of them;
        ``structure`` alone; ``structure and imaging``.
    """
    changed = min((_changed(condition, tested) for condition in trained), key=len)
    if same_objects:
        return "in-domain" if not changed else next(iter(changed)) if len(changed) == 1 else "several"
    return "structure and imaging" if changed else "structure"


def _changed(one: Condition, other: Condition) -> set[str]:
    names = [name for name in Condition.model_fields if getattr(one, name) != getattr(other, name)]
    return {"defocus" if name in DEFOCUS else "dose" if name in DOSE else "aberrations" for name in names}


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
        Training sets and test datasets by id, sorted as in the predictors' store. Along both, turned so that larger is
        better: ``score`` (median over the networks that did not diverge), ``gap`` = score − its mean over in-domain
        datasets of the training set's own recipe, ``regret`` = score − that of the set that was trained on the very
        recipe and condition alone (the best, of several; NaN without one), and ``shift``; as they are, medians of what
        networks tell without labels, ``entropy``, ``confidence``, ``mahalanobis`` and ``feature_cka``. Along
        ``training_set``: ``in_domain`` (that mean) and ``mixed``. Along ``condition``: ``minimum_contrast`` and ``place``
        (a number per test condition).
    """
    chosen = campaign.config.analysis
    training_sets, tested = campaign.training_set_ids, campaign.test_dataset_ids
    score = BETTER[chosen.metric] * _medians(metrics, f"mean_{chosen.metric}", training_sets, tested)
    conditions = [campaign.datasets[id_].condition for id_ in tested]
    recipes = [campaign.recipe_id(campaign.structure_set_of_dataset[id_]) for id_ in tested]
    shifts = np.empty(score.shape, dtype=object)
    alone: dict[tuple[str, Condition], list[int]] = {}
    for row, id_ in enumerate(training_sets):
        datasets = [campaign.datasets[each] for each in campaign.training_set_by_id[id_].datasets]
        trained = [dataset.condition for dataset in datasets]
        recipe = campaign.recipe_id(campaign.structure_set_of_dataset[datasets[0].id])
        if len(trained) == 1:
            alone.setdefault((recipe, trained[0]), []).append(row)
        for column, condition in enumerate(conditions):
            shifts[row, column] = classify_shift(trained, condition, same_objects=recipe == recipes[column])
    own = shifts == "in-domain"
    reference = np.array(
        [np.mean(values[inside]) if inside.any() else np.nan for values, inside in zip(score, own, strict=True)]
    )
    best = np.array(
        [
            max((score[row, column] for row in alone.get(key, [])), default=np.nan)
            for column, key in enumerate(zip(recipes, conditions, strict=True))
        ]
    )
    order = pd.Index(metrics.condition.values.astype(str)).get_indexer(tested)
    place = {condition: number for number, condition in enumerate(dict.fromkeys(conditions))}
    both = ("training_set", "condition")
    return xr.Dataset(
        {
            "score": (both, score),
            "gap": (both, score - reference[:, None]),
            "regret": (both, score - best[None, :]),
            **{name: (both, _medians(metrics, stored, training_sets, tested)) for name, stored in TOLD.items()},
            "shift": (both, shifts),
            "in_domain": ("training_set", reference),
            "mixed": ("training_set", [len(campaign.training_set_by_id[id_].datasets) > 1 for id_ in training_sets]),
            "minimum_contrast": ("condition", metrics.minimum_contrast.values[order]),
            "place": ("condition", [place[condition] for condition in conditions]),
        },
        coords={"training_set": training_sets, "condition": tested},
    )


def _medians(metrics: xr.Dataset, name: str, training_sets: list[str], tested: list[str]) -> Floats:
    """Median over the sound networks of every training set; NaN where there is none."""
    columns = pd.Index(metrics.condition.values.astype(str)).get_indexer(tested)
    sound = ~metrics.diverged.values
    frame = pd.DataFrame(metrics[name].values.astype(float)[sound][:, columns])
    reduced = frame.groupby(metrics.training_id.values.astype(str)[sound]).median().reindex(training_sets)
    return reduced.to_numpy()

"""OOD gaps, and the distances that follow from conditions alone, for all networks and test datasets at once.

A *cell* is a pair of a training set and a test dataset. Quantities that depend on the training set alone are computed per
training set, not per network.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.optics.condition import Condition

MINIMUM_CONTRAST = 0.5
"""A condition counts as minimum contrast when its ε is below this fraction of the median ε of the campaign."""


def gap(mean: NDArray[np.floating], in_domain: NDArray[np.bool_], groups: NDArray[np.object_]) -> NDArray[np.float32]:
    """Mean score of a network on a dataset, minus its mean over its in-domain datasets.

    The reference are the in-domain datasets of the same structure set, so that differences between structures cancel.
    Where none of them is in-domain, as for another structure recipe, the reference are all in-domain datasets.

    Parameters
    ----------
    mean : float array, (network, condition), [1]
        Scores, averaged over images.
    in_domain : bool array, (network, condition)
        From :func:`hrtem_ood.campaign.domain.in_domain`.
    groups : array of str, (condition,)
        Structure set of each test dataset.

    Returns
    -------
    float32 array, (network, condition), [1]
        NaN where a network has no in-domain dataset.
    """
    result = np.full(mean.shape, np.nan, np.float32)
    overall = _mean_where(mean, in_domain)
    for group in np.unique(groups):
        columns = np.flatnonzero(groups == group)
        paired = _mean_where(mean[:, columns], in_domain[:, columns])
        reference = np.where(in_domain[:, columns].any(axis=1), paired, overall)
        result[:, columns] = mean[:, columns] - reference[:, None]
    return result


def _mean_where(values: NDArray[np.floating], use: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of each row over the values in use; NaN where there are none."""
    count = use.sum(axis=1)
    total = np.where(use, values, 0).sum(axis=1, dtype=np.float64)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def largest_sigma(
    sigma: NDArray[np.floating], trained: Sequence[Sequence[int]], tested: Sequence[int]
) -> NDArray[np.float32]:
    """σ of training set and test condition: of a mixture, that of the nearest of its conditions, the largest σ.

    Parameters
    ----------
    sigma : float array, (condition, condition_prime), [1]
        Of all conditions of the campaign.
    trained : sequence of sequences of int, (training_set,)
        Which conditions each training set has, as indices into ``sigma``.
    tested : sequence of int, (condition,)
        Which condition each test dataset has.

    Returns
    -------
    float32 array, (training_set, condition), [1]
    """
    return np.array([sigma[np.ix_(indices, tested)].max(axis=0) for indices in trained], np.float32)


def smallest_defocus_change(trained: Sequence[Sequence[Condition]], tested: Sequence[Condition]) -> NDArray[np.float32]:
    """|Δf − Δf′| of training set and test condition: of a mixture, the smallest over its conditions.

    Parameters
    ----------
    trained : sequence of sequences of Condition, (training_set,)
    tested : sequence of Condition, (condition,)

    Returns
    -------
    float32 array, (training_set, condition), [Å]
    """
    tested_A = np.array([condition.defocus_A for condition in tested])
    trained_A = [np.array([condition.defocus_A for condition in conditions]) for conditions in trained]
    return np.array([np.abs(tested_A - defoci_A[:, None]).min(axis=0) for defoci_A in trained_A], np.float32)


def minimum_contrast(epsilon: NDArray[np.floating], all_epsilon: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Decide which conditions transfer so little that they count as minimum contrast.

    Parameters
    ----------
    epsilon : float array, (condition,), [1]
    all_epsilon : float array, (…), [1]
        ε of every condition of the campaign, including those that differ only in dose.

    Returns
    -------
    bool array, (condition,)
    """
    return np.asarray(epsilon < MINIMUM_CONTRAST * np.median(all_epsilon))

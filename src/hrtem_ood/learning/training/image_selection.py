"""Selection of the images of a training set, with NumPy only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.specs import TrainingSetSpec
from hrtem_ood.errors import ConfigError


class ImageSelection(NamedTuple):
    """Images as (structure, dataset) pairs.

    Attributes
    ----------
    structure : int array, (image,)
        Index in the structure set.
    dataset : int array, (image,)
        Index in ``TrainingSetSpec.datasets``.
    """

    structure: np.ndarray
    dataset: np.ndarray


def select_images(spec: TrainingSetSpec) -> tuple[ImageSelection, ImageSelection]:
    """Choose the images that a training set trains on, and those that it validates on.

    Every dataset contributes exactly the number of images in the spec. The last ``n_validation_structures`` structures are
    used for validation, each under one condition, in the proportions of training; the others train. With fewer
    validation structures than datasets, some datasets do not influence the choice of the best epoch.

    Parameters
    ----------
    spec : TrainingSetSpec

    Returns
    -------
    training : ImageSelection
    validation : ImageSelection

    Raises
    ------
    ConfigError
        If there are fewer images than requested.
    """
    left = spec.n_structures - spec.n_validation_structures
    if left < 1 or max(spec.n_images) > left:
        raise ConfigError(
            f"training_sets.n_images: {max(spec.n_images)} images are requested under one condition, but {max(left, 0)} "
            f"structures ({spec.n_structures} less {spec.n_validation_structures} for validation) give {max(left, 0)}; "
            "use at most that many."
        )
    training = _deal(np.arange(left), spec.n_images, np.random.default_rng(seed_sequence(spec.id, 0)))
    tail = np.arange(left, spec.n_structures)
    shares = apportion(spec.n_validation_structures, spec.n_images)
    return training, _deal(tail, shares, np.random.default_rng(seed_sequence(spec.id, 1)))


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Divide a number in proportion to weights: the largest remainders are rounded up, the first of equal ones.

    Parameters
    ----------
    total : int
    weights : sequence of int

    Returns
    -------
    list of int
        With the sum ``total``; each the exact share rounded up or down.

    Examples
    --------
    >>> apportion(4, [30, 10, 10])
    [2, 1, 1]
    """
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: -remainders[index])
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares


def _deal(structures: np.ndarray, counts: Sequence[int], rng: np.random.Generator) -> ImageSelection:
    """Deal structures to datasets: no pair occurs twice, and the counts of structures differ by at most one.

    Structures lie in random order on a ring. Each dataset takes consecutive structures, and begins where the previous
    dataset ended.
    """
    turn = np.arange(sum(counts)) % structures.size
    return ImageSelection(rng.permutation(structures)[turn], np.repeat(np.arange(len(counts)), counts))

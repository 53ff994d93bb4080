"""Which images a training set takes. Pure, and NumPy only."""

import math
from typing import NamedTuple

import numpy as np

from hrtem_ood.campaign.identity import seed_sequence
from hrtem_ood.campaign.specs import TrainingSetSpec
from hrtem_ood.errors import ConfigError


class Pairs(NamedTuple):
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


def select(spec: TrainingSetSpec) -> tuple[Pairs, Pairs]:
    """Choose the images that a training set trains on, and those that it validates on.

    The last ``validation`` structures are kept for validation, under every condition; the others train. A set of many
    datasets takes as many images as a set of one, for training and for validation, in equal shares: so sets differ in
    what they show, not in how much, nor in what they cost. With fewer validation structures than datasets, some
    datasets have no say in which epoch is best.

    Parameters
    ----------
    spec : TrainingSetSpec

    Returns
    -------
    training : Pairs
    validation : Pairs

    Raises
    ------
    ConfigError
        When there are fewer images than asked for.
    """
    datasets, left = len(spec.datasets), spec.structures - spec.validation
    if left < 1 or spec.images > left * datasets:
        raise ConfigError(
            f"training_sets.images: {spec.images} images are asked for, but {max(left, 0)} structures "
            f"({spec.structures} less {spec.validation} for validation) under {datasets} condition(s) give "
            f"{max(left, 0) * datasets}; ask for that many at most."
        )
    training = _deal(np.arange(left), datasets, spec.images, np.random.default_rng(seed_sequence(spec.id, 0)))
    tail = np.arange(left, spec.structures)
    return training, _deal(tail, datasets, spec.validation, np.random.default_rng(seed_sequence(spec.id, 1)))


def _deal(structures: np.ndarray, datasets: int, images: int, rng: np.random.Generator) -> Pairs:
    """Deal structures out to datasets: no pair twice, and every dataset gets its equal share, give or take one.

    Structures come in random order, pass after pass, datasets in turn. Structures and datasets together repeat after
    their least common multiple; there the turn skips one dataset, so that all pairs come before any comes again.
    """
    turn = np.arange(images)
    shift = turn // math.lcm(structures.size, datasets)
    return Pairs(rng.permutation(structures)[turn % structures.size], (turn + shift) % datasets)

"""Random mixtures of conditions, and the fraction of the networks that a campaign trains."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import count, product

from hrtem_ood.artifacts.identity import digest
from hrtem_ood.base_model import identity_parameters
from hrtem_ood.campaign.specs import NetworkSpec, TrainingSetSpec
from hrtem_ood.config.training import Hyperparameters, NetworkGrid
from hrtem_ood.config.training_sets import MixtureDraw
from hrtem_ood.physics.optics.condition import Condition


def draw_mixtures(conditions: Sequence[Condition], drawn: MixtureDraw) -> list[tuple[Condition, ...]]:
    """Draw mixtures of conditions at random, all different.

    Each draw ranks the conditions by digests of seed, draw and condition, and takes the first ones. So the order of the
    conditions does not matter, and one more changes only the mixtures that it gets into.

    Parameters
    ----------
    conditions : sequence of Condition
    drawn : MixtureDraw
        With no more mixtures of a size than :func:`most_mixtures` of it.

    Returns
    -------
    list of tuple of Condition
        By size, in the order of the draw.
    """
    texts = {condition: digest(identity_parameters(condition)) for condition in conditions}
    mixtures: list[tuple[Condition, ...]] = []
    for size in drawn.n_conditions:
        chosen: dict[frozenset[Condition], tuple[Condition, ...]] = {}
        for number in count():
            if len(chosen) == drawn.number:
                break
            head = f"{drawn.seed}/{size}/{number}/"
            ranked = sorted(texts, key=lambda each: hashlib.sha256((head + texts[each]).encode()).digest())
            chosen.setdefault(frozenset(ranked[:size]), tuple(ranked[:size]))
        mixtures += chosen.values()
    return mixtures


def most_mixtures(conditions: int, size: int) -> int:
    """Return how many mixtures of a size may be drawn: half of all that there are, so that different ones are soon drawn."""
    return math.comb(conditions, size) // 2 if size < conditions else math.comb(conditions, size)


def in_order_of_fraction(
    grid: NetworkGrid, training_sets: Mapping[str, Sequence[TrainingSetSpec]]
) -> list[tuple[TrainingSetSpec, Hyperparameters]]:
    """Return all networks of a grid in the order in which larger and larger fractions have them.

    A choice of hyperparameters is a point of the grid: the place of its value along every axis. Choices come by their
    largest place, then by the sum of places: with two axes, one choice, then 2 × 2, then 3 × 3. Each is taken with all
    training sets before the next one. Of every named entry, training sets come in the order of their digests, entries
    evenly mixed.

    Parameters
    ----------
    grid : NetworkGrid
    training_sets : mapping of str to sequence of TrainingSetSpec
        By name; those of the grid.

    Returns
    -------
    list of (TrainingSetSpec, Hyperparameters)
    """
    names = list(Hyperparameters.model_fields)
    axes = [getattr(grid, name) for name in names]
    places = sorted(product(*(range(len(axis)) for axis in axes)), key=lambda place: (max(place), sum(place), place))
    choices = [
        Hyperparameters(**{name: axis[at] for name, axis, at in zip(names, axes, place, strict=True)})
        for place in places
    ]
    order: dict[str, tuple[float, str, TrainingSetSpec]] = {}
    for name in grid.training_sets:
        by_digest = sorted(training_sets[name], key=lambda each: each.id[-10:])
        for number, each in enumerate(by_digest):
            order.setdefault(each.id, ((number + 0.5) / len(by_digest), each.id, each))
    return [(each, choice) for choice in choices for _, _, each in sorted(order.values(), key=lambda one: one[:2])]


def neighbours(
    groups: Mapping[str, Sequence[NetworkSpec]], training_sets: int, networks: int
) -> list[list[NetworkSpec]]:
    """Group the networks of training sets with those of their neighbours, by id, such that one more changes few groups.

    A group ends behind a training set whose digest says so, on average every ``training_sets``; so the ends of the others
    stay where they are.

    Parameters
    ----------
    groups : mapping of str to sequence of NetworkSpec
        By id of the training set.
    training_sets : int
        With 1, every training set is a group of its own.
    networks : int
        Largest number of networks of a group of several training sets.

    Returns
    -------
    list of list of NetworkSpec
    """
    joined: list[list[NetworkSpec]] = []
    number = 0
    for id_ in sorted(groups):
        full = number and len(joined[-1]) + len(groups[id_]) > networks
        if not number or full or number == training_sets:
            joined.append([])
            number = 0
        joined[-1] += groups[id_]
        number += 1
        if int(id_[-10:], 16) % training_sets == 0:
            number = 0
    return joined

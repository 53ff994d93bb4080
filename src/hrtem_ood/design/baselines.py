"""What a designed choice of training conditions stands beside: uniform and random choices of the same size."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence

Floats = NDArray[np.float64]


def farthest_point_choice(places: Floats, budget: int) -> tuple[int, ...]:
    """Choose candidates that fill their space: first that nearest to its centre, then always that farthest from all chosen.

    Farthest-first traversal, whose largest distance of any candidate to its nearest chosen one is at most twice the least
    possible (Gonzalez, Theor. Comput. Sci. 38 (1985) 293).

    Parameters
    ----------
    places : float array, (candidate, parameter), [1]
        In the unit cube.
    budget : int
        At most the number of candidates.

    Returns
    -------
    tuple of int, (budget,)
        In the order of choice; of equals, the first.
    """
    chosen = [int(np.argmin(np.linalg.norm(places - 0.5, axis=1)))]
    nearest = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < budget:
        nearest[chosen] = -1  # so that of candidates at one place, each is chosen once
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return tuple(chosen)


def random_choice(
    candidates: int, budget: int, seed: int, number: int, *, taken: Iterable[tuple[int, ...]] = ()
) -> list[tuple[int, ...]]:
    """Draw candidates without replacement, and no choice twice.

    Parameters
    ----------
    candidates, budget : int
        How many there are, and how many are drawn.
    seed : int
    number : int
        Of draws, each of a stream of its own.
    taken : iterable of tuple of int, ascending
        Choices that stand already and are drawn anew.

    Returns
    -------
    list of tuple of int
        Ascending; as many as there are, where there are fewer than ``number``.
    """
    draws: list[tuple[int, ...]] = []
    seen = set(taken)
    for index in range(min(number, math.comb(candidates, budget) - len(seen))):
        rng = np.random.default_rng(seed_sequence("random training conditions", seed, index))
        draw = None
        while draw is None or draw in seen:
            draw = tuple(sorted(int(i) for i in rng.choice(candidates, budget, replace=False)))
        seen.add(draw)
        draws.append(draw)
    return draws

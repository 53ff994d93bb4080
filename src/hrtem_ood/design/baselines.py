"""Baselines of a designed choice of training conditions: uniform and random choices of the same size."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence

Floats = NDArray[np.float64]


def farthest_point_choice(coordinates: Floats, n_conditions: int) -> tuple[int, ...]:
    """Choose candidates that fill their space: the one nearest to the centre, then always the one farthest from all chosen.

    Farthest-first traversal. The largest distance of any candidate to its nearest chosen one is at most twice the least
    possible (Gonzalez, Theor. Comput. Sci. 38 (1985) 293).

    Parameters
    ----------
    coordinates : float array, (candidate, parameter), [1]
        In the unit cube.
    n_conditions : int
        At most the number of candidates.

    Returns
    -------
    tuple of int, (n_conditions,)
        In the order of choice; of equals, the first.
    """
    chosen = [int(np.argmin(np.linalg.norm(coordinates - 0.5, axis=1)))]
    nearest = np.linalg.norm(coordinates - coordinates[chosen[0]], axis=1)
    while len(chosen) < n_conditions:
        nearest[chosen] = -1  # of candidates at one point, each is chosen once
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(coordinates - coordinates[chosen[-1]], axis=1))
    return tuple(chosen)


def random_choices(
    n_candidates: int, n_conditions: int, seed: int, number: int, *, exclude: Iterable[tuple[int, ...]] = ()
) -> list[tuple[int, ...]]:
    """Draw different choices of candidates, each without replacement.

    Parameters
    ----------
    n_candidates, n_conditions : int
        Number of candidates, and how many are drawn.
    seed : int
    number : int
        Number of choices; each has its own random stream.
    exclude : iterable of tuple of int, ascending
        Choices that are not drawn.

    Returns
    -------
    list of tuple of int
        Ascending each. Fewer than ``number`` if there are no more.
    """
    draws: list[tuple[int, ...]] = []
    excluded = set(exclude)
    for index in range(min(number, math.comb(n_candidates, n_conditions) - len(excluded))):
        rng = np.random.default_rng(seed_sequence("random training conditions", seed, index))
        draw = None
        while draw is None or draw in excluded:
            draw = tuple(sorted(int(i) for i in rng.choice(n_candidates, n_conditions, replace=False)))
        excluded.add(draw)
        draws.append(draw)
    return draws

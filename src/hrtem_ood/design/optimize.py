"""Choose k training conditions such that every condition of use has a good one among them: greedily, and exactly.

Of candidates i and uses j, f[i, j] ≥ 0 is what a network trained under i is worth under j. A set S is worth, under j, what
its best member is, max over i in S of f[i, j]; the two goals are the mean of that over uses, and its least value.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack, kron

Floats = NDArray[np.float64]
Goal = Literal["worst", "mean"]

GREEDY_SHARE = 1 - 1 / math.e
"""Share of the best mean that the greedy choice reaches at least (Nemhauser, Wolsey & Fisher, Math. Program. 14 (1978) 265)."""

TOLERANCE = 1e-6
"""Difference in value up to which two choices count as equally good: the solver's."""


@dataclass(frozen=True)
class Choice:
    """A choice of candidates.

    Attributes
    ----------
    chosen : tuple of int
        Candidates, ascending.
    value : float
        What the goal is worth.
    bound : float
        No choice of as many candidates is worth more.
    """

    indices: tuple[int, ...]
    value: float
    bound: float

    @property
    def optimal(self) -> bool:
        """Whether it is proved that nothing is better."""
        return self.bound - self.value <= TOLERANCE * max(1.0, abs(self.bound))


def choice_value(values: Floats, chosen: Sequence[int], goal: Goal) -> float:
    """Return what a choice is worth.

    Parameters
    ----------
    values : float array, (candidate, use)
    chosen : sequence of int
    goal : {"worst", "mean"}

    Returns
    -------
    float
    """
    best = values[list(chosen)].max(axis=0)
    return float(best.min() if goal == "worst" else best.mean())


def greedy(values: Floats, budget: int) -> tuple[int, ...]:
    """Add the candidate that raises the mean most, one after the other.

    The mean is monotone and submodular (facility location), so that the choice reaches at least 1 − (1 − 1/k)^k ≥ 1 − 1/e
    of the best, counted from f = 0 (Nemhauser, Wolsey & Fisher 1978, Sec. 4). The least value is not submodular, and a
    greedy search for it is worth nothing that could be told beforehand.

    Parameters
    ----------
    values : float array, (candidate, use)
        0 or above.
    budget : int
        k, at most the number of candidates.

    Returns
    -------
    tuple of int, (k,)
        In the order of choice; of equals, the first.
    """
    chosen: list[int] = []
    best = np.zeros(values.shape[1])
    for _ in range(budget):
        gains = np.maximum(values, best).mean(axis=1)
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        best = np.maximum(best, values[chosen[-1]])
    return tuple(chosen)


def choose(values: Floats, budget: int, goal: Goal, *, limit_s: float = 60.0) -> Choice:
    """Choose the best candidates, or the best that are found in time, with a bound on what is missing.

    The mean is a p-median problem and solved as a mixed-integer program (ReVelle & Swain, Geographical Analysis 2 (1970) 30).
    The least value is a p-centre problem: a sequence of set covers, by bisection over the values that occur (Minieka, SIAM
    Review 12 (1970) 138), after which, of all choices with the best least value, one with the best mean is taken.

    Parameters
    ----------
    values : float array, (candidate, use)
        0 or above.
    budget : int
        k ≥ 1; with as many candidates or fewer, all are chosen.
    goal : {"worst", "mean"}
    limit_s : float, [s]
        The solver stops then, and the better of what it and :func:`greedy` found is returned.

    Returns
    -------
    Choice
    """
    until = time.monotonic() + limit_s
    everything = tuple(range(len(values)))
    most = choice_value(values, everything, goal)
    if budget >= len(values):
        return Choice(everything, most, most)
    first = tuple(sorted(greedy(values, budget)))
    least, bound = None, most
    if goal == "worst":
        least, bound, cover = _best_least(values, budget, choice_value(values, first, "worst"), until)
        first = first if cover is None else cover
    found, median_bound = _median(values, budget, least, until)
    if goal == "mean":
        bound = min(most, median_bound)
    ranked = [first] if found is None else [first, found]

    def rank(chosen: tuple[int, ...]) -> tuple[float, float]:
        return choice_value(values, chosen, goal), choice_value(values, chosen, "mean")

    best = max(ranked, key=rank)
    value = rank(best)[0]
    return Choice(best, value, max(bound, value))


def _best_least(values: Floats, budget: int, known: float, until: float) -> tuple[float, float, tuple[int, ...] | None]:
    """Return a least value that k candidates reach, one that none exceed, and candidates that reach the former."""
    reached = np.unique(values)
    low = int(np.searchsorted(reached, known))
    high = int(np.searchsorted(reached, choice_value(values, range(len(values)), "worst")))
    proved, cover = high, None  # nothing above `proved` is possible; the search goes on between low and high
    while low < high:
        middle = (low + high + 1) // 2
        found, fewest = _cover(values >= reached[middle], until)
        if found is not None and len(found) <= budget:
            low, cover = middle, _filled(found, values, budget)
        else:
            high = middle - 1
            if fewest > budget + TOLERANCE:
                proved = min(proved, high)
    return float(reached[low]), float(reached[proved]), cover


def _filled(chosen: tuple[int, ...], values: Floats, budget: int) -> tuple[int, ...]:
    """Add to a choice of fewer than k, one by one, what raises the mean most."""
    while len(chosen) < budget:
        gains = np.maximum(values, values[list(chosen)].max(axis=0)).mean(axis=1)
        gains[list(chosen)] = -np.inf
        chosen = (*chosen, int(np.argmax(gains)))
    return tuple(sorted(chosen))


def _cover(covers: NDArray[np.bool_], until: float) -> tuple[tuple[int, ...] | None, float]:
    """Return the fewest candidates found that cover all uses, and a number that no cover falls below."""
    number = len(covers)
    solved = milp(
        np.ones(number), integrality=np.ones(number, int), bounds=Bounds(0, 1), options=_options(until),
        constraints=LinearConstraint(csr_array(covers.T.astype(float)), 1, np.inf),
    )  # fmt: skip
    found = None if solved.x is None else tuple(int(i) for i in np.flatnonzero(solved.x > 0.5))
    infeasible = solved.status == 2
    return found, np.inf if infeasible else -np.inf if solved.mip_dual_bound is None else solved.mip_dual_bound


def _median(values: Floats, budget: int, least: float | None, until: float) -> tuple[tuple[int, ...] | None, float]:
    """Return the choice of the best mean (with a least value, if given) that is found, and a bound on that mean.

    Variables: whether i is chosen, y_i; whether i serves j, x_ij ≤ y_i, which is whole by itself where y is.
    """
    candidates, uses = values.shape
    serves = np.ones_like(values, bool) if least is None else values >= least
    cost = np.concatenate([np.zeros(candidates), -values.ravel() / uses])
    of_candidate = kron(eye_array(candidates), np.ones((uses, 1)))
    of_use = kron(np.ones((1, candidates)), eye_array(uses))
    none = csr_array((uses, candidates))
    constraints = [
        LinearConstraint(hstack([none, of_use], format="csr"), 1, 1),
        LinearConstraint(hstack([-of_candidate, eye_array(candidates * uses)], format="csr"), -np.inf, 0),
        LinearConstraint(np.concatenate([np.ones(candidates), np.zeros(values.size)])[None, :], budget, budget),
    ]
    upper = np.concatenate([np.ones(candidates), serves.ravel().astype(float)])
    whole = np.concatenate([np.ones(candidates, int), np.zeros(values.size, int)])
    solved = milp(cost, integrality=whole, bounds=Bounds(0, upper), constraints=constraints, options=_options(until))
    found = None
    if solved.x is not None:
        found = tuple(int(i) for i in np.flatnonzero(solved.x[:candidates] > 0.5))
    return found, np.inf if solved.mip_dual_bound is None else -solved.mip_dual_bound


def _options(until: float) -> Any:
    return {"time_limit": max(0.1, until - time.monotonic()), "mip_rel_gap": 0.0}

"""Greedy and exact choice of k training conditions, such that each target condition has a good one among them.

For candidate i and target j, f[i, j] ≥ 0 is the utility of training under i for use under j. The utility of a set S under j is
that of its best member, max over i in S of f[i, j]. The goal is its mean over targets, or its worst (least) value.
"""

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

TOLERANCE = 1e-6
"""Relative difference up to which two utilities count as equal: that of the solver."""


@dataclass(frozen=True)
class Choice:
    """A choice of candidates.

    Attributes
    ----------
    indices : tuple of int, (k,)
        Candidates, ascending.
    value : float
        Mean or worst utility, in the unit of f.
    bound : float
        Upper bound on the value of any choice of k candidates.
    """

    indices: tuple[int, ...]
    value: float
    bound: float

    @property
    def optimal(self) -> bool:
        """Whether no choice is better, as proved by the bound."""
        return self.bound - self.value <= TOLERANCE * max(1.0, abs(self.bound))


def choice_value(utility: Floats, indices: Sequence[int], goal: Goal) -> float:
    """Return mean or worst over the targets of the utility of a choice.

    Parameters
    ----------
    utility : float array, (candidate, target)
    indices : sequence of int
        Candidates of the choice.
    goal : {"worst", "mean"}

    Returns
    -------
    float, in the unit of the utility
    """
    best = utility[list(indices)].max(axis=0)
    return float(best.min() if goal == "worst" else best.mean())


def greedy(utility: Floats, n_conditions: int) -> tuple[int, ...]:
    """Choose candidates one by one, each time the one that raises the mean most.

    The mean is monotone and submodular (facility location), so that the choice reaches at least 1 − (1 − 1/k)^k ≥ 1 − 1/e
    of the best mean (Nemhauser, Wolsey & Fisher 1978, Sec. 4). The worst value is not submodular, and a greedy search for it
    has no such guarantee.

    Parameters
    ----------
    utility : float array, (candidate, target)
        0 or above.
    n_conditions : int
        k, at most the number of candidates.

    Returns
    -------
    tuple of int, (k,)
        In the order of choice; of equals, the first.
    """
    chosen: list[int] = []
    best = np.zeros(utility.shape[1])
    for _ in range(n_conditions):
        gains = np.maximum(utility, best).mean(axis=1)
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        best = np.maximum(best, utility[chosen[-1]])
    return tuple(chosen)


def choose(utility: Floats, n_conditions: int, goal: Goal, *, time_limit_s: float = 60.0) -> Choice:
    """Choose the best candidates, or the best ones within a time limit, with an upper bound.

    The best mean is a p-median problem, solved as a mixed-integer program (ReVelle & Swain, Geographical Analysis 2 (1970) 30).
    The best worst value is a p-centre problem: a sequence of set covers, by bisection over the values that occur (Minieka, SIAM
    Review 12 (1970) 138). Of all choices with the best worst value, one with the best mean is taken.

    Parameters
    ----------
    utility : float array, (candidate, target)
        0 or above.
    n_conditions : int
        k ≥ 1. With k candidates or fewer, all are chosen.
    goal : {"worst", "mean"}
    time_limit_s : float, [s]
        The solver stops after that; the better of its choice and that of :func:`greedy` is returned.

    Returns
    -------
    Choice
    """
    deadline = time.monotonic() + time_limit_s
    everything = tuple(range(len(utility)))
    highest = choice_value(utility, everything, goal)
    if n_conditions >= len(utility):
        return Choice(everything, highest, highest)
    first = tuple(sorted(greedy(utility, n_conditions)))
    worst, bound = None, highest
    if goal == "worst":
        worst, bound, cover = _best_worst(utility, n_conditions, choice_value(utility, first, "worst"), deadline)
        first = first if cover is None else cover
    median, median_bound = _median(utility, n_conditions, worst, deadline)
    if goal == "mean":
        bound = min(highest, median_bound)
    options = [first] if median is None else [first, median]

    def rank(chosen: tuple[int, ...]) -> tuple[float, float]:
        return choice_value(utility, chosen, goal), choice_value(utility, chosen, "mean")

    best = max(options, key=rank)
    value = rank(best)[0]
    return Choice(best, value, max(bound, value))


def _best_worst(
    utility: Floats, n_conditions: int, lower: float, deadline: float
) -> tuple[float, float, tuple[int, ...] | None]:
    """Return a worst value that k candidates reach, an upper bound on it, and candidates that reach the former."""
    levels = np.unique(utility)
    low = int(np.searchsorted(levels, lower))
    high = int(np.searchsorted(levels, choice_value(utility, range(len(utility)), "worst")))
    proved, cover = high, None  # levels above `proved` are impossible; the search continues between low and high
    while low < high:
        middle = (low + high + 1) // 2
        covering, fewest = _cover(utility >= levels[middle], deadline)
        if covering is not None and len(covering) <= n_conditions:
            low, cover = middle, _fill(covering, utility, n_conditions)
        else:
            high = middle - 1
            if fewest > n_conditions + TOLERANCE:
                proved = min(proved, high)
    return float(levels[low]), float(levels[proved]), cover


def _fill(chosen: tuple[int, ...], utility: Floats, n_conditions: int) -> tuple[int, ...]:
    """Extend a choice to k candidates, each time by the one that raises the mean most."""
    while len(chosen) < n_conditions:
        gains = np.maximum(utility, utility[list(chosen)].max(axis=0)).mean(axis=1)
        gains[list(chosen)] = -np.inf
        chosen = (*chosen, int(np.argmax(gains)))
    return tuple(sorted(chosen))


def _cover(covers: NDArray[np.bool_], deadline: float) -> tuple[tuple[int, ...] | None, float]:
    """Return a smallest cover of all targets, if the solver has one in time, and a lower bound on the size of any cover."""
    number = len(covers)
    solved = milp(
        np.ones(number), integrality=np.ones(number, int), bounds=Bounds(0, 1), options=_options(deadline),
        constraints=LinearConstraint(csr_array(covers.T.astype(float)), 1, np.inf),
    )  # fmt: skip
    cover = None if solved.x is None else tuple(int(i) for i in np.flatnonzero(solved.x > 0.5))
    infeasible = solved.status == 2
    return cover, np.inf if infeasible else -np.inf if solved.mip_dual_bound is None else solved.mip_dual_bound


def _median(
    utility: Floats, n_conditions: int, worst: float | None, deadline: float
) -> tuple[tuple[int, ...] | None, float]:
    """Return the choice of best mean, subject to a worst value if given, or None without one in time; and a bound on that mean.

    Variables: y_i, whether i is chosen; x_ij ≤ y_i, whether i serves j, which is integer whenever y is.
    """
    candidates, targets = utility.shape
    serves = np.ones_like(utility, bool) if worst is None else utility >= worst
    cost = np.concatenate([np.zeros(candidates), -utility.ravel() / targets])
    of_candidate = kron(eye_array(candidates), np.ones((targets, 1)))
    of_target = kron(np.ones((1, candidates)), eye_array(targets))
    none = csr_array((targets, candidates))
    constraints = [
        LinearConstraint(hstack([none, of_target], format="csr"), 1, 1),
        LinearConstraint(hstack([-of_candidate, eye_array(candidates * targets)], format="csr"), -np.inf, 0),
        LinearConstraint(
            np.concatenate([np.ones(candidates), np.zeros(utility.size)])[None, :], n_conditions, n_conditions
        ),
    ]
    upper = np.concatenate([np.ones(candidates), serves.ravel().astype(float)])
    whole = np.concatenate([np.ones(candidates, int), np.zeros(utility.size, int)])
    solved = milp(cost, integrality=whole, bounds=Bounds(0, upper), constraints=constraints, options=_options(deadline))
    chosen = None
    if solved.x is not None:
        chosen = tuple(int(i) for i in np.flatnonzero(solved.x[:candidates] > 0.5))
    return chosen, np.inf if solved.mip_dual_bound is None else -solved.mip_dual_bound


def _options(deadline: float) -> Any:
    return {"time_limit": max(0.1, deadline - time.monotonic()), "mip_rel_gap": 0.0}

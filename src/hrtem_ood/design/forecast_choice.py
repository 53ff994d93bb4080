"""Choice of training conditions that maximises the forecast score over conditions of use."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.design.optimize import Goal
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.mixtures import CandidateTable

Floats = NDArray[np.float64]

EXACT = 100_000
"""Up to so many choices, all are forecast; of more, a greedy search with swaps finds a good one."""

DIGITS = 3
"""Forecasts that are equal to so many digits are equal: scores of networks of one training set differ by more."""

BLOCK = 4096
"""Choices that are forecast together."""


@dataclass(frozen=True)
class ForecastGoal:
    """What is maximised: the forecast score of a mixture over conditions of use.

    Attributes
    ----------
    forecaster : Forecaster
        Of a score of which more is better.
    table : CandidateTable
    n_images : int
        Of every choice, in all.
    goal : {"worst", "mean"}
        Over the conditions of use.
    """

    forecaster: Forecaster
    table: CandidateTable
    n_images: int
    goal: Goal

    def scores(self, choices: Sequence[tuple[int, ...]]) -> Floats:
        """Forecast choices of one size under every target, float64 array, (choice, target).

        Choices are compared within the forecaster's domain: a descriptor outside counts as at its edge. The numbers of images
        and of members are the same for all choices and decide nothing.
        """
        described = self.table.describe(np.array(choices), self.n_images)
        flat = described.reshape(-1, described.shape[-1])
        return self.forecaster.score(self.forecaster.domain.clip(flat)).reshape(described.shape[:2])

    def values(self, choices: Sequence[tuple[int, ...]]) -> list[tuple[float, float, float]]:
        """Return the goal of each choice, and what decides between equals.

        These are the other of mean and worst, then the mean distance of the targets to the nearest member in ln CNR, so that
        members beyond the two that span the hull fill it evenly.
        """
        scores = self.scores(choices)
        mean, worst = scores.mean(axis=1).round(DIGITS), scores.min(axis=1).round(DIGITS)
        first, second = (mean, worst) if self.goal == "mean" else (worst, mean)
        members, targets = self.table.candidates[np.array(choices), 0], self.table.targets[:, 0]
        distance = np.abs(members[:, :, None] - targets).min(axis=1).mean(axis=1)
        return list(zip(first.tolist(), second.tolist(), (-distance).tolist(), strict=True))


def best_choice(goal: ForecastGoal, n_conditions: int) -> tuple[tuple[int, ...], bool]:
    """Choose k candidates.

    Parameters
    ----------
    goal : ForecastGoal
    n_conditions : int
        k, at most the number of candidates.

    Returns
    -------
    choice : tuple of int, (k,)
        Ascending; of equals, the first.
    exact : bool
        Whether no other choice has a better forecast.
    """
    number = len(goal.table.candidates)
    if math.comb(number, n_conditions) <= EXACT:
        return _best_of(goal, combinations(range(number), n_conditions)), True
    chosen: tuple[int, ...] = ()
    while len(chosen) < n_conditions:
        chosen = _best_of(goal, (tuple(sorted((*chosen, each))) for each in range(number) if each not in chosen))
    while True:
        swapped = (
            tuple(sorted((*(kept for kept in chosen if kept != out), into)))
            for out in chosen
            for into in range(number)
            if into not in chosen
        )
        # the present choice comes first, so that only a better one replaces it
        best = _best_of(goal, chain([chosen], swapped))
        if best == chosen:
            return chosen, False
        chosen = best


def _best_of(goal: ForecastGoal, choices: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    remaining = iter(choices)
    best: tuple[int, ...] = ()
    value = (-math.inf, -math.inf, -math.inf)
    while block := list(islice(remaining, BLOCK)):
        values = goal.values(block)
        place = max(range(len(block)), key=lambda index: values[index])
        if values[place] > value:
            best, value = block[place], values[place]
    return best

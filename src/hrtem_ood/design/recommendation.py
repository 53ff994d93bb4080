"""Advice: the designed training conditions, and beside them uniform and random ones, with what each is predicted to be worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.design.baselines import farthest_point_choice, random_choice
from hrtem_ood.design.optimize import Choice, Goal, choice_value, choose, greedy
from hrtem_ood.design.utility import orient, utility_matrix
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.predictors.inputs import unit_cube_coordinates

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DesignRequest:
    """What is asked.

    Attributes
    ----------
    uses, candidates : tuple of str
        Names of condition grids: where the microscope will be used, and which conditions may train.
    budget : int
        k, the number of training conditions.
    goal : {"worst", "mean"}
    by : str
        Name of the measure that predicts.
    sets : (str, str)
        Structure sets that train, and that are tested.
    seed, random : int
        Seed and number of the random choices.
    limit_s : float, [s]
        Of the exact search.
    """

    target_conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    n_conditions: int
    goal: Goal
    predictor: str
    sets: tuple[str, str]
    seed: int = 0
    random: int = 3
    time_limit_s: float = 60.0


@dataclass(frozen=True)
class TrainingDesign:
    """What is advised.

    Attributes
    ----------
    question : DesignRequest
    candidates, uses : tuple of Condition
        In a canonical order: how they are listed in the configuration means nothing.
    values : float64 array, (candidate, use)
        Turned so that larger is nearer, 0 or above: see :func:`hrtem_ood.design.utility.orient`.
    measured : float64 array, (candidate, use)
        The measure as it is.
    choice : Choice
        The designed one.
    greedy : float
        What the greedy choice for the mean is worth for the goal.
    sets : dict of str to tuple of int
        Candidates of ``designed``, ``uniform``, ``random_1``, …; all different.
    """

    request: DesignRequest
    candidates: tuple[Condition, ...]
    target_conditions: tuple[Condition, ...]
    values: Floats
    measured: Floats
    choice: Choice
    greedy: float
    sets: dict[str, tuple[int, ...]]

    def worth(self, name: str) -> dict[Goal, float]:
        """Predicted mean and worst of a choice, of the measure as it is."""
        served = self.served(name)
        best = self.measured[served, np.arange(len(self.target_conditions))]
        worst = int(np.argmin(self.values[served, np.arange(len(self.target_conditions))]))
        return {"mean": float(best.mean()), "worst": float(best[worst])}

    def best(self) -> Floats:
        """Return the measure of the best candidate for every condition of use, (use,)."""
        return np.asarray(self.measured[self.values.argmax(axis=0), np.arange(len(self.target_conditions))])

    def served(self, name: str) -> NDArray[np.intp]:
        """Return which candidate of a choice serves each condition of use, (use,)."""
        chosen = np.array(self.sets[name])
        return np.asarray(chosen[self.values[chosen].argmax(axis=0)])


def design_training_conditions(campaign: Campaign, results: Path, question: DesignRequest) -> TrainingDesign:
    """Find training conditions for the conditions of use.

    Parameters
    ----------
    campaign : Campaign
    results : Path
    question : DesignRequest

    Returns
    -------
    TrainingDesign

    Raises
    ------
    ConfigError, ArtifactError
    """
    candidates = _conditions(campaign, question.candidates)
    uses = _conditions(campaign, question.target_conditions)
    if question.n_conditions >= len(candidates):
        raise ConfigError(
            f"--n-conditions: {question.n_conditions} of {len(candidates)} candidates leave nothing to choose; "
            f"give {len(candidates) - 1} at most, or more --candidates."
        )
    measured = utility_matrix(
        campaign, results, candidates=candidates, uses=uses, by=question.predictor, sets=question.sets
    )
    values = orient(measured, question.predictor)
    choice = choose(values, question.n_conditions, question.goal, limit_s=question.time_limit_s)
    places = unit_cube_coordinates([*candidates, *uses])
    filling = farthest_point_choice(np.array([places[each] for each in candidates]), question.n_conditions)
    sets = {"designed": choice.indices}
    if (even := tuple(sorted(filling))) != choice.indices:
        sets["uniform"] = even
    draws = random_choice(len(candidates), question.n_conditions, question.seed, question.random, taken=sets.values())
    sets |= {f"random_{number}": draw for number, draw in enumerate(draws, 1)}
    rough = choice_value(values, greedy(values, question.n_conditions), question.goal)
    return TrainingDesign(question, candidates, uses, values, measured, choice, rough, sets)


def _conditions(campaign: Campaign, grids: Sequence[str]) -> tuple[Condition, ...]:
    found = dict.fromkeys(condition for name in grids for condition in campaign.conditions[name])
    return tuple(sorted(found, key=lambda condition: canonical_json(condition.model_dump())))

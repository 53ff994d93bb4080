"""Designed training conditions, with uniform and random choices of the same size for comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.design.baselines import farthest_point_choice, random_choices
from hrtem_ood.design.optimize import Choice, Goal, choice_value, choose, greedy
from hrtem_ood.design.utility import predictor_matrix, utility_matrix
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.predictors.inputs import unit_cube_coordinates

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DesignRequest:
    """Parameters of a design.

    Attributes
    ----------
    target_conditions, candidates : tuple of str
        Names of condition grids: where networks will be used, and what may be trained under.
    n_conditions : int
        Number of training conditions, k.
    goal : {"worst", "mean"}
        Over the target conditions.
    predictor : str
        Name in :data:`hrtem_ood.transfer.predictors.registry.SPECTRAL_PREDICTORS`.
    structure_sets : (str, str)
        Structure sets of training and test.
    seed, n_random : int
        Seed and number of the random choices.
    time_limit_s : float, [s]
        Of the exact search.
    """

    target_conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    n_conditions: int
    goal: Goal
    predictor: str
    structure_sets: tuple[str, str]
    seed: int = 0
    n_random: int = 3
    time_limit_s: float = 60.0


@dataclass(frozen=True)
class TrainingDesign:
    """A designed choice of training conditions, and its baselines.

    Attributes
    ----------
    request : DesignRequest
    candidates, target_conditions : tuple of Condition
        In a canonical order, which does not depend on the configuration's.
    predictor_values : float64 array, (candidate, target)
        The predictor, in its unit.
    utility : float64 array, (candidate, target)
        The predictor as a utility; see :func:`hrtem_ood.design.utility.utility_matrix`.
    choice : Choice
        The designed choice.
    greedy_value : float
        Value, for the goal, of the choice that is greedy for the mean.
    choices : dict of str to tuple of int
        Indices of the candidates of ``designed``, ``uniform``, ``random_1``, …; all different.
    """

    request: DesignRequest
    candidates: tuple[Condition, ...]
    target_conditions: tuple[Condition, ...]
    predictor_values: Floats
    utility: Floats
    choice: Choice
    greedy_value: float
    choices: dict[str, tuple[int, ...]]

    def serving_candidates(self, name: str) -> NDArray[np.intp]:
        """Return the best candidate of a choice for each target condition, int array, (target,)."""
        chosen = np.array(self.choices[name])
        return np.asarray(chosen[self.utility[chosen].argmax(axis=0)])

    def predicted(self, name: str) -> dict[Goal, float]:
        """Return mean and worst over the target conditions of the predictor of a choice, in the predictor's unit."""
        serving, targets = self.serving_candidates(name), np.arange(len(self.target_conditions))
        values = self.predictor_values[serving, targets]
        worst = int(np.argmin(self.utility[serving, targets]))
        return {"mean": float(values.mean()), "worst": float(values[worst])}

    def best_values(self) -> Floats:
        """Return the predictor of the best candidate for each target condition, float64 array, (target,)."""
        return np.asarray(self.predictor_values[self.utility.argmax(axis=0), np.arange(len(self.target_conditions))])


def design_training_conditions(campaign: Campaign, results: Path, request: DesignRequest) -> TrainingDesign:
    """Choose training conditions for target conditions.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        Results folder, whose exit waves most predictors need.
    request : DesignRequest

    Returns
    -------
    TrainingDesign

    Raises
    ------
    ConfigError
        If there are no more candidates than conditions to choose.
    ArtifactError
        If exit waves are needed and missing.
    """
    candidates = conditions_of(campaign, request.candidates)
    targets = conditions_of(campaign, request.target_conditions)
    k = request.n_conditions
    check_choice(k, len(candidates))
    values = predictor_matrix(
        campaign,
        results,
        request.predictor,
        candidates=candidates,
        target_conditions=targets,
        structure_sets=request.structure_sets,
    )
    utility = utility_matrix(values, request.predictor)
    choice = choose(utility, k, request.goal, time_limit_s=request.time_limit_s)
    coordinates = unit_cube_coordinates([*candidates, *targets])
    uniform = tuple(sorted(farthest_point_choice(np.array([coordinates[each] for each in candidates]), k)))
    choices = {"designed": choice.indices}
    if uniform != choice.indices:
        choices["uniform"] = uniform
    draws = random_choices(len(candidates), k, request.seed, request.n_random, exclude=choices.values())
    choices |= {f"random_{number}": draw for number, draw in enumerate(draws, 1)}
    return TrainingDesign(
        request=request,
        candidates=candidates,
        target_conditions=targets,
        predictor_values=values,
        utility=utility,
        choice=choice,
        greedy_value=choice_value(utility, greedy(utility, k), request.goal),
        choices=choices,
    )


def check_choice(n_conditions: int, candidates: int) -> None:
    """Check that there is something to choose.

    Raises
    ------
    ConfigError
        If there are no more candidates than conditions to choose.
    """
    if n_conditions >= candidates:
        raise ConfigError(
            f"--n-conditions: {n_conditions} of {candidates} candidates leave nothing to choose; give "
            f"{f'{candidates - 1} at most, or ' if candidates > 1 else ''}more --candidates."
        )


def conditions_of(campaign: Campaign, grids: Sequence[str]) -> tuple[Condition, ...]:
    """Return the different conditions of grids, in an order that does not depend on the configuration's."""
    different = {condition for name in grids for condition in campaign.conditions[name]}
    return tuple(sorted(different, key=lambda condition: canonical_json(condition.model_dump())))

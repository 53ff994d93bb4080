"""Choices of training conditions against all choices, one by one."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hrtem_ood.design import optimize
from hrtem_ood.design.baselines import farthest_point_choice, random_choices
from hrtem_ood.design.optimize import choice_value, choose, greedy

# few different values, so that ties are common
matrices = st.tuples(st.integers(1, 7), st.integers(1, 6)).flatmap(
    lambda shape: arrays(float, shape, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.9, 1.0]))
)
problems = matrices.flatmap(lambda values: st.tuples(st.just(values), st.integers(1, len(values))))


def best(values, budget, goal):
    return max(choice_value(values, chosen, goal) for chosen in itertools.combinations(range(len(values)), budget))


@given(problems)
def test_greedy_reaches_its_share_of_the_best_mean(problem):
    values, budget = problem
    chosen = greedy(values, budget)
    assert len(set(chosen)) == budget
    # Nemhauser, Wolsey & Fisher, Math. Program. 14 (1978) 265; at least 1 − 1/e
    share = 1 - (1 - 1 / budget) ** budget
    assert choice_value(values, chosen, "mean") >= share * best(values, budget, "mean") - 1e-12


@pytest.mark.parametrize("goal", ["mean", "worst"])
@settings(max_examples=60, deadline=None)
@given(problems)
def test_the_exact_choice_is_the_best_of_all(goal, problem):
    values, budget = problem
    choice = choose(values, budget, goal)
    assert len(set(choice.indices)) == budget
    assert choice.value == choice_value(values, choice.indices, goal)
    assert choice.value == pytest.approx(best(values, budget, goal), abs=1e-6)
    assert choice.optimal


def test_of_all_with_the_best_least_value_one_with_the_best_mean_is_taken():
    values = np.array([[0.5, 0.5, 0.5], [0.9, 0.5, 0.5], [1.0, 1.0, 0.0]])
    assert choose(values, 1, "worst").indices == (1,)


def test_greedy_alone_is_not_enough():
    # the first pick is good for all, the best pair is good for half each
    values = np.array([[0.6, 0.6, 0.6, 0.6], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    assert choice_value(values, greedy(values, 2), "mean") == pytest.approx(0.8)
    assert choose(values, 2, "mean").indices == (1, 2)


@pytest.mark.parametrize("goal", ["mean", "worst"])
def test_without_time_the_greedy_choice_comes_with_an_honest_bound(goal, monkeypatch):
    values = np.random.default_rng(3).random((12, 9))
    monkeypatch.setattr(optimize, "milp", lambda *_, **__: SimpleNamespace(x=None, status=1, mip_dual_bound=None))
    choice = choose(values, 3, goal)
    assert choice.indices == tuple(sorted(greedy(values, 3)))
    assert choice.value <= best(values, 3, goal) <= choice.bound
    assert not choice.optimal


def test_uniform_begins_at_the_centre_and_goes_to_what_is_farthest():
    places = np.array([[0.0, 0.0], [0.45, 0.5], [1.0, 1.0], [0.5, 0.4], [0.0, 1.0]])
    assert farthest_point_choice(places, 4) == (1, 2, 0, 4)
    assert sorted(farthest_point_choice(np.zeros((3, 2)), 3)) == [0, 1, 2]


def test_random_choices_follow_their_seed_and_number_only():
    draws = random_choices(20, 4, 7, 3)
    assert all(len(set(draw)) == 4 for draw in draws)
    assert len(set(draws)) == 3
    assert random_choices(20, 4, 7, 2) == draws[:2]
    assert random_choices(20, 4, 8, 3) != draws

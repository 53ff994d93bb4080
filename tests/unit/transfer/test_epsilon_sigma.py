"""ε and σ as mathematics: bounds, symmetries, and sums by hand."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.transfer.epsilon_sigma import epsilon, sigma, sigma_matrix

WEIGHT = np.array([0.1, 0.2, 0.3, 0.4])
sampled = hnp.arrays(np.float64, (3, 4, 2), elements=st.floats(-1, 1).map(lambda value: round(value, 6)))


@given(sampled)
@settings(max_examples=50, deadline=None)
def test_sigma_is_a_sign_blind_cosine(values: np.ndarray) -> None:
    matrix = sigma_matrix(values, WEIGHT)
    assert ((matrix >= 0) & (matrix <= 1)).all()
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), np.abs(values).max(axis=(1, 2)) > 0)
    flipped = sigma_matrix(values * np.array([-0.5, 1.0, 0.3])[:, None, None], WEIGHT)
    np.testing.assert_allclose(flipped, matrix, atol=1e-12)


@given(sampled)
@settings(max_examples=50, deadline=None)
def test_epsilon_is_bounded_by_the_largest_transfer(values: np.ndarray) -> None:
    found = epsilon(values, WEIGHT)
    assert (found >= 0).all()
    assert (found <= (values**2).max(axis=(1, 2)) + 1e-12).all()


def test_measures_by_hand() -> None:
    one = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0]])
    two = np.array([[0.0, 1.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert epsilon(one, WEIGHT) == pytest.approx(0.1 * 0.5 + 0.2 * 0.25)
    assert epsilon(two, WEIGHT) == pytest.approx(0.1 * 0.5 + 0.2 * 0.5 + 0.4)
    # shared: only at q index 1, azimuth 0
    assert sigma(one, two, WEIGHT) == pytest.approx(0.2 * 0.25 / np.sqrt(0.1 * 0.55))


def test_what_transfers_nothing_shares_nothing() -> None:
    matrix = sigma_matrix(np.stack([np.zeros((4, 2)), np.ones((4, 2))]), WEIGHT)
    np.testing.assert_array_equal(matrix, [[0, 0], [0, 1]])


@given(sampled)
@settings(max_examples=50, deadline=None)
def test_the_matrix_holds_sigma_of_every_pair(values: np.ndarray) -> None:
    pairs = [[sigma(one, two, WEIGHT) for two in values] for one in values]
    np.testing.assert_allclose(sigma_matrix(values, WEIGHT), pairs, atol=1e-7)

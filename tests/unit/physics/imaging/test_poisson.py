"""Poisson counts: exact in every detail, and the same again."""

import numpy as np
import pytest
from scipy import stats

from hrtem_ood.physics.imaging.poisson import GUIDES, STEPS, _tables, poisson_counts

MEANS = [0.0, 0.003, 0.1249, 0.125, 0.99, 3.3, 7.77, 16.06, 40.4, 63.99, 64.5, 130.7, 511.5, 1023.9]


@pytest.mark.parametrize("mean", MEANS)
def test_counts_are_distributed_as_scipy_says(mean):
    number = 100_000
    counts = poisson_counts(np.full((250, number // 250), mean), np.random.default_rng(int(mean * 1000)))
    assert counts.shape == (250, number // 250)
    if mean == 0:
        assert not counts.any()
        return
    # chi-square over counts that are expected ten times or more, with the tails in one cell each
    low, high = stats.poisson.ppf([10 / number, 1 - 10 / number], mean).astype(int)
    edges = np.arange(low, high + 1)
    found = np.bincount(np.clip(counts.ravel().astype(int), low, high) - low, minlength=len(edges))
    expected = stats.poisson.pmf(edges, mean)
    expected[0], expected[-1] = stats.poisson.cdf(low, mean), stats.poisson.sf(high - 1, mean)
    assert len(edges) > 1 or mean < 0.01
    assert stats.chisquare(found, expected * number).pvalue > 1e-4
    error = np.sqrt(mean / number)
    assert counts.mean() == pytest.approx(mean, abs=5 * error)
    assert counts.var() == pytest.approx(mean, abs=5 * np.sqrt((mean + 2 * mean**2) / number))


def test_counts_are_the_inverses_of_their_uniform_numbers():
    """Against scipy's quantiles: of the tabled mean below, and of what is left of the mean."""
    means = np.random.default_rng(0).uniform(0, 60, 3000)
    counts = poisson_counts(means, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    first, second = rng.random(3000), rng.random(3000)
    below = np.floor(means * 8) / 8
    np.testing.assert_array_equal(counts, stats.poisson.ppf(first, below) + stats.poisson.ppf(second, means - below))


def test_pixels_of_different_means_do_not_mix():
    means = np.tile(np.linspace(0.5, 300, 50)[:, None], (1, 20_000))
    counts = poisson_counts(means, np.random.default_rng(3)).astype(float)
    np.testing.assert_allclose(counts.mean(axis=1), means[:, 0], atol=6 * np.sqrt(300 / 20_000))
    np.testing.assert_allclose(counts.var(axis=1) / means[:, 0], 1, atol=0.06)
    correlation = np.corrcoef(counts)
    assert np.abs(correlation - np.eye(50)).max() < 6 / np.sqrt(20_000)


def test_a_stream_gives_the_same_counts_again():
    means = np.random.default_rng(0).uniform(0, 30, (64, 64))
    one, again, other = (poisson_counts(means, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.5


def test_tables_end_beyond_what_a_double_can_tell():
    for limit, per_unit in STEPS:
        cumulative, guides = _tables(64, per_unit)
        assert cumulative.shape[0] == guides.shape[0] == 64
        assert guides.shape[1] == GUIDES
        assert stats.poisson.sf(cumulative.shape[1] - 2, 63 / per_unit) < 1e-16
        assert stats.poisson.sf(int(limit + 12 * np.sqrt(limit)), limit) < 1e-16


def test_large_means_are_numpys():
    means = np.full((30, 30), 5000.0)
    np.testing.assert_array_equal(
        poisson_counts(means, np.random.default_rng(1)), np.random.default_rng(1).poisson(means)
    )


@pytest.mark.parametrize("mean", [-1.0, np.nan, np.inf])
def test_what_is_no_mean_is_refused(mean):
    with pytest.raises(ValueError, match="lam"):
        poisson_counts(np.array([1.0, mean]), np.random.default_rng(0))

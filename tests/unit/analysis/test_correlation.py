import numpy as np
import pytest
from scipy import stats

from hrtem_ood.analysis.correlation import spearman
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.config.analysis import Analysis

RNG = np.random.default_rng(3)
ALL = np.ones((6, 8), bool)
COLUMNS = np.arange(8)
ANALYSIS = Analysis()
FEW = Analysis(bootstrap_resamples=100)


def test_rho_is_scipys_with_ties_over_the_cells_in_use() -> None:
    gap, predictor = RNG.normal(size=(6, 8)), RNG.integers(0, 5, (6, 8)).astype(float)
    use = RNG.random((6, 8)) < 0.7
    gap[use & (RNG.random((6, 8)) < 0.2)] = np.nan  # cells without a gap
    finite = use & np.isfinite(gap)
    found = spearman(gap, predictor, use, COLUMNS, ANALYSIS, "test")
    assert found.rho == pytest.approx(stats.spearmanr(gap[finite], predictor[finite]).statistic, abs=1e-12)
    assert found.n == finite.sum()
    assert found.low <= found.rho <= found.high


def test_the_interval_is_that_of_resamples_written_out() -> None:
    """Every draw as a matrix of its own, with SciPy's ρ, where one condition has two columns and cells are missing."""
    gap, predictor = RNG.normal(size=(6, 8)), RNG.integers(0, 9, (6, 8)).astype(float)
    columns, use = np.array([0, 1, 2, 3, 4, 5, 6, 2]), RNG.random((6, 8)) < 0.9
    found = spearman(gap, predictor, use, columns, FEW, "test")
    rng, drawn = np.random.default_rng(seed_sequence("test")), []
    for times_row, times_group in zip(*(rng.multinomial(n, np.full(n, 1 / n), 100) for n in (6, 7)), strict=True):
        rows, groups = np.repeat(np.arange(6), times_row), np.repeat(np.arange(7), times_group)
        grid = np.ix_(rows, np.concatenate([np.flatnonzero(columns == group) for group in groups]))
        drawn.append(stats.spearmanr(gap[grid][use[grid]], predictor[grid][use[grid]]).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-12)


def test_a_perfect_predictor_has_no_doubt() -> None:
    gap = RNG.normal(size=(6, 8))
    found = spearman(gap, np.exp(gap), ALL, COLUMNS, ANALYSIS, "test")
    assert (found.rho, found.low, found.high) == pytest.approx((1, 1, 1))
    assert spearman(gap, -gap, ALL, COLUMNS, ANALYSIS, "test").rho == pytest.approx(-1)


def test_the_interval_is_that_of_whole_rows_and_columns() -> None:
    """A predictor that only tells rows apart has as many independent values as rows: a wide interval, many cells or few."""
    row = RNG.normal(size=(6, 1))
    gap = row + 0.7 * RNG.normal(size=(6, 1)) + 0.01 * RNG.normal(size=(6, 200))
    predictor = np.broadcast_to(row, gap.shape) + 1e-9 * RNG.normal(size=gap.shape)
    found = spearman(gap, predictor, np.ones(gap.shape, bool), np.arange(200), ANALYSIS, "test")
    naive = 1.96 / np.sqrt(gap.size)
    assert found.high - found.low > 5 * naive


def test_the_interval_is_reproducible_and_depends_on_its_stream() -> None:
    gap, predictor = RNG.normal(size=(6, 8)), RNG.normal(size=(6, 8))
    one, again, other = (spearman(gap, predictor, ALL, COLUMNS, FEW, stream) for stream in ("a", "a", "b"))
    assert one == again
    assert (one.low, one.high) != (other.low, other.high)


def test_columns_of_one_condition_are_drawn_together() -> None:
    """With one condition on two structure sets, every resample has both columns equally often: ρ over columns is fixed."""
    gap = np.tile([0.0, 1.0, 2.0, 3.0], (1, 1))
    predictor = np.tile([0.0, 2.0, 1.0, 3.0], (1, 1))
    found = spearman(gap, predictor, np.ones((1, 4), bool), np.zeros(4, int), FEW, "test")
    assert found.low == pytest.approx(found.rho)
    assert found.high == pytest.approx(found.rho)


@pytest.mark.parametrize("cells", [0, 2])
def test_too_few_cells_have_no_correlation(cells: int) -> None:
    use = np.zeros((6, 8), bool)
    use.flat[:cells] = True
    found = spearman(RNG.normal(size=(6, 8)), RNG.normal(size=(6, 8)), use, COLUMNS, ANALYSIS, "test")
    assert np.isnan([found.rho, found.low, found.high]).all()
    assert found.n == cells


def test_a_constant_predictor_has_no_correlation() -> None:
    found = spearman(RNG.normal(size=(6, 8)), np.ones((6, 8)), ALL, COLUMNS, ANALYSIS, "test")
    assert np.isnan(found.rho)
    assert found.n == 48

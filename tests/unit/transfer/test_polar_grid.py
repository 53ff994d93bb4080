"""Quadrature on the polar grid."""

import pytest

from hrtem_ood.errors import ConfigError
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid


@pytest.mark.parametrize(("weight", "power"), [("per_q", 0), ("per_area", 1)])
def test_grid_integrates_polynomials_exactly(weight: str, power: int) -> None:
    grid = polar_grid(Transfer(weighting=weight, q_min_per_A=0.2, q_max_per_A=0.9, radial_points=16), pixel_size_A=0.4)
    assert grid.weight.sum() == pytest.approx(1)
    # mean of q⁴ with w = q^p over the band
    expected = (0.9 ** (5 + power) - 0.2 ** (5 + power)) / (5 + power)
    expected /= (0.9 ** (1 + power) - 0.2 ** (1 + power)) / (1 + power)
    assert grid.weight @ grid.q_per_A**4 == pytest.approx(expected, rel=1e-12)


def test_band_ends_at_nyquist_by_default() -> None:
    grid = polar_grid(Transfer(radial_points=64), pixel_size_A=0.4)
    assert 1.248 < grid.q_per_A[-1] < 1.25
    assert 0.05 < grid.q_per_A[0] < 0.052


def test_an_empty_band_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"transfer\.q_min_per_A: must be below .* 0\.25 1/Å, not 0\.3"):
        polar_grid(Transfer(q_min_per_A=0.3), pixel_size_A=2.0)

"""The measures as mathematics, and the artifact that the stage writes."""

import json
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import TransferSpec
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.stages.transfer import transfer
from hrtem_ood.transfer.epsilon_sigma import epsilon, sigma, sigma_matrix
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid

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


def test_stage_writes_what_the_measures_can_be_computed_from_again(tmp_path: Path) -> None:
    conditions = (
        Condition(defocus_A=100, dose_e_per_A2=400, focal_spread_A=20, C12=60, phi12=0.3),
        Condition(defocus_A=-200, dose_e_per_A2=100, aperture_mrad=20),
        Condition(defocus_A=100, dose_e_per_A2=400, defocus_sd_A=20),
    )
    spec = TransferSpec(conditions=conditions, energy_eV=300e3, pixel_size_A=0.4, transfer=Transfer(radial_points=128))
    path = tmp_path / f"{spec.id}.zarr.zip"
    transfer(spec, path)
    found = store.read_zarr(path)
    assert found.transfer.dims == ("condition", "q", "phi")
    assert found.transfer.shape == (3, 128, 48)
    weight = found.quadrature_weight.values
    np.testing.assert_allclose(epsilon(found.transfer.values, weight), found.epsilon, rtol=1e-5)
    np.testing.assert_allclose(sigma_matrix(found.transfer.values, weight), found.sigma, atol=1e-5)
    np.testing.assert_allclose(found.transfer.mean("phi"), found.radial_transfer, atol=1e-6)
    assert (abs(found.radial_transfer) <= found.radial_envelope + 1e-6).all()
    assert list(found.label.values) == [condition.label for condition in conditions]
    np.testing.assert_array_equal(found.aperture_mrad, [np.inf, 20, np.inf])
    np.testing.assert_array_equal(found.C12, [60, 0, 0])
    assert found.q.attrs["units"] == "1/Å"
    assert json.loads(found.attrs["parameters"])["energy_eV"] == 300e3
    # spread in defocus: unsigned; beyond the aperture: nothing
    assert (found.transfer[2] >= 0).all()
    assert (found.transfer[1, found.q > 20e-3 / found.attrs["wavelength_A"]] == 0).all()

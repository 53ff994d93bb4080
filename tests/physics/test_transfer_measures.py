"""ε and σ against closed forms and independent quadratures.

For pure defocus T = −sin(πλ Δf q²); with u = q², integrals per area have elementary closed forms and integrals per q are
Fresnel integrals. For pure astigmatism the azimuthal mean is a Bessel function.
"""

import numpy as np
import pytest
from scipy import integrate, special

from hrtem_ood.campaign.specs import TransferSpec
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.stages.transfer import transfer_dataset
from hrtem_ood.transfer.ctf_sampling import transfer_of
from hrtem_ood.transfer.epsilon_sigma import epsilon, sigma
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid

WAVELENGTH = electron_wavelength_A(300e3)
LOW, HIGH = 0.05, 1.25


def condition(defocus_A: float, **others: float) -> Condition:
    return Condition(defocus_A=defocus_A, dose_e_per_A2=400, **others)


def settings(weight: str = "per_area", **others: int) -> Transfer:
    return Transfer.model_validate({"weighting": weight, "q_min_per_A": LOW, "q_max_per_A": HIGH, **others})


def epsilon_of(chosen: Condition, transfer: Transfer) -> float:
    grid = polar_grid(transfer, pixel_size_A=0.4)
    return float(epsilon(transfer_of(chosen, grid, wavelength_A=WAVELENGTH), grid.weight))


def sigma_of(one: Condition, two: Condition, transfer: Transfer) -> float:
    grid = polar_grid(transfer, pixel_size_A=0.4)
    return sigma(*(transfer_of(chosen, grid, wavelength_A=WAVELENGTH) for chosen in (one, two)), grid.weight)


@pytest.mark.parametrize("defocus", [-2000.0, -50.0, 10.0, 100.0, 700.0])
def test_epsilon_per_area_of_pure_defocus(defocus: float) -> None:
    a = np.pi * WAVELENGTH * defocus
    low, high = LOW**2, HIGH**2
    expected = 0.5 - (np.sin(2 * a * high) - np.sin(2 * a * low)) / (4 * a * (high - low))
    assert epsilon_of(condition(defocus), settings()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("defocus", [-2000.0, -50.0, 10.0, 100.0, 700.0])
def test_epsilon_per_q_of_pure_defocus(defocus: float) -> None:
    a = np.pi * WAVELENGTH * abs(defocus)
    scale = np.sqrt(4 * a / np.pi)  # 2 a q² = π t² / 2 with t = scale · q
    cosine = [special.fresnel(scale * q)[1] / scale for q in (LOW, HIGH)]
    expected = 0.5 - (cosine[1] - cosine[0]) / (2 * (HIGH - LOW))
    assert epsilon_of(condition(defocus), settings("per_q")) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("focal_spread", [10.0, 40.0, 200.0])
def test_epsilon_with_a_temporal_envelope(focal_spread: float) -> None:
    a, b = np.pi * WAVELENGTH * 300, np.pi * WAVELENGTH * focal_spread / 2
    integral, _ = integrate.quad(
        lambda u: np.sin(a * u) ** 2 * np.exp(-2 * (b * u) ** 2), LOW**2, HIGH**2, limit=500, epsabs=1e-13
    )
    expected = integral / (HIGH**2 - LOW**2)
    found = epsilon_of(condition(300, focal_spread_A=focal_spread), settings())
    assert found == pytest.approx(expected, rel=1e-8)


def test_a_wide_focal_spread_transfers_nothing_and_a_narrow_one_changes_nothing() -> None:
    sharp = epsilon_of(condition(100), settings())
    assert epsilon_of(condition(100, focal_spread_A=0.01), settings()) == pytest.approx(sharp, rel=1e-6)
    assert epsilon_of(condition(100, focal_spread_A=9e3), settings()) < 1e-5


def test_epsilon_of_pure_astigmatism_is_a_bessel_integral() -> None:
    c12 = 60.0
    a = np.pi * WAVELENGTH * c12  # χ = a q² cos 2φ; mean of sin² over φ: [1 − J0(2 a q²)] / 2
    low, high = (special.itj0y0(2 * a * q**2)[0] / (2 * a) for q in (LOW, HIGH))
    expected = 0.5 - (high - low) / (2 * (HIGH**2 - LOW**2))
    for azimuth in (0.0, 0.4):
        assert epsilon_of(condition(0, C12=c12, phi12=azimuth), settings()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("defocus", "spread"), [(0.0, 30.0), (100.0, 30.0), (-400.0, 200.0), (100.0, 2000.0)])
def test_transfer_of_a_defocus_distribution(defocus: float, spread: float) -> None:
    """⟨sin²(c + s z)⟩ over normal z is [1 − exp(−2 s²) cos 2c] / 2."""
    grid = polar_grid(settings(azimuthal_points=2), pixel_size_A=0.4)
    phase = np.pi * WAVELENGTH * grid.q_per_A**2
    expected = np.sqrt((1 - np.exp(-2 * (phase * spread) ** 2) * np.cos(2 * phase * defocus)) / 2)
    found = transfer_of(condition(defocus, defocus_sd_A=spread), grid, wavelength_A=WAVELENGTH)
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None], found.shape), atol=2e-7)


def test_minimum_contrast_transfers_nothing() -> None:
    assert epsilon_of(condition(0), settings()) == 0
    assert epsilon_of(condition(0, focal_spread_A=30, angular_spread_mrad=0.3), settings()) == 0
    assert sigma_of(condition(0), condition(100), settings()) == 0


def test_coma_alone_shifts_contrast_but_keeps_it() -> None:
    plain = epsilon_of(condition(100), settings())
    assert epsilon_of(condition(100, C21=3e3, phi21=0.2), settings()) == pytest.approx(plain, rel=1e-12)
    assert sigma_of(condition(100), condition(100, C21=3e3), settings()) == pytest.approx(1, abs=1e-12)


def test_sigma_is_blind_to_the_sign_of_defocus_without_other_aberrations() -> None:
    assert sigma_of(condition(150), condition(-150), settings()) == pytest.approx(1, abs=1e-12)
    with_cs = sigma_of(condition(150, C30=2e5), condition(-150, C30=2e5), settings())
    assert with_cs < 0.95


@pytest.mark.parametrize(("one", "two"), [(100.0, 110.0), (100.0, 200.0), (-50.0, 300.0)])
def test_sigma_of_two_defoci_against_adaptive_quadrature(one: float, two: float) -> None:
    a, b = (np.pi * WAVELENGTH * abs(defocus) for defocus in (one, two))

    def integral(function: object) -> float:
        zeros = sorted({k * np.pi / c for c in (a, b) for k in range(1, 200) if LOW**2 < k * np.pi / c < HIGH**2})
        return float(integrate.quad(function, LOW**2, HIGH**2, points=zeros, limit=2000)[0])

    shared = integral(lambda u: abs(np.sin(a * u) * np.sin(b * u)))
    own = [integral(lambda u, c=c: np.sin(c * u) ** 2) for c in (a, b)]
    expected = shared / np.sqrt(own[0] * own[1])
    assert sigma_of(condition(one), condition(two), settings()) == pytest.approx(expected, abs=2e-4)


@pytest.mark.slow
def test_sigma_of_unrelated_fast_oscillations_is_that_of_independent_phases() -> None:
    """Mean |sin|² over mean sin² of independent phases: (2/π)² / (1/2) = 8/π²."""
    found = sigma_of(condition(3000), condition(3000 * np.sqrt(2)), settings(radial_points=4096, azimuthal_points=1))
    assert found == pytest.approx(8 / np.pi**2, abs=0.01)


def test_the_default_quadrature_has_converged() -> None:
    conditions = (
        condition(200, focal_spread_A=20),
        condition(1000, focal_spread_A=40, angular_spread_mrad=0.2, C30=1e5),
        condition(100, C12=80, phi12=0.5, C21=500, C23=300, focal_spread_A=20, angular_spread_mrad=0.3),
        condition(100, focal_spread_A=20, aperture_mrad=20),
        condition(100, defocus_sd_A=40),
    )

    def measures(transfer: Transfer) -> tuple[np.ndarray, np.ndarray]:
        spec = TransferSpec(conditions=conditions, energy_eV=300e3, pixel_size_A=0.4, transfer=transfer)
        found = transfer_dataset(spec)
        return found.epsilon.values, found.sigma.values

    coarse, fine = measures(Transfer()), measures(Transfer(radial_points=2048, azimuthal_points=180))
    smooth = [0, 1, 2, 4]  # all but the one with a hard aperture
    np.testing.assert_allclose(coarse[0][smooth], fine[0][smooth], atol=1e-6)
    np.testing.assert_allclose(coarse[0], fine[0], atol=2e-3)
    np.testing.assert_allclose(coarse[1], fine[1], atol=1.5e-3)

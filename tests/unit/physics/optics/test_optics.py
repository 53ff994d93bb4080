"""Electron optics: signs, symmetries, derivatives, Fourier grids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.physics.optics.aberrations import TERMS, aberration_function, aberration_gradient
from hrtem_ood.physics.optics.condition import ABERRATIONS, Condition
from hrtem_ood.physics.optics.ctf import contrast_transfer, phase_contrast_transfer
from hrtem_ood.physics.optics.fourier import band_limited_size, crop_spectrum, polar_frequencies
from hrtem_ood.physics.optics.polynomial import aberration_polynomial, evaluate_on_grid, gradient
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A

WAVELENGTH_A = electron_wavelength_A(300e3)
SIZES_A = dict(enumerate((0, 100, 2e3, 1e5, 1e6, 1e7)))


@st.composite
def aberrations(draw):
    """Aberrations of sizes at which each matters at a few 10 mrad."""
    chosen = {}
    for n, m in draw(st.sets(st.sampled_from(TERMS[1:]), max_size=4)):
        chosen[f"C{n}{m}"] = draw(st.floats(-1, 1)) * SIZES_A[n]
        if m:
            chosen[f"phi{n}{m}"] = draw(st.floats(-3.1, 3.1))
    return chosen


def test_wavelength_of_textbook_energies():
    # Kirkland (2010), Table 2.1, in Å
    assert electron_wavelength_A(100e3) == pytest.approx(0.0370, abs=5e-5)
    assert electron_wavelength_A(200e3) == pytest.approx(0.0251, abs=5e-5)
    assert electron_wavelength_A(300e3) == pytest.approx(0.0197, abs=5e-5)


def test_every_aberration_of_a_condition_is_known():
    assert {f"C{n}{m}" for n, m in TERMS[1:]} | {f"phi{n}{m}" for n, m in TERMS if m} == set(ABERRATIONS)


def test_defocus_is_minus_c10():
    q = np.linspace(0, 1, 5)
    chi = aberration_function(q, 0.0, wavelength_A=WAVELENGTH_A, defocus_A=100.0, aberrations={})
    np.testing.assert_allclose(chi, -np.pi * WAVELENGTH_A * 100 * q**2)


def test_unknown_aberrations_are_refused():
    with pytest.raises(ValueError, match="C10"):
        aberration_function(np.ones(1), 0.0, wavelength_A=0.02, defocus_A=0, aberrations={"C10": 1.0})
    with pytest.raises(ValueError, match="C22"):
        aberration_gradient(np.ones(1), 0.0, wavelength_A=0.02, defocus_A=0, aberrations={"C22": 1.0})


@settings(deadline=None, max_examples=30)
@given(aberrations(), st.floats(-500, 500), st.floats(0.2, 1.2), st.floats(-3.1, 3.1))
def test_gradient_is_the_derivative(chosen, defocus_A, q, azimuth):
    lens = {"wavelength_A": WAVELENGTH_A, "defocus_A": defocus_A, "aberrations": chosen}
    radial, azimuthal = aberration_gradient(np.array(q), azimuth, **lens)
    step = 1e-5
    by_q = np.subtract(*(aberration_function(np.array(q + s), azimuth, **lens) for s in (step, -step))) / (2 * step)
    by_phi = np.subtract(*(aberration_function(np.array(q), azimuth + s, **lens) for s in (step, -step))) / (2 * step)
    size = 1 + np.hypot(radial, azimuthal)
    assert abs(by_q / WAVELENGTH_A - radial) < 1e-6 * size
    assert abs(by_phi / (WAVELENGTH_A * q) - azimuthal) < 1e-6 * size


@settings(deadline=None, max_examples=30)
@given(aberrations(), st.floats(-500, 500), st.just(0.0) | st.floats(0.01, 100), st.sampled_from([0, 0.002, 0.1, 1.0]))
def test_phase_contrast_transfer_is_even_and_bounded(chosen, defocus_A, focal_spread_A, angular_spread_mrad):
    condition = Condition(
        defocus_A=0,
        dose_e_per_A2=1,
        focal_spread_A=focal_spread_A,
        angular_spread_mrad=angular_spread_mrad,
        **chosen,
    )
    q, azimuth = np.linspace(0, 1.2, 50)[:, None], np.linspace(-3, 3, 7)
    lens = {"wavelength_A": WAVELENGTH_A, "defocus_A": defocus_A}
    transfer = phase_contrast_transfer(condition, q, azimuth, **lens)
    assert (np.abs(transfer) <= 1 + 1e-12).all()
    opposite = phase_contrast_transfer(condition, q, azimuth + np.pi, **lens)
    np.testing.assert_allclose(np.abs(transfer), np.abs(opposite), atol=1e-8)


def test_phase_contrast_transfer_of_defocus_is_the_textbook_sine():
    condition = Condition(defocus_A=0, dose_e_per_A2=1, focal_spread_A=40, aperture_mrad=15)
    q = np.linspace(0, 1.2, 200)
    transfer = phase_contrast_transfer(condition, q, 0.0, wavelength_A=WAVELENGTH_A, defocus_A=100.0)
    damping = np.exp(-((np.pi * WAVELENGTH_A * 40 * q**2 / 2) ** 2)) * (WAVELENGTH_A * q <= 15e-3)
    np.testing.assert_allclose(transfer, -np.sin(np.pi * WAVELENGTH_A * 100 * q**2) * damping, atol=1e-12)


def test_aperture_is_hard():
    condition = Condition(defocus_A=0, dose_e_per_A2=1, aperture_mrad=10)
    q = np.array([9.999, 10.001]) * 1e-3 / WAVELENGTH_A
    transfer = contrast_transfer(condition, q, 0.0, wavelength_A=WAVELENGTH_A, defocus_A=0.0)
    np.testing.assert_array_equal(transfer, [1, 0])


@pytest.mark.parametrize("size", [8, 9, 10, 11, 255, 256, 640, 1280])
def test_band_limited_grid_holds_two_thirds(size):
    kept = band_limited_size(size)
    fastest = (size - 1) // 3  # largest frequency index below size / 3
    assert kept // 2 - 1 >= fastest
    assert kept % 2 == 0
    assert kept <= 2 * size / 3 * 1.06 + 2


@pytest.mark.parametrize(("old", "new"), [(12, 8), (12, 7), (13, 8), (13, 7), (12, 12)])
def test_crop_samples_the_same_band_limited_wave(old, new):
    # a wave of the frequencies that the coarser grid holds, without its Nyquist frequency
    rng = np.random.default_rng(0)
    fastest = (new - 1) // 2
    index = np.arange(-fastest, fastest + 1)
    amplitude = rng.normal(size=(index.size, index.size)) + 1j * rng.normal(size=(index.size, index.size))

    def wave(points):
        phase = np.exp(2j * np.pi * np.outer(np.arange(points) / points, index))
        return phase @ amplitude @ phase.T

    cropped = np.fft.ifft2(crop_spectrum(np.fft.fft2(wave(old)), (new, new)))
    np.testing.assert_allclose(cropped, wave(new), atol=1e-12)


def test_crop_keeps_precision_and_batch_axes_and_drops_nyquist():
    spectrum = np.ones((2, 3, 12, 10), np.complex64)
    cropped = crop_spectrum(spectrum, (8, 6))
    assert cropped.shape == (2, 3, 8, 6)
    assert cropped.dtype == np.complex64
    assert (cropped[..., 4, :] == 0).all()
    assert (cropped[..., 3] == 0).all()
    assert (spectrum == 1).all()
    with pytest.raises(ValueError, match="cannot crop"):
        crop_spectrum(spectrum, (14, 6))


def test_polar_frequencies_run_along_x_last():
    q, azimuth = polar_frequencies((4, 6), 0.5)
    assert q.shape == (4, 6)
    assert q[0, 1] == pytest.approx(1 / 3)
    assert azimuth[0, 1] == 0
    assert q[1, 0] == pytest.approx(1 / 2)
    assert azimuth[1, 0] == pytest.approx(np.pi / 2)


@settings(deadline=None, max_examples=30)
@given(aberrations(), st.floats(-500, 500))
def test_the_polynomial_is_the_aberration_function(chosen, defocus_A):
    q_x, q_y = np.linspace(-1.5, 1.4, 13), np.linspace(-1.3, 1.5, 11)
    polar = np.hypot(q_x, q_y[:, None]), np.arctan2(q_y[:, None], q_x)
    lens = {"defocus_A": defocus_A, "aberrations": chosen}
    polynomial = aberration_polynomial(**lens) * 2 * np.pi / WAVELENGTH_A
    alpha = WAVELENGTH_A * q_x, WAVELENGTH_A * q_y
    expected = aberration_function(*polar, wavelength_A=WAVELENGTH_A, **lens)
    np.testing.assert_allclose(evaluate_on_grid(polynomial, *alpha), expected, atol=1e-9 * (1 + np.abs(expected).max()))
    radial, azimuthal = aberration_gradient(*polar, wavelength_A=WAVELENGTH_A, **lens)
    along_x, along_y = (evaluate_on_grid(part, *alpha) for part in gradient(polynomial))
    cos, sin = np.cos(polar[1]), np.sin(polar[1])
    size = 1e-9 * (1 + np.hypot(radial, azimuthal).max())
    np.testing.assert_allclose(along_x, radial * cos - azimuthal * sin, atol=size)
    np.testing.assert_allclose(along_y, radial * sin + azimuthal * cos, atol=size)

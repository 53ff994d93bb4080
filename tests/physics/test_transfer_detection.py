"""What a detector leaves of signal and noise, by theory, against images that the imaging stage makes."""

import numpy as np
import pytest

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Detector, Imaging
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer.ctf_sampling import transfer_moments
from hrtem_ood.transfer.detector_transfer import detector_spectra
from hrtem_ood.transfer.image_spectrum import image_spectra
from hrtem_ood.transfer.information import information, log_cnr
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import PolarGrid, polar_grid

SIZE, PIXEL_A = 64, 0.4
WAVELENGTH_A = electron_wavelength_A(300e3)
CONDITION = Condition(defocus_A=150, dose_e_per_A2=400, focal_spread_A=15, C12=40, phi12=0.3)
GRID = polar_grid(Transfer(radial_points=128, azimuthal_points=32), pixel_size_A=PIXEL_A)
CURVES = {"mtf": (1.0, 0.8, 0.45), "dqe": (0.8, 0.6, 0.25)}
GAIN = 64.0
"""Keeps rounding out of the way."""

DETECTORS = {
    "mtf": Detector(mtf=CURVES["mtf"], gain=GAIN),
    "mtf and dqe": Detector(**CURVES, gain=GAIN),
    "pixels": Detector(apply_pixel_mtf=True, gain=GAIN),
    "all": Detector(**CURVES, apply_pixel_mtf=True, gain=GAIN),
}
each_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)


def microscope(detector: Detector) -> Microscope:
    imaging = Imaging(pixel_size_A=PIXEL_A, detector=detector)
    return Microscope(imaging, SIZE, WAVELENGTH_A, 0.5 / PIXEL_A, array_module("cpu"))


def contrast(made: Microscope, phase: np.ndarray, dose: float, rng: np.random.Generator, number: int = 1) -> np.ndarray:
    """Relative contrast of detected images of a phase object, (image, y, x)."""
    wave = np.fft.fft2(np.exp(1j * phase))[None].astype(np.complex64)
    intensity = np.asarray(made.intensity(wave, CONDITION, CONDITION.defocus_A))
    count = made.response.detect
    numbers = np.array(
        [count(intensity, dose_e_per_A2=dose, pixel_size_A=PIXEL_A, rng=rng) for _ in range(number)], dtype=float
    )
    return numbers / numbers.mean(axis=(1, 2), keepdims=True) - 1


def point(cycles_y: int, cycles_x: int) -> PolarGrid:
    """Return the one frequency of so many cycles per image."""
    q = np.array([np.hypot(cycles_y, cycles_x) / (SIZE * PIXEL_A)])
    return PolarGrid(q, np.array([np.arctan2(cycles_y, cycles_x)]), np.ones(1), np.full(1, 0.1))


@each_detector
def test_noise_of_flat_fields(detector: Detector) -> None:
    """In every direction and up to the corner of the square; their variance is the integral over all of it."""
    rng, number, dose = np.random.default_rng(1), 400, 400.0
    images = contrast(microscope(detector), np.zeros((SIZE, SIZE)), dose, rng, number)
    power = (np.abs(np.fft.fft2(images)) ** 2).mean(axis=0) / SIZE**2 * PIXEL_A**2
    for cycles in [(0, 3), (5, 0), (9, 9), (0, 20), (20, 11), (31, 0), (28, 28)]:
        # the four coefficients that are alike by symmetry: two estimates of n images each
        found = np.mean([power[cycles], power[cycles[0], -cycles[1]]])
        expected = detector_spectra(detector, point(*cycles), pixel_size_A=PIXEL_A).noise.item() / dose
        assert found == pytest.approx(expected, rel=5 / np.sqrt(number))
    left = detector_spectra(detector, GRID, pixel_size_A=PIXEL_A)
    whole = GRID.area_per_A2 @ np.broadcast_to(left.noise, (128, 32)).mean(axis=1) + left.outside
    assert images.var() == pytest.approx(whole / dose, rel=0.005)


@each_detector
@pytest.mark.parametrize("cycles", [(0, 6), (11, 7), (0, 25), (24, 16)])
def test_fringes_of_a_weak_phase_grating(detector: Detector, cycles: tuple[int, int]) -> None:
    """Amplitude 2 |T| ε √M, in images that went through lens, coherence and detector."""
    strength, grid = 0.03, point(*cycles)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    phase = strength * np.cos(2 * np.pi * (cycles[0] * y + cycles[1] * x))
    found = contrast(microscope(detector), phase, 1e8, np.random.default_rng(2))[0]
    amplitude = 2 * np.abs(np.fft.fft2(found)[cycles]) / SIZE**2
    _, transfer = transfer_moments(CONDITION, grid, wavelength_A=WAVELENGTH_A)
    expected = (
        2 * transfer.item() * strength * np.sqrt(detector_spectra(detector, grid, pixel_size_A=PIXEL_A).signal.item())
    )
    assert expected > 1e-3, "there is something to see"
    assert amplitude == pytest.approx(expected, rel=0.005, abs=2.5e-5)


@each_detector
def test_the_variance_of_images_of_a_film(detector: Detector) -> None:
    """What standardisation divides by: film of a flat spectrum within the band, and counting noise over the square."""
    rng, dose, spread = np.random.default_rng(3), 2000.0, 0.05
    frequency = np.fft.fftfreq(SIZE, PIXEL_A)
    band = np.hypot(frequency[:, None], frequency[None, :]) < 1.0
    edge = np.array([0, 0.999, 1.001, 2])
    film = ObjectSpectrum(edge, np.zeros(4), spread**2 * PIXEL_A**2 * (edge < 1), covered=0.0)
    condition = CONDITION.model_copy(update={"dose_e_per_A2": dose})
    found = image_spectra(condition, film, GRID, wavelength_A=WAVELENGTH_A, pixel_size_A=PIXEL_A, detector=detector)
    made, variances = microscope(detector), []
    for _ in range(100):
        phase = np.fft.ifft2(np.fft.fft2(spread * rng.standard_normal((SIZE, SIZE))) * band).real
        variances.append(contrast(made, phase, dose, rng).var())
    assert np.mean(variances) == pytest.approx(found.variance, rel=0.02)
    noise = image_spectra(condition, film, GRID, wavelength_A=WAVELENGTH_A, pixel_size_A=PIXEL_A).variance
    assert abs(found.variance / noise - 1) > 0.05, "without the detector it would be another"


def test_signal_to_noise_is_lowered_by_the_dqe_whatever_the_mtf() -> None:
    q = np.linspace(0, 2, 50)
    objects = ObjectSpectrum(q, 0.02 * np.exp(-q), np.zeros(50), covered=0.2)

    def look(detector: Detector | None):
        return image_spectra(
            CONDITION, objects, GRID, wavelength_A=WAVELENGTH_A, pixel_size_A=PIXEL_A, detector=detector
        )

    ideal, found = look(None), look(DETECTORS["mtf and dqe"])
    efficiency = np.interp(GRID.q_per_A * 2 * PIXEL_A, [0, 0.5, 1], CURVES["dqe"])[:, None]
    np.testing.assert_allclose(found.snr, ideal.snr * efficiency, rtol=1e-12)
    unblurred = look(Detector(dqe=CURVES["dqe"], gain=GAIN))
    np.testing.assert_allclose(found.snr, unblurred.snr, rtol=1e-12)
    assert log_cnr(found) == pytest.approx(log_cnr(unblurred), abs=1e-12)
    assert information(found) < information(ideal)
    # a DQE that is the same everywhere loses electrons
    fewer = CONDITION.model_copy(update={"dose_e_per_A2": 0.25 * CONDITION.dose_e_per_A2})
    lossy = look(Detector(dqe=(0.25, 0.25), gain=GAIN))
    less = image_spectra(fewer, objects, GRID, wavelength_A=WAVELENGTH_A, pixel_size_A=PIXEL_A)
    np.testing.assert_allclose(lossy.background, less.background, rtol=1e-12)
    assert lossy.variance == pytest.approx(less.variance, rel=1e-9)
    assert log_cnr(lossy) == pytest.approx(log_cnr(less), abs=1e-12)
    # noise of an ideal detector lies beyond the band, too
    assert detector_spectra(None, GRID, pixel_size_A=PIXEL_A).outside == pytest.approx(
        1 / 0.4**2 - GRID.area_per_A2.sum()
    )
    unit = detector_spectra(Detector(mtf=(1.0, 1.0)), GRID, pixel_size_A=PIXEL_A)
    assert unit.outside == pytest.approx(1 / 0.4**2 - GRID.area_per_A2.sum())

"""The detector: signal, noise and their ratio as its curves say; nothing folds back."""

import numpy as np
import pytest

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.imaging.detector import DetectorResponse
from hrtem_ood.physics.imaging.intensity import image_intensity, oversampled_size
from hrtem_ood.physics.imaging.parameters import Detector
from hrtem_ood.physics.optics.fourier import crop_spectrum, pad_spectrum, polar_frequencies

CPU = array_module("cpu")
SIZE, PIXEL_A, DOSE = 64, 0.5, 400.0
MTF, DQE = (1.0, 0.8, 0.5), (0.81, 0.6, 0.3)


def images(detector, intensity, number, gain=64.0):
    """Detected images, in electrons; a gain keeps rounding out of the way."""
    response = DetectorResponse.of(detector.model_copy(update={"gain": gain}), size=SIZE, pixel_size_A=PIXEL_A, am=CPU)
    seen = intensity
    if response.signal is not None:
        seen = np.fft.ifft2(np.fft.fft2(intensity) * response.signal).real
    rng = np.random.default_rng(0)
    drawn = [response.detect(seen, dose_e_per_A2=DOSE, pixel_size_A=PIXEL_A, rng=rng) for _ in range(number)]
    return np.array(drawn, float) / gain


def curves():
    q = np.minimum(polar_frequencies((SIZE, SIZE), 0.5)[0], 1)  # in units of the Nyquist frequency
    return tuple(np.interp(q, [0, 0.5, 1], values) for values in (MTF, DQE))


@pytest.mark.parametrize("dqe", [DQE, None])
def test_noise_has_the_power_that_mtf_and_dqe_give(dqe):
    mean, number = DOSE * PIXEL_A**2, 400
    flat = images(Detector(mtf=MTF, dqe=dqe), np.ones((SIZE, SIZE)), number)
    assert flat.mean() == pytest.approx(mean, rel=1e-3)
    power = (np.abs(np.fft.fft2(flat - flat.mean(axis=0))) ** 2).mean(axis=0) / SIZE**2 / mean
    mtf, efficiency = curves()
    expected = mtf**2 / efficiency if dqe else np.ones_like(mtf)
    # an estimate of power from n images is off by 1/√n of itself; twice as many numbers by symmetry, √2 less
    np.testing.assert_allclose(power / expected, 1, atol=6 / np.sqrt(number))
    assert (power / expected)[1:, 1:].mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dqe", [DQE, None])
@pytest.mark.parametrize("cycles", [4, 16, 28])
def test_signal_appears_with_the_mtf(dqe, cycles):
    position = np.arange(SIZE) / SIZE
    grating = np.tile(1 + 0.5 * np.cos(2 * np.pi * cycles * position), (SIZE, 1))
    found = images(Detector(mtf=MTF, dqe=dqe), grating, 200).mean(axis=0) / (DOSE * PIXEL_A**2)
    amplitude = 2 * np.fft.fft2(found)[0, cycles].real / SIZE**2
    mtf, _ = curves()
    assert amplitude == pytest.approx(0.5 * mtf[0, cycles], abs=0.003)


def test_a_square_pixel_averages_over_its_area():
    response = DetectorResponse.of(Detector(apply_pixel_mtf=True), size=SIZE, pixel_size_A=PIXEL_A, am=CPU)
    cycles = 9
    fine = np.cos(2 * np.pi * cycles * (np.arange(SIZE * 50) - 24.5) / (SIZE * 50))
    averaged = fine.reshape(SIZE, 50).mean(axis=1)
    grating = np.cos(2 * np.pi * cycles * np.arange(SIZE) / SIZE)
    seen = np.fft.ifft2(np.fft.fft2(np.tile(grating, (SIZE, 1))) * response.signal).real
    np.testing.assert_allclose(seen[0], averaged, atol=2e-4)


def test_nothing_folds_back():
    """The image of waves whose intensity carries twice their frequencies, against one formed on a far finer grid."""
    rng = np.random.default_rng(0)
    spectra = (rng.normal(size=(3, SIZE, SIZE)) + 1j * rng.normal(size=(3, SIZE, SIZE))).astype(np.complex64)
    spectra[:, SIZE // 2] = spectra[:, :, SIZE // 2] = 0
    transfer = np.ones((SIZE, SIZE), np.complex64)
    response = DetectorResponse.of(Detector(mtf=MTF), size=SIZE, pixel_size_A=PIXEL_A, am=CPU)
    ours = image_intensity(spectra, transfer, CPU, detected=response.signal)
    exact = (np.abs(np.fft.ifft2(pad_spectrum(spectra, 4 * SIZE))) ** 2).mean(axis=0)
    kept = crop_spectrum(np.fft.fft2(exact), (SIZE, SIZE))
    exact = np.fft.ifft2(kept * response.signal).real
    np.testing.assert_allclose(ours, exact, atol=1e-5 * exact.std())
    # on the image's own grid, it would be quite another
    folded = np.fft.ifft2(np.fft.fft2(image_intensity(spectra, transfer, CPU)) * response.signal).real
    assert np.abs(folded - exact).std() > 0.1 * exact.std()


@pytest.mark.parametrize("size", [2, 64, 66, 640])
def test_the_finer_grid_is_even_and_large_enough(size):
    assert oversampled_size(size) % 2 == 0
    assert 1.5 * size <= oversampled_size(size) < 1.5 * size + 2


def test_padding_undoes_cropping():
    wave = np.random.default_rng(0).normal(size=(2, 16, 16))
    spectrum = np.fft.fft2(wave)
    spectrum[:, 8] = spectrum[:, :, 8] = 0
    np.testing.assert_allclose(crop_spectrum(pad_spectrum(spectrum, 24), (16, 16)), spectrum, atol=1e-12)

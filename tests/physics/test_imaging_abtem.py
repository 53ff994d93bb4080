"""Images against abTEM's, and point samples against the finely sampled image."""

import abtem
import numpy as np
import pytest

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.imaging.intensity import image_intensity
from hrtem_ood.physics.imaging.lens import Lens
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.fourier import crop_spectrum, polar_frequencies
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A

CPU = array_module("cpu")
SIZE, CELL_A, ENERGY_EV = 96, 24.0, 300e3
NAMES = {"focal_spread_A": "focal_spread", "angular_spread_mrad": "angular_spread", "aperture_mrad": "semiangle_cutoff"}
LENSES = {
    "defocus": {},
    "spherical": {"C30": -4e5, "focal_spread_A": 30},
    "aperture": {"C12": 50, "phi12": 0.4, "C21": 800, "phi21": 1, "aperture_mrad": 15.1},
    "all": {
        "C30": 1e5,
        "C12": 50,
        "phi12": 0.4,
        "C21": 800,
        "phi21": 1,
        "C23": 300,
        "focal_spread_A": 30,
        "angular_spread_mrad": 0.3,
        "aperture_mrad": 15.1,
    },
}


@pytest.fixture(scope="module")
def waves():
    """Three strong phase objects, unlike along x and y, (phonon, y, x)."""
    q, azimuth = polar_frequencies((SIZE, SIZE), CELL_A / SIZE)
    noise = np.random.default_rng(0).normal(size=(3, SIZE, SIZE))
    phase = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-((q / 0.5) ** 2) * (1.5 + np.cos(azimuth)))).real
    return np.exp(1j * phase / phase.std()).astype(np.complex64)


def ours(waves, lens, size, defocus_A=123.0):
    wavelength_A = electron_wavelength_A(ENERGY_EV)
    condition = Condition(defocus_A=0, dose_e_per_A2=1, **lens)
    prepared = Lens.of(condition, size=size, pixel_size_A=CELL_A / size, wavelength_A=wavelength_A, am=CPU)
    spectra = crop_spectrum(CPU.fft.fft2(waves), (size, size))
    return image_intensity(spectra, prepared.transfer(defocus_A), CPU)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_image_equals_abtem(waves, lens):
    with abtem.config.set({"diagnostics.progress_bar": False, "precision": "float32"}):
        ctf = abtem.CTF(energy=ENERGY_EV, soft=False, defocus=123, **{NAMES.get(k, k): v for k, v in lens.items()})
        images = [
            abtem.Waves(wave.T.copy(), energy=ENERGY_EV, extent=CELL_A).apply_ctf(ctf).intensity().array.T
            for wave in waves
        ]
    theirs = np.mean(images, axis=0)
    assert theirs.std() > 0.05
    np.testing.assert_allclose(ours(waves, lens, SIZE), theirs, atol=2e-5)


def test_pixels_are_point_samples(waves):
    """Where an aperture passes only what the coarse grid holds, it samples the fine image exactly."""
    lens = {"C30": 1e5, "aperture_mrad": 15.1}  # 0.77 1/Å; the coarse grid's Nyquist frequency is 1 1/Å
    np.testing.assert_allclose(ours(waves, lens, SIZE // 2), ours(waves, lens, SIZE)[::2, ::2], atol=2e-5)


def test_phase_objects_conserve_dose(waves):
    intensity = ours(waves, {"C30": 1e5}, SIZE)
    assert intensity.mean() == pytest.approx(1, abs=1e-5)


def test_images_of_a_weak_object_reverse_with_defocus():
    """Underfocus makes a weak phase object's maximum dark, overfocus bright."""
    y, x = np.meshgrid(*[np.arange(SIZE) * CELL_A / SIZE - CELL_A / 2] * 2, indexing="ij")
    atom = np.exp(-(x**2 + y**2) / (2 * 0.6**2))
    wave = np.exp(0.05j * atom)[None].astype(np.complex64)
    under, over = (ours(wave, {}, SIZE, defocus_A=defocus_A) for defocus_A in (100.0, -100.0))
    assert under[SIZE // 2, SIZE // 2] < 0.99
    assert over[SIZE // 2, SIZE // 2] > 1.01

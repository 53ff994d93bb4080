"""Zero defocus against objects of known height."""

import numpy as np
import pytest
from ase.build import bulk

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.optics.fourier import polar_frequencies
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.zero_defocus import contrast, zero_defocus

CPU = array_module("cpu")


def phase_object(distance_A, wavelength_A, phonons=1, size=64, pixel_size_A=0.3):
    """Waves a distance behind thin phase objects, in free space: exp(−iπλzq²) (Kirkland (2010), Ch. 6)."""
    q, _ = polar_frequencies((size, size), pixel_size_A)
    noise = np.random.default_rng(1).normal(size=(phonons, size, size))
    phase = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-((q / 0.6) ** 2))).real
    behind = np.exp(-1j * np.pi * wavelength_A * distance_A * q**2)
    return np.fft.ifft2(np.fft.fft2(np.exp(0.2j * phase / phase.std())) * behind).astype(np.complex64)


@pytest.mark.parametrize("energy_eV", [80e3, 300e3])
@pytest.mark.parametrize("distance_A", [0.0, 13.7, 48.2])
@pytest.mark.parametrize("phonons", [1, 3])
def test_it_is_the_distance_of_a_thin_phase_object(energy_eV, distance_A, phonons):
    wavelength_A = electron_wavelength_A(energy_eV)
    waves = phase_object(distance_A, wavelength_A, phonons)
    found = zero_defocus(waves, pixel_size_A=0.3, wavelength_A=wavelength_A, height_A=50, am=CPU)
    assert found == pytest.approx(distance_A, abs=0.2)


@pytest.fixture(scope="module")
def particle():
    """A gold cube of 12 Å, off any zone axis, its centre 18 Å below the top of the cell."""
    gold = bulk("Au", "fcc", a=4.08, cubic=True).repeat(3)
    gold.positions -= gold.positions.mean(axis=0)
    gold.rotate(17, "x", center=(0, 0, 0))
    gold.rotate(29, "y", center=(0, 0, 0))
    gold.positions += [12, 12, 32]
    gold.set_cell([24, 24, 50])
    return gold


def test_a_particle_has_least_contrast_near_its_centre(particle):
    simulation = Simulation(sampling_A=0.2, n_frozen_phonons=2, energy_eV=200e3)
    waves = np.stack([exit_wave(displace(particle, 0.1, seed), simulation, CPU) for seed in range(2)])
    wavelength_A = electron_wavelength_A(200e3)
    pixel_size_A = 24 / waves.shape[-1]
    found = zero_defocus(waves, pixel_size_A=pixel_size_A, wavelength_A=wavelength_A, height_A=50, am=CPU)
    assert found == pytest.approx(18, abs=3)
    spectra, q = CPU.fft.fft2(waves), polar_frequencies(waves.shape[-2:], pixel_size_A)[0]
    least, under, over = (contrast(spectra, q**2, found + more, wavelength_A, CPU) for more in (0, 50, -50))
    assert least < 0.5 * min(under, over)


def test_contrast_is_the_variance_of_the_mean_image():
    wavelength_A = electron_wavelength_A(300e3)
    waves = phase_object(30.0, wavelength_A, phonons=3)
    focused = phase_object(30.0 - 12.0, wavelength_A, phonons=3)  # underfocus looks at a plane below the exit plane
    q = polar_frequencies(waves.shape[-2:], 0.3)[0]
    expected = np.var((np.abs(focused) ** 2).mean(axis=0))
    assert contrast(CPU.fft.fft2(waves), q**2, 12.0, wavelength_A, CPU) == pytest.approx(expected, rel=1e-3)

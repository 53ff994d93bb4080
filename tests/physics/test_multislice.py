"""This project's multislice against explicit sums in double precision, and against abTEM's own scheme."""

import abtem
import array_api_strict
import numpy as np
import pytest
import scipy.fft
from abtem.antialias import antialias_aperture as abtem_aperture
from abtem.core.energy import energy2sigma
from abtem.integrals import ScatteringFactorProjectionIntegrals
from abtem.parametrizations import validate_parametrization
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols

from hrtem_ood.array_module import ArrayModule, array_module
from hrtem_ood.physics.optics.fourier import crop_spectrum
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.row_fft import ROWS
from hrtem_ood.physics.simulation.exit_wave import displace, fast_spectrum
from hrtem_ood.physics.simulation.multislice import antialias_aperture, multislice
from hrtem_ood.physics.simulation.multislice_cpu import FusedMultislice
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import form_factors, slice_atoms, slice_phases

CPU = array_module("cpu")
PLAIN = ArrayModule("gpu", np, scipy.fft)  # takes a GPU's path, with NumPy's arrays
STRICT = ArrayModule(
    "gpu", array_api_strict, array_api_strict.fft
)  # and with arrays that know the standard's calls only
SIDE_A, ENERGY_EV = 16.0, 300e3
WAVELENGTH_A = electron_wavelength_A(ENERGY_EV)
SIMULATION = Simulation(sampling_A=0.1, n_frozen_phonons=1)


@pytest.fixture(scope="module")
def scene():
    """A cadmium selenide cube, off any zone axis and across the cell's edges, on 20 Å of random carbon."""
    rng = np.random.default_rng(0)
    carbon = Atoms("C560", positions=rng.uniform([0, 0, 3], [SIDE_A, SIDE_A, 23], (560, 3)))
    crystal = bulk("CdSe", "wurtzite", a=4.2985, c=7.0152, orthorhombic=True).repeat((3, 2, 2))
    crystal.positions -= crystal.positions.mean(axis=0)
    crystal.rotate(17, "x")
    crystal.rotate(29, "y")
    crystal.positions += [2, 9, 35]
    scene = carbon + crystal
    scene.set_tags([0] * len(carbon) + [1] * len(crystal))
    scene.set_cell([SIDE_A, SIDE_A, 48])
    return displace(scene, 0.1, seed=1)


def frequencies(size):
    """Frequency indices, (k,), and squared frequencies, (ky, kx) [1/Å²]."""
    index = np.fft.fftfreq(size, 1 / size)
    return index, (index[:, None] ** 2 + index**2) / SIDE_A**2


def structure_factor(pixels, size):
    """Σ exp(−2πi k·r) over atoms, term by term, (ky, kx)."""
    index, _ = frequencies(size)
    along_x, along_y = (np.exp(-2j * np.pi / size * np.outer(index, pixels[:, axis])) for axis in (0, 1))
    return along_y @ along_x.T


def explicit_spectrum(slices, size, parametrization="lobato"):
    """Multislice in double precision, with potentials from explicit sums."""
    _, k_squared = frequencies(size)
    known, wave = validate_parametrization(parametrization), np.ones((size, size), complex)
    for each in slices:
        factors = [known.projected_scattering_factor(chemical_symbols[number])(k_squared) for number, _ in each.species]
        terms = [f * structure_factor(pixels, size) for f, (_, pixels) in zip(factors, each.species, strict=True)]
        phase = energy2sigma(ENERGY_EV) * np.fft.ifft2(sum(terms)).real * size**2 / SIDE_A**2
        space = antialias_aperture(size) * np.exp(-1j * np.pi * WAVELENGTH_A * each.distance_A * k_squared)
        wave = np.fft.ifft2(space * np.fft.fft2(wave * np.exp(1j * phase)))
    return np.fft.fft2(wave)


def image(spectrum, defocus_A):
    """Image at a defocus, with a focal spread of 20 Å, on pixels of 0.2 Å."""
    cropped = crop_spectrum(np.asarray(spectrum), (80, 80))
    _, q_squared = frequencies(80)
    lens = np.exp(1j * np.pi * WAVELENGTH_A * defocus_A * q_squared - (np.pi * WAVELENGTH_A * 10 * q_squared) ** 2)
    return np.abs(np.fft.ifft2(lens * cropped)) ** 2


def differences(spectrum, reference):
    """R.m.s. differences of images, in units of their standard deviation, under four conditions."""
    # the particle is 13 Å below the exit plane
    pairs = [(image(spectrum, defocus), image(reference, defocus)) for defocus in (-100, 13, 60, 150)]
    return np.array([np.sqrt(np.mean((ours - theirs) ** 2)) / theirs.std() for ours, theirs in pairs])


@pytest.mark.parametrize("size", [160, 135])
def test_structure_factors_equal_explicit_sums(scene, size):
    """Up to 2/3 of the Nyquist frequency, of every slice and species; what lies above is as right as a grid can tell."""
    index, _ = frequencies(size)
    factors = {number: form_factors(number, size, SIDE_A, ENERGY_EV, "lobato") for number in (6, 34, 48)}
    kept = np.hypot(index[:, None], index) <= size / 3
    half = kept[:, : size // 2 + 1]
    checked = 0
    for each in slice_atoms(scene, 2.0, size):
        for number, pixels in each.species:
            one = type(each)(((number, pixels),), each.distance_A)
            ((phase, _),) = slice_phases([one], factors, size, CPU)
            symbol = chemical_symbols[number]
            projected = validate_parametrization("lobato").projected_scattering_factor(symbol)(frequencies(size)[1])
            found = np.fft.rfft2(phase.astype(float)) / (energy2sigma(ENERGY_EV) / SIDE_A**2 * size**2)
            found = found / projected[:, : size // 2 + 1]
            expected = structure_factor(pixels, size)[:, : size // 2 + 1]
            # relative to the r.m.s. of structure factors of as many atoms: single ones may vanish
            assert np.abs(found - expected)[half].max() < 1e-3 * np.sqrt(len(pixels))
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("size", [160, 135, 96])
def test_the_compiled_form_equals_the_plain_one(scene, size):
    """Fused transforms, NumPy's arrays, and arrays that know nothing but the array API: the same wave."""
    compiled = fast_spectrum(scene, SIMULATION, size, CPU)
    assert compiled.dtype == np.complex64
    for am in (PLAIN, STRICT) if size == 96 else (PLAIN,):
        plain = np.asarray(fast_spectrum(scene, SIMULATION, size, am))
        assert plain.dtype == np.complex64
        np.testing.assert_allclose(np.fft.ifft2(compiled), np.fft.ifft2(plain), atol=5e-5)
    assert np.std(np.fft.ifft2(compiled)) > 0.1


def test_buffers_leave_no_trace(scene):
    """Waves of one workspace, with few atoms after many, and the other way round, equal those of a new one."""
    size = 3 * ROWS + 5
    factors = {number: form_factors(number, size, SIDE_A, ENERGY_EV, "lobato") for number in (6, 34, 48)}
    whole, few = (slice_atoms(atoms, 1.0, size) for atoms in (scene, scene[::50]))
    used = FusedMultislice(size, SIDE_A, WAVELENGTH_A)
    for slices in (few, whole, few, whole):
        new = FusedMultislice(size, SIDE_A, WAVELENGTH_A)
        np.testing.assert_array_equal(used(slices, factors), new(slices, factors))


def test_without_atoms_the_wave_is_the_incident_one(scene):
    for am in (CPU, PLAIN):
        wave = np.fft.ifft2(np.asarray(fast_spectrum(scene[:0], SIMULATION, 64, am)))
        np.testing.assert_allclose(wave, 1, atol=1e-6)


def test_images_are_within_a_percent_of_a_converged_reference(scene):
    """At 0.1 Å, where abTEM's infinite projection is off by several times as much.

    The reference has 0.05 Å sampling, explicit sums and double precision. abTEM's wave is brought to the same plane: its
    atoms act at the entrance of their slices.
    """
    reference = explicit_spectrum(slice_atoms(scene, 1.0, 320), 320)
    ours = differences(fast_spectrum(scene, SIMULATION, 160, CPU), reference)
    with abtem.config.set({"diagnostics.progress_bar": False}):
        potential = abtem.Potential(scene, gpts=160, slice_thickness=1.0)
        theirs = abtem.PlaneWave(energy=ENERGY_EV).multislice(potential, lazy=False).array.T
    half_a_slice = np.exp(1j * np.pi * WAVELENGTH_A * 0.5 * frequencies(160)[1])
    theirs = differences(np.fft.fft2(theirs) * half_a_slice, reference)
    assert (ours < 0.01).all()
    assert (theirs > 2 * ours).all()
    assert 0.015 < np.mean(theirs) < 0.05


def test_atoms_act_where_they_are():
    """An atom's phase is at its depth, to a slice's share: the wave behind is that of a thin object so far away."""
    for depth in (10.5, 17.5):  # middles of slices
        atom = Atoms("Au", positions=[[8, 8, depth]], cell=(SIDE_A, SIDE_A, 30))
        spectrum = fast_spectrum(atom, SIMULATION, 160, CPU).astype(complex)
        factors = {79: form_factors(79, 160, SIDE_A, ENERGY_EV, "lobato")}
        ((phase, _),) = slice_phases(slice_atoms(atom, 1.0, 160), factors, 160, CPU)
        thin = antialias_aperture(160) * np.fft.fft2(np.exp(1j * phase.astype(float)))
        thin *= np.exp(-1j * np.pi * WAVELENGTH_A * (30 - depth) * frequencies(160)[1])
        np.testing.assert_allclose(np.fft.ifft2(spectrum), np.fft.ifft2(thin), atol=1e-5)


def abtem_steps(scene, size, thickness_A):
    """abTEM's own phases, from its own projection of atoms, with band-limited transmission functions."""
    sampling = (SIDE_A / size,) * 2
    integrals = ScatteringFactorProjectionIntegrals("lobato")
    limit = abtem_aperture((size, size), sampling, np)
    number = int(np.ceil(scene.cell[2, 2] / thickness_A))
    thickness = scene.cell[2, 2] / number
    index = (scene.positions[:, 2] / thickness).astype(int)
    wrapped = scene.copy()
    wrapped.wrap()
    for place in range(number):
        projected = integrals.integrate_on_grid(wrapped[index == place], 0, 0, (size, size), sampling).T
        grating = np.exp(1j * energy2sigma(ENERGY_EV) * projected.astype(float))
        yield np.fft.ifft2(limit * np.fft.fft2(grating)), thickness


def test_with_its_potentials_and_slices_it_equals_abtem(scene):
    """The exact mode: abTEM's deposition and band limits, sent through this project's plain algorithm."""
    with abtem.config.set({"diagnostics.progress_bar": False, "precision": "float64"}):
        potential = abtem.Potential(scene, gpts=160, slice_thickness=1.0)
        theirs = abtem.PlaneWave(energy=ENERGY_EV).multislice(potential, lazy=False).array.T
        # a phase that is complex carries the modulus of a band-limited transmission function, too
        steps = ((-1j * np.log(grating), distance_A) for grating, distance_A in abtem_steps(scene, 160, 1.0))
        ours = np.fft.ifft2(multislice(steps, size=160, side_A=SIDE_A, wavelength_A=WAVELENGTH_A, am=CPU))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.std(theirs) > 0.1

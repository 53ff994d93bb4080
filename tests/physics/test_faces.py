"""Cells are not periodic along the beam: atoms on a face, or a little outside, act where they are."""

import abtem
import numpy as np
import pytest
from abtem.core.fft import fft_interpolate
from ase import Atoms
from ase.build import fcc111

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave, fast_spectrum
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.simulated_structure import simulate_structure
from hrtem_ood.physics.simulation.zero_defocus import zero_defocus

CPU = array_module("cpu")
SIDE_A, HEIGHT_A, POINTS = 16.0, 20.0, 80
ENGINES = {
    "builtin": Simulation(sampling_A=0.2, n_frozen_phonons=1),
    "abtem": Simulation(sampling_A=0.2, n_frozen_phonons=1, engine="abtem"),
    "finite": Simulation(sampling_A=0.2, n_frozen_phonons=1, engine="abtem", projection="finite"),
}
WAVELENGTH_A = electron_wavelength_A(300e3)


def layer(z):
    """Nine carbon atoms at one height: a weak object, whose contrast is least in focus."""
    x, y = np.meshgrid([2.0, 6.5, 12.0], [3.0, 7.0, 13.0])
    positions = np.stack([x.ravel(), y.ravel(), np.full(9, z)], axis=1)
    return Atoms("C9", positions=positions, cell=(SIDE_A, SIDE_A, HEIGHT_A), pbc=(1, 1, 0), tags=[1] * 9)


def focus(waves):
    return zero_defocus(
        np.stack(waves), pixel_size_A=SIDE_A / waves[0].shape[-1], wavelength_A=WAVELENGTH_A, height_A=HEIGHT_A, am=CPU
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sigma_A", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("z", [0.0, 1e-9, 10.2, 19.999, 20.0])
def test_zero_defocus_of_a_layer_is_its_depth_below_the_top(engine, sigma_A, z):
    """To a slice: with phonons, half of the atoms of a layer on a face are outside the cell."""
    moved = [displace(layer(z), sigma_A, seed) for seed in range(4)] if sigma_A else [layer(z)]
    found = focus([exit_wave(atoms, ENGINES[engine], CPU) for atoms in moved])
    assert found == pytest.approx(HEIGHT_A - z, abs=1.2)


@pytest.mark.parametrize("engine", ["builtin", "abtem"])
def test_on_the_top_face_is_as_just_below(engine):
    waves = [exit_wave(layer(z), ENGINES[engine], CPU) for z in (19.999, 20.0, 20.0 + 1e-7)]
    np.testing.assert_array_equal(waves[0], waves[1])
    np.testing.assert_array_equal(waves[0], waves[2])


def slab():
    """Gold of four layers with the lowest at z = 0 and the highest at the top of the cell, half of each outside."""
    gold = fcc111("Au", (4, 4, 4), a=4.0, orthogonal=True)
    gold = gold[(gold.positions[:, 0] < 9) & (gold.positions[:, 1] < 9)]
    gold.set_cell([SIDE_A, SIDE_A, np.ptp(gold.positions[:, 2])])
    gold.positions[:, 2] -= gold.positions[:, 2].min()
    return displace(gold, 0.3, seed=2)


def in_a_taller_cell(atoms, thickness_A, slices=12):
    """The same scene with so many empty slices below and above it."""
    taller = atoms.copy()
    taller.positions[:, 2] += slices * thickness_A
    taller.cell[2, 2] += 2 * slices * thickness_A
    return taller


@pytest.mark.parametrize("engine", ENGINES)
def test_a_slab_from_face_to_face_is_as_in_a_taller_cell(engine):
    """By plain abTEM, whose periodicity along the beam does not matter there, back through free space to the top."""
    atoms, simulation = slab(), ENGINES[engine]
    height = atoms.cell[2, 2]
    outside = (atoms.positions[:, 2] < 0).sum(), (atoms.positions[:, 2] > height).sum()
    assert min(outside) >= 2
    thickness = height / np.ceil(height / simulation.slice_thickness_A)
    taller = in_a_taller_cell(atoms, thickness)
    index = np.fft.fftfreq(POINTS, 1 / POINTS) / SIDE_A
    q_squared = index[:, None] ** 2 + index**2
    if engine == "builtin":
        theirs = np.fft.ifft2(np.asarray(fast_spectrum(taller, simulation, POINTS, CPU)))
    else:
        with abtem.config.set({"diagnostics.progress_bar": False}):
            potential = abtem.Potential(
                taller, gpts=POINTS, slice_thickness=thickness * (1 + 1e-9), projection=simulation.projection
            )
            theirs = abtem.PlaneWave(energy=300e3).multislice(potential, lazy=False).array.T
    back = np.exp(1j * np.pi * WAVELENGTH_A * 12 * thickness * q_squared)
    ours = exit_wave(atoms, simulation, CPU)
    theirs = fft_interpolate(np.fft.ifft2(np.fft.fft2(theirs) * back).astype(np.complex64), ours.shape)
    # empty slices repeat the band limit of abTEM's, which below it changes nothing
    kept = np.hypot(*np.meshgrid(*(np.fft.fftfreq(len(ours), 1 / len(ours)),) * 2)) < 0.62 * POINTS / 2
    ours, expected = (np.fft.ifft2(np.fft.fft2(wave) * kept) for wave in (ours, theirs))
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_thick_scene_keeps_its_lowest_layer_at_the_bottom(engine):
    """Of a heavy layer at z = 0 and a light one above, the focus is near that of the heavy one, and not at the other face."""
    scene = layer(0.0) + layer(12.0)
    scene.numbers[:9] = 29
    simulated = simulate_structure(scene, ENGINES[engine], [1, 2], CPU)
    assert simulated.zero_defocus_A == pytest.approx(HEIGHT_A, abs=4)

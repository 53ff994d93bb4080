"""Exit waves against plain abTEM with the same settings."""

import hashlib
import subprocess
import sys

import abtem
import numpy as np
import pytest
from abtem.core.fft import fft_interpolate
from ase import Atoms
from ase.build import bulk

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
from hrtem_ood.physics.simulation.parameters import Simulation

CPU = array_module("cpu")
SIDE_A, POINTS = 20.0, 100


@pytest.fixture(scope="module")
def scene():
    """A gold cube on random carbon; wider along x than along y, so that a mix-up of axes shows."""
    rng = np.random.default_rng(0)
    carbon = Atoms("C120", positions=rng.uniform([0, 0, 5], [SIDE_A, SIDE_A, 11], (120, 3)))
    gold = bulk("Au", "fcc", a=4.08, cubic=True).repeat((3, 2, 2))
    gold.positions += [2.1, 5.3, 12.2]
    scene = carbon + gold
    scene.set_tags([0] * len(carbon) + [1] * len(gold))
    scene.set_cell([SIDE_A, SIDE_A, 26])  # no atom reaches over a face, beyond which abTEM is periodic
    return displace(scene, 0.1, seed=1)


def plain_abtem(atoms, simulation):
    """abTEM's own exit wave, (x, y), all slices equal, with FFTW."""
    with abtem.config.set({"diagnostics.progress_bar": False}):
        potential = abtem.Potential(
            atoms,
            gpts=POINTS,
            slice_thickness=simulation.slice_thickness_A,
            parametrization=simulation.parametrization,
            projection=simulation.projection,
        )
        return abtem.PlaneWave(energy=simulation.energy_eV).multislice(potential, lazy=False).array


SETTINGS = [
    Simulation(engine="abtem", sampling_A=0.2, n_frozen_phonons=1),
    Simulation(
        engine="abtem",
        sampling_A=0.2,
        n_frozen_phonons=1,
        energy_eV=80e3,
        slice_thickness_A=1.3,
        parametrization="kirkland",
    ),
    Simulation(
        engine="abtem", sampling_A=0.2, n_frozen_phonons=1, energy_eV=200e3, slice_thickness_A=2, projection="finite"
    ),
]


@pytest.mark.parametrize("simulation", SETTINGS, ids=["defaults", "kirkland", "finite"])
@pytest.mark.parametrize("part", ["scene", "particles"])
def test_exit_wave_equals_abtem(scene, simulation, part):
    """With the scene, and with the particles alone: skipping their empty slices changes nothing."""
    atoms = scene if part == "scene" else scene[scene.get_tags() >= 1]
    theirs = plain_abtem(atoms, simulation)
    ours = exit_wave(atoms, simulation, CPU)
    assert ours.shape == (70, 70)
    assert ours.dtype == np.complex64
    assert np.std(theirs) > 0.1
    np.testing.assert_allclose(ours, fft_interpolate(theirs, (70, 70)).T, atol=2e-5)


def test_the_stored_band_holds_all_that_the_wave_carries(scene):
    theirs = np.fft.fftshift(np.abs(np.fft.fft2(plain_abtem(scene, SETTINGS[0]))).astype(float) ** 2)
    kept = slice(POINTS // 2 - 35, POINTS // 2 + 35)
    outside = theirs.sum() - theirs[kept, kept].sum()
    assert outside < 1e-10 * theirs.sum()
    # and a narrower one would not do
    assert theirs[POINTS // 2 + 32].sum() > 1e-8 * theirs.sum()


@pytest.mark.slow
def test_wave_is_the_same_in_every_process():
    """To the last bit: counting noise is drawn from it. Here, FFTW has planned by timing before; there, it has not."""
    program = """
import hashlib
from ase.build import bulk
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.array_module import array_module
from hrtem_ood.physics.simulation.exit_wave import exit_wave
gold = bulk("Au", "fcc", a=4.08, cubic=True).repeat(2)
for engine in ("builtin", "abtem"):
    wave = exit_wave(gold, Simulation(sampling_A=8.16 / 64, n_frozen_phonons=1, engine=engine), array_module("cpu"))
    print(hashlib.sha256(wave.tobytes()).hexdigest())
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    gold = bulk("Au", "fcc", a=4.08, cubic=True).repeat(2)
    plain_abtem(gold, SETTINGS[0])
    here = []
    for engine in ("builtin", "abtem"):
        wave = exit_wave(gold, Simulation(sampling_A=8.16 / 64, n_frozen_phonons=1, engine=engine), CPU)
        here.append(hashlib.sha256(wave.tobytes()).hexdigest())
    assert run.stdout.split() == here


@pytest.mark.parametrize("engine", ["builtin", "abtem"])
def test_phase_of_an_atom_is_sigma_times_its_projected_potential(engine):
    """Mean phase = σ V̄, with σ and the mean projected potential from textbook formulae.

    σ = 2π m e λ / h² (Kirkland (2010), Eq. 5.6) is 0.6526 mrad/(V Å) at 300 keV; the mean projected potential of an
    atom in an area A is 47.878 V Å² · f_e(0) / A, where f_e(0) of carbon is 2.51 Å (Doyle & Turner, Acta Cryst. A 24
    (1968) 390).
    """
    carbon = Atoms("C", positions=[[5, 5, 5]], cell=(10, 10, 10))
    wave = exit_wave(carbon, Simulation(sampling_A=0.1, n_frozen_phonons=1, engine=engine), CPU)
    expected = 0.6526e-3 * 47.878 * 2.51 / 100
    assert np.angle(wave).mean() == pytest.approx(expected, rel=0.01)


def test_intensity_is_conserved_but_for_the_band_limit(scene):
    wave = exit_wave(scene, SETTINGS[0], CPU)
    assert 0.97 < (np.abs(wave) ** 2).mean() <= 1

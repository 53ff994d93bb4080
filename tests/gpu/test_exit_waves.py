"""Exit waves on a GPU against those on a CPU: the same physics, to rounding; the same bits whenever it is repeated."""

import numba.cuda
import numpy as np
import pytest
from tests.gpu.objects import SAMPLING_A, configuration, scene
from tests.unit.physics.cupy_stand_in import NAMES

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.simulation.exit_wave import exit_wave
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.simulated_structure import simulate_structure

pytestmark = pytest.mark.gpu

CPU = array_module("cpu")
SIMULATION = Simulation(sampling_A=SAMPLING_A, n_frozen_phonons=1)
LARGEST, RMS = 1e-4, 1e-5
"""Allowed difference of waves, whose incident amplitude is 1: rounding in single precision, over a hundred slices."""


@pytest.fixture(scope="module")
def gpu():
    return array_module("gpu")


def difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Largest and r.m.s. difference."""
    apart = np.abs(one.astype(np.complex128) - other)
    return float(apart.max()), float(np.sqrt(np.mean(apart**2)))


@pytest.mark.parametrize(
    ("size", "species"), [(96, 1), (96, 3), (135, 2), (256, 1), (256, 3), (405, 3), (640, 2), (1280, 3)]
)
def test_waves_are_those_of_the_cpu(gpu, size, species, record_property):
    atoms = configuration(size, species)
    assert len(np.unique(atoms.numbers)) == species
    expected, ours = exit_wave(atoms, SIMULATION, CPU), exit_wave(atoms, SIMULATION, gpu)
    assert ours.dtype == np.complex64
    assert ours.shape == expected.shape
    assert np.std(expected) > 0.05
    largest, rms = difference(ours, expected)
    record_property("largest", largest)
    record_property("rms", rms)
    assert largest <= LARGEST
    assert rms <= RMS


@pytest.mark.parametrize(("size", "species"), [(135, 2), (256, 3), (1280, 3)])
def test_a_wave_is_the_same_whenever_it_is_computed(gpu, size, species):
    atoms = configuration(size, species)
    first = exit_wave(atoms, SIMULATION, gpu)
    exit_wave(configuration(96, 1), SIMULATION, gpu)  # another wave in between leaves no trace
    for _ in range(3):
        np.testing.assert_array_equal(exit_wave(atoms, SIMULATION, gpu), first)


def test_without_atoms_the_wave_is_the_incident_one(gpu):
    np.testing.assert_allclose(exit_wave(scene(96, 1)[:0], SIMULATION, gpu), 1, atol=1e-6)


@pytest.mark.parametrize(("size", "species"), [(256, 1), (400, 3), (640, 2)])
def test_a_structure_has_the_same_phase_and_zero_defocus(gpu, size, species):
    simulation = SIMULATION.model_copy(update={"n_frozen_phonons": 2})
    expected, ours = (simulate_structure(scene(size, species), simulation, [1, 2], am) for am in (CPU, gpu))
    assert difference(ours.exit_wave, expected.exit_wave)[0] <= LARGEST
    turned = np.exp(1j * ours.particle_phase.astype(float)) - np.exp(1j * expected.particle_phase.astype(float))
    # the phase of a mean that nearly vanishes is not defined
    assert np.mean(np.abs(turned) > 1e-3) < 1e-4
    assert abs(ours.zero_defocus_A - expected.zero_defocus_A) <= 0.1


@pytest.mark.parametrize("projection", ["infinite", "finite"])
def test_abtem_gives_the_same_wave_on_both(gpu, projection):
    simulation = SIMULATION.model_copy(update={"engine": "abtem", "projection": projection})
    if projection == "finite" and not numba.cuda.is_available():
        pytest.skip("abTEM's finite projection on a GPU is a kernel of Numba's, which finds no CUDA here")
    if projection == "finite" and not hasattr(np, "row_stack"):
        pytest.skip("abTEM's finite projection on a GPU calls numpy.row_stack, which NumPy 2.5 lacks")
    atoms = configuration(256, 3)
    expected, ours = exit_wave(atoms, simulation, CPU), exit_wave(atoms, simulation, gpu)
    assert np.std(expected) > 0.05
    assert difference(ours, expected)[0] <= LARGEST


def test_the_stand_in_has_no_name_that_cupy_lacks(gpu):
    """Tests without a GPU trust this list of names."""
    from cupyx.scipy import fft

    modules = {"cupy": gpu.xp, "cupy.ndarray": gpu.xp.ndarray, "cupy.fft": gpu.xp.fft, "cupyx.scipy.fft": fft}
    for name, module in modules.items():
        assert set(NAMES[name]) <= set(dir(module)), name


def test_memory_does_not_grow(gpu):
    """From the second structure on, CuPy's pool holds what it needs: at most 1 GiB for waves of 1280² points."""
    pool = gpu.xp.get_default_memory_pool()
    gpu.xp.fft.config.get_plan_cache().clear()
    pool.free_all_blocks()
    simulation = SIMULATION.model_copy(update={"n_frozen_phonons": 2})
    held = []
    for seed in range(5):
        simulate_structure(scene(1280, 3), simulation, [2 * seed, 2 * seed + 1], gpu)
        held.append(pool.total_bytes())
    assert held[-1] <= 2**30
    # slices of other configurations hold a few atoms more
    assert max(held[2:]) <= 1.02 * held[1]

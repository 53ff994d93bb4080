"""Simulation of one structure: exit waves, phase of the particles, zero defocus."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.exit_wave import begin_exit_wave, begin_exit_waves, computes_together, displace
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.zero_defocus import zero_defocus


@dataclass(frozen=True)
class SimulatedStructure:
    """Results of the multislice for one structure.

    Attributes
    ----------
    exit_wave : complex64 array, (phonon, y, x), [1]
        Of the whole scene.
    particle_phase : float32 array, (y, x), [rad]
        Phase of the phonon-mean exit wave of the particles alone in vacuum.
    zero_defocus_A : float, [Å]
        Defocus of minimum contrast of the particles alone in vacuum.
    """

    exit_wave: np.ndarray
    particle_phase: np.ndarray
    zero_defocus_A: float


def simulate_structure(scene: Atoms, simulation: Simulation, seeds: list[int], am: ArrayModule) -> SimulatedStructure:
    """Simulate one structure.

    Parameters
    ----------
    scene : ase.Atoms
        Tags: 0 for the substrate, 1 and more for particles. The beam travels along +z.
    simulation : Simulation
    seeds : list of int
        One per frozen-phonon configuration.
    am : ArrayModule

    Returns
    -------
    SimulatedStructure
    """
    return simulate_configurations(displaced(scene, simulation, seeds), simulation, am)


def displaced(scene: Atoms, simulation: Simulation, seeds: list[int]) -> list[Atoms]:
    """Return the frozen-phonon configurations of a scene, one per seed."""
    return [displace(scene, simulation.phonon_sigma_A, seed) for seed in seeds]


def simulate_configurations(configurations: list[Atoms], simulation: Simulation, am: ArrayModule) -> SimulatedStructure:
    """Simulate one structure, given its frozen-phonon configurations; see :func:`simulate_structure`."""
    # The particles alone have the same thermal displacements, in the same cell.
    particles = [atoms[atoms.arrays["tags"] >= 1] for atoms in configurations]
    film = len(particles[0]) < len(configurations[0])  # without a substrate, the particles are the whole scene
    whole = None
    if film and computes_together(simulation, am):
        whole, waves = both_exit_waves(configurations, simulation, am)
    else:
        waves = exit_waves(particles, simulation, am)
    cell = configurations[0].cell.lengths()
    defocus_A = zero_defocus(
        waves,
        pixel_size_A=cell[0] / waves.shape[-1],
        wavelength_A=electron_wavelength_A(simulation.energy_eV),
        height_A=cell[2],
        am=am,
    )
    phase = np.angle(waves.mean(axis=0)).astype(np.float32)
    if whole is not None:
        return SimulatedStructure(whole, phase, defocus_A)
    if film:
        exit_waves(configurations, simulation, am, waves)
    return SimulatedStructure(waves, phase, defocus_A)


def both_exit_waves(
    configurations: list[Atoms], simulation: Simulation, am: ArrayModule
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the exit waves of some configurations and of their particles alone, as :func:`exit_waves` does.

    Returns
    -------
    whole, particles : complex64 arrays, (phonon, y, x), [1]
    """
    waves: list[list[np.ndarray]] = []
    pending: list[tuple[Callable[[], np.ndarray], ...]] = []
    for place in range(len(configurations) + 1):
        if place < len(configurations):
            pending.append(begin_exit_waves(configurations[place], simulation, am))
        if place:
            waves.append([wait() for wait in pending.pop(0)])
    whole, particles = (np.stack(each) for each in zip(*waves, strict=True))
    return whole, particles


def exit_waves(
    configurations: list[Atoms], simulation: Simulation, am: ArrayModule, waves: np.ndarray | None = None
) -> np.ndarray:
    """Compute the exit waves of some configurations; the host prepares each while a GPU is busy with the one before.

    Parameters
    ----------
    configurations : list of ase.Atoms
    simulation : Simulation
    am : ArrayModule
    waves : complex64 array, (phonon, y, x), [1], optional
        Where to put them.

    Returns
    -------
    complex64 array, (phonon, y, x), [1]
    """
    pending: list[Callable[[], np.ndarray]] = []
    for place in range(len(configurations) + 1):
        if place < len(configurations):
            pending.append(begin_exit_wave(configurations[place], simulation, am))
        if place:
            wave = pending.pop(0)()
            if waves is None:
                waves = np.empty((len(configurations), *wave.shape), np.complex64)
            waves[place - 1] = wave
    assert waves is not None
    return waves

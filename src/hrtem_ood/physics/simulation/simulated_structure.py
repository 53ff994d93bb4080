"""Simulation of one structure: exit waves, phase of the particles, zero defocus."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
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
    configurations = [displace(scene, simulation.phonon_sigma_A, seed) for seed in seeds]
    # The particles alone have the same thermal displacements, in the same cell.
    particles = [atoms[atoms.arrays["tags"] >= 1] for atoms in configurations]
    waves = np.stack([exit_wave(atoms, simulation, am) for atoms in particles])
    cell = scene.cell.lengths()
    defocus_A = zero_defocus(
        waves,
        pixel_size_A=cell[0] / waves.shape[-1],
        wavelength_A=electron_wavelength_A(simulation.energy_eV),
        height_A=cell[2],
        am=am,
    )
    phase = np.angle(waves.mean(axis=0)).astype(np.float32)
    if len(particles[0]) < len(scene):  # without a substrate, the particles are the whole scene
        for place, atoms in enumerate(configurations):
            waves[place] = exit_wave(atoms, simulation, am)
    return SimulatedStructure(waves, phase, defocus_A)

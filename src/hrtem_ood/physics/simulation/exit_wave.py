"""Exit waves of scenes: frozen phonons, the choice of engine, and the band that is stored."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import abtem
import numpy as np
from ase import Atoms

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.fourier import band_limited_size, crop_spectrum
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.abtem_engine import abtem_spectrum
from hrtem_ood.physics.simulation.multislice import multislice
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import form_factors, slice_atoms, slice_phases
from hrtem_ood.physics.transfers import downloading

if TYPE_CHECKING:
    from hrtem_ood.physics.simulation.multislice_cpu import FusedMultislice
    from hrtem_ood.physics.simulation.multislice_gpu import GpuMultislice


def grid_size(cell_A: float, sampling_A: float) -> int:
    """Grid points along a side of the cell.

    Raises
    ------
    ConfigError
        Where the sampling does not divide the cell.
    """
    size = round(cell_A / sampling_A)
    if abs(size * sampling_A - cell_A) > 1e-4 * sampling_A:
        raise ConfigError(
            f"simulation.sampling_A: {sampling_A:g} Å does not divide the cell of {cell_A:g} Å; "
            f"{cell_A / size:.6g} Å would."
        )
    return size


def displace(atoms: Atoms, sigma_A: float, seed: int) -> Atoms:
    """Displace all atoms of a scene thermally.

    Parameters
    ----------
    atoms : ase.Atoms
    sigma_A : float, [Å]
        Standard deviation of the displacement along each axis.
    seed : int

    Returns
    -------
    ase.Atoms
        A frozen-phonon configuration (Einstein model: independent atoms).
    """
    return abtem.FrozenPhonons(atoms, num_configs=1, sigmas=sigma_A, seed=seed).randomize(atoms)


def exit_wave(atoms: Atoms, simulation: Simulation, am: ArrayModule) -> np.ndarray:
    """Compute the exit wave of one configuration of atoms, for a plane incident wave of amplitude 1.

    Waves are limited by an aperture that falls to zero at 2/3 of the Nyquist frequency (a cosine over the last 3 %), after
    the last slice too. The returned grid holds that whole band.

    Parameters
    ----------
    atoms : ase.Atoms
        In a cell that is square along x and y, and periodic across the beam; atoms a little outside it along the beam,
        by thermal displacements, act at their positions.
    simulation : Simulation
    am : ArrayModule

    Returns
    -------
    complex64 array, (y, x), [1]
        Wave at the top of the cell, on 2/3 of the grid, rounded up to a size that transforms fast.
    """
    return begin_exit_wave(atoms, simulation, am)()


def begin_exit_wave(atoms: Atoms, simulation: Simulation, am: ArrayModule) -> Callable[[], np.ndarray]:
    """Begin with an exit wave: a GPU goes on with it while the host prepares the next.

    Parameters
    ----------
    atoms, simulation, am
        As of :func:`exit_wave`.

    Returns
    -------
    callable
        Waits for the wave and returns it.
    """
    size = _points(atoms, simulation)
    spectrum = (fast_spectrum if simulation.engine == "builtin" else abtem_spectrum)(atoms, simulation, size, am)
    return _begin_download(spectrum, am)


def computes_together(simulation: Simulation, am: ArrayModule) -> bool:
    """Whether :func:`begin_exit_waves` can be used."""
    return simulation.engine == "builtin" and am.name == "gpu" and am.compiles


def begin_exit_waves(
    atoms: Atoms, simulation: Simulation, am: ArrayModule
) -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """Begin with the exit waves of a scene and of its particles alone, which share potentials.

    Parameters
    ----------
    atoms : ase.Atoms
        Tags: 0 for the substrate, 1 and more for particles.
    simulation, am
        As of :func:`exit_wave`; see :func:`computes_together`.

    Returns
    -------
    whole, particles : callable
        Each waits for its wave and returns it.
    """
    from hrtem_ood.physics.simulation.multislice_gpu import FILM

    size = _points(atoms, simulation)
    kinds = atoms.numbers + FILM * (atoms.arrays["tags"] < 1)
    slices = slice_atoms(atoms, simulation.slice_thickness_A, size, kinds)
    side_A = float(atoms.cell.lengths()[0])
    compute = _on_gpu(size, side_A, simulation.energy_eV, simulation.parametrization, am)
    whole, particles = (_begin_download(each, am) for each in compute.with_particles(slices))
    return whole, particles


def _points(atoms: Atoms, simulation: Simulation) -> int:
    width, depth = atoms.cell.lengths()[:2]
    assert width == depth, "scenes have square cells"
    return grid_size(width, simulation.sampling_A)


def _begin_download(spectrum: Array, am: ArrayModule) -> Callable[[], np.ndarray]:
    """Begin to bring the band of a spectrum that is kept to the host, as a wave."""
    band_size = band_limited_size(spectrum.shape[-1])
    wave = am.fft.ifft2(crop_spectrum(spectrum, (band_size, band_size), am.xp))
    if wave.dtype != np.complex64:
        wave = wave.astype(np.complex64)
    return downloading(wave, am)


def fast_spectrum(atoms: Atoms, simulation: Simulation, size: int, am: ArrayModule) -> Array:
    """Compute the exit wave of one configuration of atoms by this project's multislice.

    Parameters
    ----------
    atoms, simulation, size, am
        As of :func:`~hrtem_ood.physics.simulation.abtem_engine.abtem_spectrum`.

    Returns
    -------
    complex64 array, (qy, qx), [1]
        Spectrum of the wave at the top of the cell, not shifted, not normalised.
    """
    side_A, wavelength_A = float(atoms.cell.lengths()[0]), electron_wavelength_A(simulation.energy_eV)
    slices = slice_atoms(atoms, simulation.slice_thickness_A, size)
    if am.name == "gpu" and am.compiles:
        return _on_gpu(size, side_A, simulation.energy_eV, simulation.parametrization, am)(slices)
    factors = {
        int(number): form_factors(int(number), size, side_A, simulation.energy_eV, simulation.parametrization)
        for number in np.unique(atoms.numbers)
    }
    if am.name == "cpu":
        return _fused(size, side_A, wavelength_A)(slices, factors)
    on_device = {number: am.xp.asarray(factor) for number, factor in factors.items()}
    steps = slice_phases(slices, on_device, size, am)
    return multislice(steps, size=size, side_A=side_A, wavelength_A=wavelength_A, am=am)


@lru_cache(maxsize=1)
def _fused(size: int, side_A: float, wavelength_A: float) -> "FusedMultislice":
    # imported here: a GPU needs neither FFTW nor compiled loops
    from hrtem_ood.physics.simulation.multislice_cpu import FusedMultislice

    return FusedMultislice(size, side_A, wavelength_A)


@lru_cache(maxsize=1)
def _on_gpu(size: int, side_A: float, energy_eV: float, parametrization: str, am: ArrayModule) -> "GpuMultislice":
    from hrtem_ood.physics.simulation.multislice_gpu import GpuMultislice

    return GpuMultislice(size, side_A, energy_eV, parametrization, am)

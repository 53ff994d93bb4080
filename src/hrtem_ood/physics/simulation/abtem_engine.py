"""Exit waves by abTEM's multislice: the engine for finite projections, and the reference in tests of the built-in engine."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import abtem
import abtem.core.fft
import numpy as np
import scipy.fft
from abtem.integrals import QuadratureProjectionIntegrals
from ase import Atoms
from ase.data import chemical_symbols

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.multislice import propagator
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import FACE_A, slice_indices

ENGINE = {
    # Everything in abTEM's configuration that changes numbers, so that a user's abtem.yaml has no effect.
    "precision": "float32",
    "antialias.cutoff": 2 / 3,
    "antialias.taper": 0.01,
    "fft": "mkl",  # see _scipy_fft
    "dask.lazy": False,
    "diagnostics.progress_bar": False,
}


def _scipy_fft(x: np.ndarray, func_name: str, overwrite_x: bool, **kwargs: Any) -> np.ndarray:
    return getattr(scipy.fft, func_name)(x, overwrite_x=overwrite_x, **kwargs)  # type: ignore[no-any-return]


@contextmanager
def abtem_settings(am: ArrayModule) -> Iterator[None]:
    """Configure abTEM inside the block: eager, single precision, quiet, on the given device.

    On a CPU its FFTs are SciPy's, in place of MKL's. FFTW plans by timing, so that the same wave differs in its last
    digits from one run to the next, and Poisson noise drawn from it sometimes differs completely. It also spends a second
    on planning in every process, and without timing it is five times slower. NumPy's FFT, abTEM's only other choice, is
    several times slower than SciPy's.
    """
    original = abtem.core.fft._mkl_fft_dispatch
    abtem.core.fft._mkl_fft_dispatch = _scipy_fft
    try:
        with abtem.config.set(ENGINE | {"device": am.name}):
            yield
    finally:
        abtem.core.fft._mkl_fft_dispatch = original


@dataclass(frozen=True)
class Column:
    """A scene in a cell that contains it completely along the beam, cut into slices for abTEM.

    Attributes
    ----------
    atoms : ase.Atoms
    thicknesses_A : tuple of float, [Å]
        Of the slices, from the entrance to the top.
    above_A : float, [Å]
        Height by which the top of the cell exceeds that of the scene's cell.
    """

    atoms: Atoms
    thicknesses_A: tuple[float, ...]
    above_A: float


def column(atoms: Atoms, simulation: Simulation) -> Column:
    """Add slices below and above a scene's cell for atoms outside it, and merge empty slices before the first atom.

    abTEM treats cells as periodic along the beam: it moves atoms outside to the other face, and likewise the part of a
    finite projection that reaches beyond a face. The added slices do not shift those of the cell.
    A plane wave crosses empty slices unchanged, whatever their thickness: one thick slice in place of many gives the same
    wave for less work.

    Parameters
    ----------
    atoms : ase.Atoms
        The beam enters at z = 0 and travels along +z.
    simulation : Simulation

    Returns
    -------
    Column
    """
    index, number, thickness = slice_indices(atoms, simulation.slice_thickness_A)
    first, last = (int(index.min()), int(index.max())) if len(atoms) else (number, number - 1)
    reach = math.ceil(_reach_A(atoms, simulation) / thickness)
    below, above = max(0, reach - first), max(0, last + reach + 1 - number)
    empty = max(0, first - reach)
    top = (below + number + above) * thickness
    placed = atoms.copy()  # type: ignore[no-untyped-call]  # ASE's
    placed.positions[:, 2] += below * thickness
    # abTEM moves atoms on the top face to the bottom
    placed.positions[:, 2] = np.clip(placed.positions[:, 2], 0, top - FACE_A)
    placed.cell[2, 2] = top
    slices = ((empty * thickness,) if empty else ()) + (thickness,) * (below + number + above - empty)
    return Column(placed, slices, above * thickness)


def _reach_A(atoms: Atoms, simulation: Simulation) -> float:
    """Range of an atom's potential from its nucleus, along the beam [Å]."""
    if simulation.projection == "infinite" or not len(atoms):
        return 0.0
    integrals = QuadratureProjectionIntegrals(parametrization=simulation.parametrization)
    return max(integrals.cutoff(chemical_symbols[number]) for number in np.unique(atoms.numbers))


def abtem_spectrum(atoms: Atoms, simulation: Simulation, size: int, am: ArrayModule) -> Array:
    """Compute the exit wave of one configuration of atoms by abTEM.

    Parameters
    ----------
    atoms : ase.Atoms
        In a cell that is square along x and y, and periodic across the beam.
    simulation : Simulation
    size : int
        Grid points along x and y.
    am : ArrayModule
        Device of abTEM.

    Returns
    -------
    complex64 array, (qy, qx), [1]
        Spectrum of the wave at the top of the cell, not shifted, not normalised. abTEM lets atoms act at the entrance of
        their slice.
    """
    padded = column(atoms, simulation)
    with abtem_settings(am):
        potential = abtem.Potential(
            padded.atoms,
            gpts=size,
            slice_thickness=padded.thicknesses_A,
            parametrization=simulation.parametrization,
            projection=simulation.projection,
            device=am.name,
        )
        incident = abtem.PlaneWave(energy=simulation.energy_eV, device=am.name)
        wave = cast("abtem.Waves", incident.multislice(potential, lazy=False))
    spectrum = am.fft.fft2(am.xp.asarray(wave.array).T)  # abTEM's axes are (x, y)
    if not padded.above_A:
        return spectrum
    wavelength_A, side_A = electron_wavelength_A(simulation.energy_eV), float(atoms.cell.lengths()[0])
    return spectrum * am.xp.asarray(propagator(size, side_A, wavelength_A, -padded.above_A))

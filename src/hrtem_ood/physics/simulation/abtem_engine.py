"""Exit waves by abTEM's multislice: the engine that knows finite projections, and that ours is tested against."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import abtem
import abtem.core.fft
import numpy as np
import scipy.fft
from ase import Atoms

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.simulation.parameters import Simulation

ENGINE = {
    # Everything in abTEM's configuration that changes numbers, so that a user's own abtem.yaml does not.
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

    On a CPU its FFTs go to SciPy, in the place of MKL's. FFTW plans by timing, so that the same wave differs in its
    last digits from one run to the next, and Poisson noise drawn from it then now and then differs altogether; it
    spends a second on planning in every process; and planned without timing it is five times slower. NumPy's FFT is
    the only other choice that abTEM has, and several times slower than SciPy's.
    """
    original = abtem.core.fft._mkl_fft_dispatch
    abtem.core.fft._mkl_fft_dispatch = _scipy_fft
    try:
        with abtem.config.set(ENGINE | {"device": am.name}):
            yield
    finally:
        abtem.core.fft._mkl_fft_dispatch = original


def slice_thicknesses(atoms: Atoms, simulation: Simulation) -> tuple[float, ...]:
    """Slice thicknesses of a scene, with the empty slices before the first atom made one.

    A plane wave crosses empty slices unchanged, whatever their thickness: one thick slice in place of many gives the
    same wave for less work. The others are as thick as without this, and where they were.

    Parameters
    ----------
    atoms : ase.Atoms
        The beam enters at z = 0 and travels along +z.
    simulation : Simulation

    Returns
    -------
    tuple of float, [Å]
    """
    height = float(atoms.cell.lengths()[2])
    number = math.ceil(height / simulation.slice_thickness_A)
    thickness = height / number
    # A finite projection spreads an atom over neighbouring slices, and, as the cell is periodic, over its top.
    if simulation.projection == "finite" or not len(atoms):
        return (thickness,) * number
    lowest = float((atoms.positions[:, 2] % height).min())
    empty = int(lowest / thickness - 1e-6)
    return ((empty * thickness,) if empty else ()) + (thickness,) * (number - empty)


def abtem_spectrum(atoms: Atoms, simulation: Simulation, size: int, am: ArrayModule) -> Array:
    """Compute the exit wave of one configuration of atoms by abTEM.

    Parameters
    ----------
    atoms : ase.Atoms
        In a cell that is square along x and y, and periodic.
    simulation : Simulation
    size : int
        Grid points along x and y.
    am : ArrayModule
        Where abTEM works. It has never run on a GPU.

    Returns
    -------
    complex64 array, (qy, qx), [1]
        Spectrum of the wave at the top of the cell, not shifted, not normalised. abTEM lets atoms act at the entrance of
        their slice.
    """
    with abtem_settings(am):
        potential = abtem.Potential(
            atoms,
            gpts=size,
            slice_thickness=slice_thicknesses(atoms, simulation),
            parametrization=simulation.parametrization,
            projection=simulation.projection,
            device=am.name,
        )
        incident = abtem.PlaneWave(energy=simulation.energy_eV, device=am.name)
        wave = cast("abtem.Waves", incident.multislice(potential, lazy=False))
    return am.fft.fft2(am.xp.asarray(wave.array).T)  # abTEM's axes are (x, y)

"""Exit waves by abTEM's multislice: frozen phonons, empty slices skipped, stored on the band that they carry."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import abtem
import abtem.core.fft
import numpy as np
import scipy.fft
from ase import Atoms

from hrtem_ood.campaign.config import Simulation
from hrtem_ood.device import ArrayModule
from hrtem_ood.errors import ConfigError
from hrtem_ood.optics.fourier import band_limited_size, crop_spectrum

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
def engine(am: ArrayModule) -> Iterator[None]:
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
        A frozen-phonon configuration (Einstein model: each atom on its own).
    """
    return abtem.FrozenPhonons(atoms, num_configs=1, sigmas=sigma_A, seed=seed).randomize(atoms)


def slices(atoms: Atoms, simulation: Simulation) -> tuple[float, ...]:
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


def exit_wave(atoms: Atoms, simulation: Simulation, am: ArrayModule) -> np.ndarray:
    """Compute the exit wave of one configuration of atoms, for a plane incident wave of amplitude 1.

    abTEM multiplies waves by an aperture that falls to zero at 2/3 of the Nyquist frequency (a cosine over the last
    3 %), after the last slice too. The grid that is returned holds that band: nothing that the wave carries is lost.

    Parameters
    ----------
    atoms : ase.Atoms
        In an orthorhombic cell, periodic along x and y.
    simulation : Simulation
    am : ArrayModule
        Where abTEM works. It has never run on a GPU.

    Returns
    -------
    complex64 array, (y, x), [1]
        Wave at the top of the cell, on 2/3 of the grid, rounded up to a size that transforms fast.
    """
    width, depth = atoms.cell.lengths()[:2]
    assert width == depth, "scenes have square cells"
    size = grid_size(width, simulation.sampling_A)
    with engine(am):
        potential = abtem.Potential(
            atoms,
            gpts=size,
            slice_thickness=slices(atoms, simulation),
            parametrization=simulation.parametrization,
            projection=simulation.projection,
            device=am.name,
        )
        incident = abtem.PlaneWave(energy=simulation.energy_eV, device=am.name)
        wave = cast("abtem.Waves", incident.multislice(potential, lazy=False))
    array = am.xp.asarray(wave.array).T  # abTEM's axes are (x, y)
    kept = band_limited_size(size)
    spectrum = crop_spectrum(am.fft.fft2(array), (kept, kept), am.xp)
    return am.to_numpy(am.fft.ifft2(spectrum)).astype(np.complex64)

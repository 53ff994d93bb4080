"""Fourier grids of waves and images: frequencies, and the change of sampling by cropping the spectrum."""

from collections.abc import Iterator
from concurrent.futures import Executor
from types import ModuleType
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.fft

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.transfers import IN_TURN, uploaded


def band_limited_size(size: int) -> int:
    """Even number of grid points that holds two thirds of a grid's band, and transforms fast.

    A multislice wave carries frequencies below 2/3 of the Nyquist frequency, i.e. less than ``size / 3`` cycles per
    cell (Kirkland (2010), Ch. 6): 2 ⌈size/3⌉ points hold them all and leave their own Nyquist frequency empty. They
    are rounded up to a product of factors of up to 11, which halves the time of every transform for a few per cent of
    space.

    Parameters
    ----------
    size : int
        Grid points of the simulation along one side.

    Returns
    -------
    int

    Examples
    --------
    >>> band_limited_size(256)  # rather than 172 = 4 · 43
    176
    """
    return 2 * scipy.fft.next_fast_len(-(-size // 3))


def crop_spectrum(spectrum: Array, shape: tuple[int, int], xp: ModuleType = np) -> Array:
    """Crop a spectrum to the frequencies of a coarser grid over the same cell.

    Values keep their meaning: the inverse transform of the result samples the same wave, low-passed, on the coarser
    grid. Where a side shrinks to an even number, its Nyquist frequency is set to zero: it stands for both +q and −q,
    which a wave carries with different amplitudes.

    Parameters
    ----------
    spectrum : complex array, (…, y, x), [1]
        Unshifted discrete Fourier transform, not normalised (``fft2`` with its default ``norm``).
    shape : tuple of int
        Rows and columns of the coarser grid, none larger than the spectrum's.
    xp : module
        The array's module, NumPy or CuPy.

    Returns
    -------
    complex array, (…, *shape), [1]
    """
    before = spectrum.shape[-2:]
    if any(new > old or new < 1 for new, old in zip(shape, before, strict=True)):
        raise ValueError(f"cannot crop a spectrum of {before} points to {shape}")
    result = xp.zeros((*spectrum.shape[:-2], *shape), dtype=spectrum.dtype)
    (rows, columns) = (_kept(new, old) for new, old in zip(shape, before, strict=True))
    for row in rows:
        for column in columns:
            result[..., row, column] = spectrum[..., row, column]
    result *= shape[0] * shape[1] / (before[0] * before[1])
    return result


def _kept(new: int, old: int) -> tuple[slice, ...]:
    """Return slices of the frequencies that both grids have, from either end, without the Nyquist frequency."""
    if new == old:
        return (slice(None),)
    positive, negative = (new + 1) // 2, (new - 1) // 2
    return (slice(0, positive), *([slice(-negative, None)] if negative else []))


@runtime_checkable
class Planes(Protocol):
    """Planes of a file, which are read one by one into the caller's array."""

    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def read_plane(self, place: int, out: np.ndarray) -> None:
        """Read one plane into ``out``, (y, x)."""


def cropped_spectra(waves: "Array | Planes", size: int, am: ArrayModule, workers: Executor = IN_TURN) -> Array:
    """Fourier transforms of waves on a coarser, square grid of even side over the same cell.

    One wave at a time, in one place: all at once they leave a processor's cache.

    Parameters
    ----------
    waves : complex64 array or Planes, (phonon, y, x), [1]
        On the host.
    size : int, [px]
    am : ArrayModule
    workers : Executor
        Read the waves on their way to a GPU.

    Returns
    -------
    complex64 array, (phonon, size, size), [1]
        As :func:`crop_spectrum` gives them.
    """

    def read(place: int, out: np.ndarray) -> None:
        if isinstance(waves, Planes):
            waves.read_plane(place, out)
        else:
            out[...] = waves[place]

    def on_host() -> Iterator[np.ndarray]:
        wave = np.empty(waves.shape[1:], np.complex64)
        for place in range(len(waves)):
            read(place, wave)
            yield wave

    result = am.xp.empty((len(waves), size, size), np.complex64)
    planes = on_host() if am.name == "cpu" else uploaded(read, len(waves), waves.shape[1:], am, workers)
    for place, wave in enumerate(planes):
        result[place] = crop_spectrum(am.fft.fft2(wave, overwrite_x=True), (size, size), am.xp)
    return result


def pad_spectrum(spectrum: Array, size: int, xp: ModuleType = np) -> Array:
    """Extend a square spectrum by zeros to a finer grid over the same cell: the opposite of :func:`crop_spectrum`.

    Parameters
    ----------
    spectrum : complex array, (…, y, x), [1]
        Of even sides. Its value at the Nyquist frequency, which stands for both +q and −q, is left out.
    size : int
        Points along each side of the finer grid.
    xp : module
        The array's module, NumPy or CuPy.

    Returns
    -------
    complex array, (…, size, size), [1]
    """
    before = spectrum.shape[-1]
    half = before // 2
    result = xp.zeros((*spectrum.shape[:-2], size, size), dtype=spectrum.dtype)
    for rows in (slice(0, half), slice(-half + 1, None)):
        for columns in (slice(0, half), slice(-half + 1, None)):
            result[..., rows, columns] = spectrum[..., rows, columns]
    result *= (size / before) ** 2
    return result


def polar_frequencies(shape: tuple[int, int], pixel_size_A: float, xp: ModuleType = np) -> tuple[Array, Array]:
    """Spatial frequencies of an unshifted Fourier grid, in polar coordinates and double precision.

    Parameters
    ----------
    shape : tuple of int
        Rows (y) and columns (x).
    pixel_size_A : float, [Å]
    xp : module
        NumPy or CuPy.

    Returns
    -------
    q_per_A : float64 array, (y, x), [1/Å]
    azimuth_rad : float64 array, (y, x), [rad]
        arctan2(q_y, q_x).
    """
    q_y = xp.fft.fftfreq(shape[0], pixel_size_A)[:, None]
    q_x = xp.fft.fftfreq(shape[1], pixel_size_A)[None, :]
    return xp.hypot(q_x, q_y), xp.arctan2(q_y, q_x)

"""The multislice algorithm in its plain form, for any array module: NumPy, CuPy, or another that follows the array API."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array

CUTOFF, TAPER = 2 / 3, 0.02
"""Band limit in units of the Nyquist frequency, and the width of the cosine below it: abTEM's."""


def band_limit_index(size: int) -> int:
    """Highest frequency index along an axis within the band limit."""
    return int(np.ceil(size * CUTOFF / 2 - 1e-9)) - 1


def propagator(size: int, side_A: float, wavelength_A: float, distance_A: float) -> NDArray[np.complex64]:
    """Free space with the band limit: a(q) exp(−iπ λ z q²) (Kirkland (2010), Eq. 6.65).

    Parameters
    ----------
    size : int
        Grid points along x and y.
    side_A, wavelength_A, distance_A : float, [Å]

    Returns
    -------
    complex64 array, (qy, qx), [1]
        a(q) is 1 up to 0.97 of the cut-off, 2/3 of the Nyquist frequency, 0 from there on, with a cosine between.
    """
    index = np.fft.fftfreq(size, 1 / size)
    free = np.exp(-1j * np.pi * wavelength_A * distance_A * (index / side_A) ** 2)
    limited: NDArray[np.complex64] = (antialias_aperture(size) * free[:, None] * free).astype(np.complex64)
    return limited


@lru_cache(maxsize=1)
def antialias_aperture(size: int) -> NDArray[np.float64]:
    """Band limit a(q), (qy, qx)."""
    index = np.fft.fftfreq(size, 1 / size) / (size / 2)
    nyquists = np.hypot(index[:, None], index)
    edge = (nyquists - CUTOFF + TAPER) / TAPER
    return np.where(nyquists < CUTOFF, np.where(edge > 0, (1 + np.cos(np.pi * edge)) / 2, 1.0), 0.0)


def multislice(
    steps: Iterable[tuple[Array, float]], *, size: int, side_A: float, wavelength_A: float, am: ArrayModule
) -> Array:
    """Send a plane wave through phase gratings and the space behind each.

    Parameters
    ----------
    steps : iterable of (float32 array (y, x), [rad]; float, [Å])
        Phase of each grating, and the distance behind it.
    size : int
    side_A, wavelength_A : float, [Å]
    am : ArrayModule

    Returns
    -------
    complex64 array, (qy, qx), [1]
        Spectrum of the exit wave, not shifted, not normalised.
    """
    xp = am.xp
    wave, spectrum, last = xp.ones((size, size), dtype=xp.complex64), None, None
    for phase, distance_A in steps:
        if spectrum is not None:
            wave = am.fft.ifftn(spectrum, axes=(0, 1))
        if distance_A != last:
            space, last = xp.asarray(propagator(size, side_A, wavelength_A, distance_A)), distance_A
        spectrum = am.fft.fftn(wave * xp.exp(1j * xp.asarray(phase, dtype=xp.complex64)), axes=(0, 1)) * space
    return am.fft.fftn(wave, axes=(0, 1)) if spectrum is None else spectrum

"""From exit waves to detected images: intensity, and electron counts."""

import numpy as np

from hrtem_ood.device import ArrayModule
from hrtem_ood.optics.aberrations import Array

COUNTS = (np.uint8, np.uint16, np.uint32)


def image_intensity(spectra: Array, transfer: Array, am: ArrayModule) -> Array:
    """Image intensity of frozen-phonon exit waves: the mean of |ψ|² over phonons.

    Frozen-phonon configurations add up incoherently (Loane, Xu & Silcox, Acta Cryst. A 47 (1991) 267); the lens acts
    on each in the quasi-coherent approximation (Kirkland (2010), Sec. 3.2). Pixels hold the intensity at their points,
    not its mean over them. The spectra are cropped to the image's Nyquist frequency beforehand: an aperture that the
    image's sampling implies.

    Parameters
    ----------
    spectra : complex64 array, (…, phonon, y, x), [1]
        Fourier transforms of the exit waves on the image's grid, incident wave 1.
    transfer : complex64 array, (…, y, x), [1]
        Contrast transfer t(q).
    am : ArrayModule

    Returns
    -------
    float32 array, (…, y, x), [1]
        Expected electrons out per electron in. It differs from 1 in the mean by what apertures and envelopes cut off.
    """
    wave = am.fft.ifft2(spectra * transfer[..., None, :, :])
    return (wave.real**2 + wave.imag**2).mean(axis=-3)


def smallest_unsigned(counts: np.ndarray) -> np.ndarray:
    """Convert counts to the smallest of uint8, uint16 and uint32 that holds them."""
    most = int(counts.max(initial=0))
    return counts.astype(next(dtype for dtype in COUNTS if most <= np.iinfo(dtype).max))


def apply_dose(intensity: np.ndarray, *, dose_e_per_A2: float, pixel_A: float, rng: np.random.Generator) -> np.ndarray:
    """Draw an electron-count image from a noise-free one.

    Parameters
    ----------
    intensity : float array, (…, y, x), [1]
        Expected electrons out per electron in, on the host: NumPy draws the counts, so that they are the same whatever
        device imaged.
    dose_e_per_A2 : float, [e/Å²]
    pixel_A : float, [Å]
    rng : numpy.random.Generator

    Returns
    -------
    uint8, uint16 or uint32 array, (…, y, x), [e/px]
        Poisson counts with mean ``intensity * dose_e_per_A2 * pixel_A**2``.
    """
    return smallest_unsigned(rng.poisson(intensity.astype(np.float64) * (dose_e_per_A2 * pixel_A**2)))

"""Label masks: where the particles are, from the phase that they alone give the wave."""

import numpy as np

from hrtem_ood.device import ArrayModule
from hrtem_ood.optics.aberrations import Array
from hrtem_ood.optics.fourier import crop_spectrum, polar_frequencies


def label_mask(
    phase: Array, *, size: int, pixel_A: float, blur_A: float, phase_threshold_rad: float, am: ArrayModule
) -> Array:
    """Mask where the blurred phase exceeds a threshold.

    Thresholding the phase itself leaves holes between atomic columns; the blur closes them. What is left is the
    projected potential averaged over ``blur_A``, which for a particle grows with its thickness t as σ V₀ t, σ being
    the interaction constant and V₀ the mean inner potential: a mask ends where the particle is thinner than
    ``phase_threshold_rad`` / (σ V₀). CdSe (V₀ = 14 V) has 0.9, 1.0 and 1.4 rad per 100 Å at 300, 200 and 80 keV.

    Parameters
    ----------
    phase : float32 array, (…, y, x), [rad]
        Phase of the particles' exit wave, on a grid at least as fine as the image's.
    size : int, [px]
        Side of the image.
    pixel_A : float, [Å]
        Pixel of the image.
    blur_A : float, [Å]
        Standard deviation of the (periodic) Gaussian blur.
    phase_threshold_rad : float, [rad]
    am : ArrayModule

    Returns
    -------
    uint8 array, (…, y, x), [1]
        1 on particles, 0 elsewhere.
    """
    spectrum = crop_spectrum(am.fft.fft2(phase), (size, size), am.xp)
    q, _ = polar_frequencies((size, size), pixel_A, am.xp)
    blurred = am.fft.ifft2(spectrum * am.xp.exp(-2 * (np.pi * blur_A * q) ** 2).astype(np.float32)).real
    return (blurred > phase_threshold_rad).astype(np.uint8)

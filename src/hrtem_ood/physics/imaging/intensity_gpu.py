"""Image intensities on a GPU: the arithmetic of `intensity` in three calls for all phonons together."""

import numpy as np

from hrtem_ood.array_module import ArrayModule, KernelSource
from hrtem_ood.physics.optics.aberrations import Array

MOST_PHONONS = 16
"""Waves that are transformed together: more save no time, and would take memory."""

ADD_SQUARES = KernelSource(
    "hrtem_ood_add_squares",
    "raw complex64 waves, int32 points, int32 phonons, float32 factor",
    "float32 total",
    """
    float sum = 0.0f;
    for (int phonon = 0; phonon < phonons; ++phonon) {
        const complex<float> value = waves[(ptrdiff_t)phonon * points + i];
        sum += value.real() * value.real() + value.imag() * value.imag();
    }
    total += factor * sum;
    """,
)
"""Add |ψ|² of all waves, times a factor."""


def mean_intensity(spectra: Array, transfer: Array, am: ArrayModule) -> Array:
    """Return the mean of |ψ|² over phonons.

    Parameters
    ----------
    spectra : complex64 array, (phonon, y, x), [1]
    transfer : complex64 array, (y, x), [1]
    am : ArrayModule
        One that compiles kernels.

    Returns
    -------
    float32 array, (y, x), [1]
    """
    points, phonons = transfer.size, len(spectra)
    total = am.xp.zeros(transfer.shape, dtype=np.float32)
    for first in range(0, phonons, MOST_PHONONS):
        waves = spectra[first : first + MOST_PHONONS] * transfer
        waves = am.fft.ifft2(waves, norm="forward", overwrite_x=True)
        am.kernel(ADD_SQUARES)(waves, points, len(waves), 1 / (phonons * float(points) ** 2), total)
    return total

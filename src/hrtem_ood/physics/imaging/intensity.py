"""Intensity of images from exit waves."""

from typing import Any

import numpy as np

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.imaging.intensity_gpu import mean_intensity
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.fourier import crop_spectrum, pad_spectrum


def image_intensity(spectra: Array, transfer: Array, am: ArrayModule, *, detected: Array | None = None) -> Array:
    """Image intensity of frozen-phonon exit waves: the mean of |ψ|² over phonons.

    Frozen-phonon configurations add up incoherently (Loane, Xu & Silcox, Acta Cryst. A 47 (1991) 267); the lens acts
    on each in the quasi-coherent approximation (Kirkland (2010), Sec. 3.2). A pixel holds the intensity at its sampling
    point, not the mean over its area. The spectra are cropped to the image's Nyquist frequency beforehand, which acts as an
    aperture.

    Where a detector damps the intensity, |ψ|² is formed on a grid of 3/2 the points: it has up to twice the
    wave's frequencies, which would be aliased on the image's own grid before they are damped. On the finer grid,
    aliases fall only beyond the image's Nyquist frequency, where everything is cut off.

    Parameters
    ----------
    spectra : complex64 array, (…, phonon, y, x), [1]
        Fourier transforms of the exit waves on the image's grid, incident wave 1.
    transfer : complex64 array, (…, y, x), [1]
        Contrast transfer t(q).
    am : ArrayModule
    detected : float32 array, (y, x), [1], optional
        Factor of the detector for each frequency of the intensity.

    Returns
    -------
    float32 array, (…, y, x), [1]
        Expected electrons out per electron in. Its mean differs from 1 by the part that apertures and envelopes cut off.
    """
    if am.name == "cpu" and detected is None and spectra.ndim == 3 and transfer.ndim == 2:
        # imported here: a GPU needs no FFTW
        from hrtem_ood.physics.imaging.intensity_cpu import form_on_cpu

        return form_on_cpu(spectra.shape[-1])(spectra, transfer)
    if am.name == "gpu" and am.compiles and detected is None and spectra.ndim == 3 and transfer.ndim == 2:
        return mean_intensity(spectra, transfer, am)
    phonons, size = spectra.shape[-3], spectra.shape[-1]
    # one wave at a time in one buffer, so that it stays in a processor's cache; squares of real and imaginary parts
    # are summed separately, and added at the end
    total: Any = None
    spectrum = am.xp.empty_like(spectra[..., 0, :, :])
    for phonon in range(phonons):
        am.xp.multiply(spectra[..., phonon, :, :], transfer, out=spectrum)
        padded = spectrum if detected is None else pad_spectrum(spectrum, oversampled_size(size), am.xp)
        parts = am.fft.ifft2(padded, overwrite_x=True).view(np.float32)
        if total is None:
            total = parts * parts
        else:
            parts *= parts
            total += parts
    total = total[..., ::2] + total[..., 1::2]
    total *= np.float32(1 / phonons)
    if detected is None:
        return total
    spectrum = crop_spectrum(am.fft.fft2(total), (size, size), am.xp)
    return am.fft.ifft2(spectrum * detected).real


def oversampled_size(size: int) -> int:
    """Points of the grid on which the intensity of a wave of ``size`` points has no aliasing within its band."""
    return 2 * -(-3 * size // 4)

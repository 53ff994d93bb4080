"""Zero defocus of a structure: the defocus of least contrast of its particles in vacuum."""

import numpy as np
from scipy.optimize import minimize_scalar

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.imaging.intensity_gpu import mean_intensity
from hrtem_ood.physics.optics.fourier import polar_frequencies

STEP_A = 5.0
"""Step of the coarse search [Å]. Minima of contrast are wider: a focus series varies over 1/(λq²), 8 Å for the fastest
frequency of a wave sampled at 0.2 Å at 80 keV, and the strongest frequencies are much slower."""

TOLERANCE_A = 0.1
"""Tolerance of the fine search [Å]."""


def contrast(
    spectra: np.ndarray, q_squared: np.ndarray, defocus_A: float, wavelength_A: float, am: ArrayModule
) -> float:
    """Variance of the phonon-mean image at a defocus, through a lens without aberrations, envelopes and aperture.

    Parameters
    ----------
    spectra : complex64 array, (phonon, y, x), [1]
        Discrete Fourier transforms of the exit waves.
    q_squared : float array, (y, x), [1/Å²]
    defocus_A : float, [Å]
        Positive is underfocus.
    wavelength_A : float, [Å]
    am : ArrayModule

    Returns
    -------
    float, [1]
        Variance of the intensity. Its mean does not change with defocus, so it is least where the contrast is least.
    """
    # exp(−iχ) with χ = −π λ Δf q²
    lens = am.xp.exp(1j * np.pi * wavelength_A * defocus_A * q_squared).astype(np.complex64)
    if am.name == "gpu" and am.compiles:
        return float(mean_intensity(spectra, lens, am).var(dtype=np.float64))
    image = am.xp.zeros(spectra.shape[1:], dtype=am.xp.float32)
    for spectrum in spectra:  # one at a time: eight large waves at once would double a worker's memory
        wave = am.fft.ifft2(spectrum * lens, overwrite_x=True)
        image = image + wave.real**2 + wave.imag**2
    return float((image / len(spectra)).var(dtype=np.float64))


def zero_defocus(
    waves: np.ndarray, *, pixel_size_A: float, wavelength_A: float, height_A: float, am: ArrayModule
) -> float:
    """Find the defocus of minimum contrast of exit waves.

    For a phase object, that is the defocus which focuses on the object: its distance below the exit plane.
    The minimum is bracketed on a coarse grid over the cell's height and a little beyond, then refined (Brent).

    Parameters
    ----------
    waves : complex64 array, (phonon, y, x), [1]
        Exit waves of the particles alone in vacuum.
    pixel_size_A : float, [Å]
    wavelength_A : float, [Å]
    height_A : float, [Å]
        Height of the cell; the exit plane is at its top.
    am : ArrayModule
        Device of the focus series.

    Returns
    -------
    float, [Å]
        Defocus −C10, positive for particles below the exit plane.
    """
    spectra = am.fft.fft2(am.xp.asarray(waves))
    q_per_A, _ = polar_frequencies(waves.shape[-2:], pixel_size_A, am.xp)
    q_squared = q_per_A**2

    def contrast_at(defocus_A: float) -> float:
        return contrast(spectra, q_squared, defocus_A, wavelength_A, am)

    coarse = np.arange(-STEP_A, height_A + 2 * STEP_A, STEP_A)
    lowest = coarse[np.argmin([contrast_at(defocus_A) for defocus_A in coarse])]
    fine = minimize_scalar(
        contrast_at, bounds=(lowest - STEP_A, lowest + STEP_A), method="bounded", options={"xatol": TOLERANCE_A}
    )
    return float(fine.x)

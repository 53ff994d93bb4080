"""Contrast transfer of a condition, or of a distribution of conditions, on a polar grid."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.optics.condition import JITTER_FIELDS, Condition
from hrtem_ood.physics.optics.ctf import envelope, phase_contrast_transfer
from hrtem_ood.transfer.polar_grid import PolarGrid

CUTOFF_SD = 6.0
"""The normal distribution of the defocus is cut off at this many standard deviations; 2·10⁻⁹ lie beyond."""

POINTS = 256
"""Points of the Sobol sequence for conditions in which another parameter than the defocus varies from image to image."""


def transfer_of(condition: Condition, grid: PolarGrid, *, wavelength_A: float) -> NDArray[np.float64]:
    """Sample the phase-contrast transfer of a condition.

    A condition whose parameters vary from image to image (``…_sd`` above 0) is a distribution of conditions. Its transfer is
    the root mean square of T over that distribution, without a sign: the mean of T would vanish where images have contrast
    of either sign, although each of them has contrast.

    Parameters
    ----------
    condition : Condition
    grid : PolarGrid
    wavelength_A : float, [Å]

    Returns
    -------
    float64 array, (q, phi), [1]
        Signed T of a single condition, r.m.s. of T of a distribution.
    """
    mean, rms = transfer_moments(condition, grid, wavelength_A=wavelength_A)
    return rms if _varying_parameters(condition) else mean


def _varying_parameters(condition: Condition) -> list[str]:
    """Names of the parameters that vary from image to image and change T."""
    return [name for name in condition.jitter if name != "dose_e_per_A2"]


def transfer_moments(
    condition: Condition, grid: PolarGrid, *, wavelength_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sample mean and root mean square of the phase-contrast transfer over the distribution of a condition.

    Parameters
    ----------
    condition, grid, wavelength_A
        As in :func:`transfer_of`.

    Returns
    -------
    mean : float64 array, (q, phi), [1]
        Signed.
    rms : float64 array, (q, phi), [1]
        |T| of a single condition.
    """
    q, azimuth = grid.q_per_A[:, None], grid.azimuth_rad[None, :]
    mean, square = np.zeros((2, q.size, azimuth.size))
    for single, weight in _quadrature(condition, wavelength_A, float(grid.q_per_A[-1])):
        values = phase_contrast_transfer(single, q, azimuth, wavelength_A=wavelength_A, defocus_A=single.defocus_A)
        mean += weight * values
        square += weight * values**2
    return mean, np.sqrt(square)


def _quadrature(condition: Condition, wavelength_A: float, q_max_per_A: float) -> Iterator[tuple[Condition, float]]:
    """Yield single conditions with weights (sum 1) for the mean over the distribution."""
    varying = _varying_parameters(condition)
    if not varying:
        yield condition, 1.0
    elif varying == ["defocus_A"]:
        deviations, weights = defocus_quadrature(condition.defocus_sd_A, wavelength_A, q_max_per_A)
        for deviation, weight in zip(deviations, weights, strict=True):
            yield condition.model_copy(update={"defocus_A": condition.defocus_A + deviation}), float(weight)
    else:
        from scipy.special import ndtri
        from scipy.stats import qmc

        names = list(JITTER_FIELDS)
        columns = [names.index(name) for name in varying]
        points = qmc.Sobol(len(varying), scramble=False).random(POINTS) + 0.5 / POINTS
        for point in ndtri(points):
            deviations = np.zeros(len(names))
            deviations[columns] = point
            yield condition.with_jitter(deviations.tolist()), 1 / POINTS


def defocus_quadrature(
    defocus_sd_A: float, wavelength_A: float, q_max_per_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights for the mean over a normal distribution of the defocus.

    The trapezoidal rule, whose error for a Gaussian falls faster than exponentially (Trefethen & Weideman, SIAM Review
    56 (2014) 385, Sec. 4). |T|² oscillates with k = 2πλ sd q² radians per standard deviation. The error is below 10⁻⁸ once the
    spacing h satisfies 2π/h ≥ k + 6. The number of nodes grows with k, not with k² as in Gauss–Hermite quadrature.

    Parameters
    ----------
    defocus_sd_A : float, [Å]
    wavelength_A : float, [Å]
    q_max_per_A : float, [1/Å]

    Returns
    -------
    deviations : float64 array, (node,), [Å]
    weights : float64 array, (node,), [1]
        With sum 1.
    """
    oscillation = 2 * np.pi * wavelength_A * defocus_sd_A * q_max_per_A**2
    intervals = math.ceil(2 * CUTOFF_SD * (oscillation + 6) / (2 * np.pi))
    z = np.linspace(-CUTOFF_SD, CUTOFF_SD, intervals + 1)
    weights = np.exp(-(z**2) / 2)
    return defocus_sd_A * z, weights / weights.sum()


def envelope_of(condition: Condition, grid: PolarGrid, *, wavelength_A: float) -> NDArray[np.float64]:
    """Sample the azimuthal mean of aperture and envelopes of a condition at its mean defocus.

    Parameters
    ----------
    condition : Condition
    grid : PolarGrid
    wavelength_A : float, [Å]

    Returns
    -------
    float64 array, (q,), [1]
    """
    q, azimuth = grid.q_per_A[:, None], grid.azimuth_rad[None, :]
    values = envelope(condition, q, azimuth, wavelength_A=wavelength_A, defocus_A=condition.defocus_A)
    return np.asarray(np.broadcast_to(values, (q.size, azimuth.size)).mean(axis=1))

"""Signal and noise behind a detector on the polar grid, as :mod:`hrtem_ood.physics.imaging.detector` simulates it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.imaging.parameters import Detector
from hrtem_ood.physics.optics.detector_curves import interpolate_detector_curve
from hrtem_ood.transfer.polar_grid import PolarGrid

Floats = NDArray[np.float64]

POINTS = 400
"""Points along the side of the square of Nyquist frequencies, for the noise outside the band."""


class DetectorSpectra(NamedTuple):
    """Spectra of relative contrast in detected images, against those of an ideal detector.

    Counts that are damped by s and, with their white noise, filtered by g, carry relative contrast, against the mean that
    g(0) makes, with (s g/g(0))² = MTF², and noise with [g/g(0)]²/(D·DQE(0)) = MTF²/(D·DQE); without a DQE, s = MTF and
    noise stays 1/D. Rounding, which adds 1/12 to the variance per pixel where numbers are no counts, is left out.

    Attributes
    ----------
    signal : float64 array, (q, phi), [1]
        Power of signal, MTF².
    noise : float64 array, (q, phi), [1]
        Power of noise, in units of 1/D.
    outside : float, [1/Å²]
        Integral of that over the square of Nyquist frequencies outside the band.
    """

    signal: Floats
    noise: Floats
    outside: float


def detector_spectra(detector: Detector | None, grid: PolarGrid, *, pixel_size_A: float) -> DetectorSpectra:
    """Tell what a detector leaves.

    Parameters
    ----------
    detector : Detector or None
        None for one that counts every electron where it lands.
    grid : PolarGrid
    pixel_size_A : float, [Å]
        Of the images.

    Returns
    -------
    DetectorSpectra
    """
    outside = max(0.0, 1 / pixel_size_A**2 - float(grid.area_per_A2.sum()))
    if detector is None:
        ones = np.ones((grid.q_per_A.size, 1))
        return DetectorSpectra(ones, ones, outside)
    q = grid.q_per_A[:, None]
    signal, noise = _powers(detector, q * np.cos(grid.azimuth_rad), q * np.sin(grid.azimuth_rad), pixel_size_A)
    line = ((np.arange(POINTS) + 0.5) / POINTS - 0.5) / pixel_size_A
    _, everywhere = _powers(detector, line[None, :], line[:, None], pixel_size_A)
    radius = np.hypot(line[None, :], line[:, None])
    # nodes of a Gauss rule lie symmetrically in the band, whose area is π (high² − low²)
    middle = (grid.q_per_A[0] + grid.q_per_A[-1]) / 2
    half = float(grid.area_per_A2.sum()) / (4 * np.pi * middle)
    beyond = np.abs(radius - middle) > half
    return DetectorSpectra(signal, noise, outside * float(everywhere[beyond].mean()) if beyond.any() else 0.0)


def _powers(detector: Detector, qx: Floats, qy: Floats, pixel_size_A: float) -> tuple[Floats, Floats]:
    """Return MTF², and the power of noise in units of 1/D."""
    of_nyquist = np.hypot(qx, qy) * 2 * pixel_size_A
    mtf = interpolate_detector_curve(detector.mtf, of_nyquist)
    if detector.apply_pixel_mtf:
        mtf = mtf * np.sinc(qx * pixel_size_A) * np.sinc(qy * pixel_size_A)
    if detector.dqe is None:
        return mtf**2, np.ones_like(mtf)
    return mtf**2, mtf**2 / interpolate_detector_curve(detector.dqe, of_nyquist)

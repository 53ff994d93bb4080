"""Signal and noise powers behind a detector on the polar grid, for the detector of :mod:`hrtem_ood.physics.imaging.detector`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.imaging.parameters import Detector
from hrtem_ood.physics.optics.detector_curves import interpolate_detector_curve
from hrtem_ood.transfer.polar_grid import PolarGrid

Floats = NDArray[np.float64]

POINTS = 400
"""Points along each side of the square of Nyquist frequencies, for the noise outside the band."""


class DetectorSpectra(NamedTuple):
    """Powers of relative contrast in detected images, relative to those of an ideal detector.

    The detector damps the expected counts by s, and filters counts and their white noise by g. Relative to the mean, which g(0)
    scales, the power of signal is (s g/g(0))² = MTF² and that of noise [g/g(0)]²/(D·DQE(0)) = MTF²/(D·DQE). Without a DQE,
    s = MTF and noise stays 1/D. Rounding of values other than counts adds 1/12 to the variance per pixel; it is neglected.

    Attributes
    ----------
    signal : float64 array, (q, phi), [1]
        Power of signal, MTF².
    noise : float64 array, (q, phi), [1]
        Power of noise, in units of 1/D.
    outside : float, [1/Å²]
        Integral of the power of noise over the square of Nyquist frequencies, outside the band.
    """

    signal: Floats
    noise: Floats
    outside: float


def detector_spectra(detector: Detector | None, grid: PolarGrid, *, pixel_size_A: float) -> DetectorSpectra:
    """Compute powers of signal and noise behind a detector.

    Parameters
    ----------
    detector : Detector or None
        None: every electron is counted in the pixel where it lands.
    grid : PolarGrid
    pixel_size_A : float, [Å]
        Pixel of the images.

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
    _, noise_of_square = _powers(detector, line[None, :], line[:, None], pixel_size_A)
    radius = np.hypot(line[None, :], line[:, None])
    # nodes of a Gauss rule lie symmetrically in the band, whose area is π (high² − low²)
    middle = (grid.q_per_A[0] + grid.q_per_A[-1]) / 2
    half = float(grid.area_per_A2.sum()) / (4 * np.pi * middle)
    beyond = np.abs(radius - middle) > half
    return DetectorSpectra(signal, noise, outside * float(noise_of_square[beyond].mean()) if beyond.any() else 0.0)


def _powers(detector: Detector, qx: Floats, qy: Floats, pixel_size_A: float) -> tuple[Floats, Floats]:
    """Return power of signal [1] and power of noise [1/D] at frequencies (qx, qy) [1/Å]."""
    of_nyquist = np.hypot(qx, qy) * 2 * pixel_size_A
    mtf = interpolate_detector_curve(detector.mtf, of_nyquist)
    if detector.apply_pixel_mtf:
        mtf = mtf * np.sinc(qx * pixel_size_A) * np.sinc(qy * pixel_size_A)
    if detector.dqe is None:
        return mtf**2, np.ones_like(mtf)
    return mtf**2, mtf**2 / interpolate_detector_curve(detector.dqe, of_nyquist)

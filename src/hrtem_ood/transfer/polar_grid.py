"""Polar grid of spatial frequencies on which contrast transfer is sampled and integrated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.errors import ConfigError
from hrtem_ood.transfer.parameters import Transfer


@dataclass(frozen=True)
class PolarGrid:
    """Points and weights of the quadrature ∫∫ f(q, φ) w(q) dq dφ / ∫∫ w(q) dq dφ ≈ Σ weight · mean over φ of f.

    Attributes
    ----------
    q_per_A : float64 array, (q,), [1/Å]
        Gauss–Legendre nodes in the band. Convergence is exponential for ε of smooth transfer, of first order where the
        hard edge of an aperture lies within the band, and of second order for σ, because |T| has a kink at every zero
        of T (with 512 × 48 points the error of σ is 10⁻³).
    azimuth_rad : float64 array, (phi,), [rad]
        Equally spaced over the full circle: the trapezoidal rule, exact for low angular frequencies.
    weight : float64 array, (q,), [1]
        Gauss–Legendre weights times w(q), with sum 1.
    area_per_A2 : float64 array, (q,), [1/Å²]
        Weights of the integral over the area of the band, ∫∫ f d²q ≈ Σ area · mean over φ of f; independent of w.
    """

    q_per_A: NDArray[np.float64]
    azimuth_rad: NDArray[np.float64]
    weight: NDArray[np.float64]
    area_per_A2: NDArray[np.float64]


def polar_grid(transfer: Transfer, *, pixel_size_A: float) -> PolarGrid:
    """Make the grid of a band.

    Parameters
    ----------
    transfer : Transfer
        Band, weight w(q) (``per_q``: 1; ``per_area``: q) and number of points.
    pixel_size_A : float, [Å]
        Pixel of the images. Its Nyquist frequency 1/(2 pixel) ends the band unless ``q_max_per_A`` is given.

    Returns
    -------
    PolarGrid

    Raises
    ------
    ConfigError
        If the band is empty.
    """
    low = transfer.q_min_per_A
    high = transfer.q_max_per_A if transfer.q_max_per_A is not None else 1 / (2 * pixel_size_A)
    if low >= high:
        raise ConfigError(f"transfer.q_min_per_A: must be below the upper end of the band, {high:g} 1/Å, not {low:g}.")
    nodes, weight = np.polynomial.legendre.leggauss(transfer.radial_points)
    q = low + (nodes + 1) / 2 * (high - low)
    area = np.pi * (high - low) * weight * q  # half of the interval's length times 2πq
    if transfer.weighting == "per_area":
        weight = weight * q
    azimuth = 2 * np.pi * np.arange(transfer.azimuthal_points) / transfer.azimuthal_points
    return PolarGrid(q, azimuth, weight / weight.sum(), area)

"""Lattice spacings from peaks of the power spectrum."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import gammainccinv

from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Spacing, Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import Tiles, ring_medians

Floats = NDArray[np.float64]

LOWEST_PER_A = 0.1
"""Peaks below are none of a lattice [1/Å]: shapes of particles are there."""

CHANCE = 0.01
"""Peaks that noise and film make per image."""

APART_PER_A = 0.03
"""Peaks nearer to a higher one belong to it [1/Å]."""

STEEP = 1.25
"""Factor by which the background at a peak may exceed that of its sector: Thon rings are steep."""

RING_PX, SECTORS = 3, 12
"""Width of the rings whose median is the background, and sectors of half a turn in which it may be higher: Thon rings of an
astigmatic lens are no circles."""

MOST = 12
"""Spacings that are kept, the strongest."""

SPOT = 0.2
"""Least power of a peak's parts, relative to its maximum."""

OF_PIXEL = 0.3
"""Standard deviation of a peak's position for its sampling [Fourier pixels]; to it adds the width of the spot, as a small crystal
off its zone axis shows any part of it."""


def find_spacings(tiles: Tiles) -> tuple[Spacing, ...] | Unknown:
    """Find lattice spacings d = 1/|q| of significant peaks.

    The power of noise, and of a film, is distributed exponentially around its mean (gamma where spectra are averaged). A peak is
    significant where an image of them has :data:`CHANCE` such peaks.

    Parameters
    ----------
    tiles : Tiles

    Returns
    -------
    tuple of Spacing, or Unknown
        The strongest first, at most :data:`MOST`; Unknown where there is none.
    """
    q = tiles.frequencies[0]
    ratio = np.fft.fftshift(np.divide(tiles.power, _background(tiles), where=tiles.off_axes, out=np.zeros_like(q)))
    step = 1 / (tiles.side * tiles.pixel_size_A)
    centre = tiles.side // 2
    rows, columns = (np.arange(tiles.side) - centre)[:, None], (np.arange(tiles.side) - centre)[None, :]
    modulus = np.hypot(rows, columns) * step
    searched = (modulus > LOWEST_PER_A) & (modulus < 1 / (2 * tiles.pixel_size_A))
    searched &= (columns > 0) | ((columns == 0) & (rows > 0))
    shape = max(tiles.independent, 1.0)
    limit = STEEP * float(gammainccinv(shape, CHANCE / max(int(searched.sum()), 1)) / shape)
    radius = max(1, round(APART_PER_A / step))
    near = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    peaks = searched & (ratio > limit) & (ratio >= ndimage.maximum_filter(ratio, footprint=near))
    places = sorted(np.argwhere(peaks).tolist(), key=lambda place: -ratio[tuple(place)])[:MOST]
    if not places:
        return Unknown("the power spectrum has no peaks above its rings")
    return tuple(_spacing(ratio, place, max(radius, 2), step) for place in places)


def _background(tiles: Tiles) -> Floats:
    """Typical power around each frequency, (y, x): of its ring, or of its sector of the ring where that is higher."""
    q, azimuth = tiles.frequencies
    step = RING_PX / (tiles.side * tiles.pixel_size_A)
    ring = np.floor(q / step).astype(int)
    sector = np.minimum((azimuth % np.pi / np.pi * SECTORS).astype(int), SECTORS - 1)
    power = tiles.power.ravel()
    of_ring = ring_medians(power, ring.ravel(), tiles.independent)[ring]
    of_sector = ring_medians(power, (ring * SECTORS + sector).ravel(), tiles.independent)[ring * SECTORS + sector]
    return np.asarray(np.maximum(of_ring, of_sector) + 1e-300)


def _spacing(ratio: Floats, place: list[int], reach: int, step: float) -> Spacing:
    """Measure a peak by the centre of gravity of what stands out of the background around it."""
    centre = ratio.shape[0] // 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    window = np.pad(ratio, reach)[place[0] : place[0] + 2 * reach + 1, place[1] : place[1] + 2 * reach + 1]
    height = float(ratio[place[0], place[1]])
    weight = np.where((window > SPOT * height) & (np.hypot(rows, columns) <= reach), window, 0)
    y, x = (float((weight * axis).sum() / weight.sum()) for axis in (rows, columns))
    # along one direction
    width = math.sqrt(float((weight * ((rows - y) ** 2 + (columns - x) ** 2)).sum() / weight.sum()) / 2)
    q_y, q_x = (place[0] - centre + y) * step, (place[1] - centre + x) * step
    q = math.hypot(q_x, q_y)
    deviation = math.hypot(OF_PIXEL, width) * step
    return Spacing(Estimate(1 / q, deviation / q**2), math.atan2(q_y, q_x) % math.pi, height)

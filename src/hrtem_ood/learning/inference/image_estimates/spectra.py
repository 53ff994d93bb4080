"""Square tiles of an image, and their power spectra without the cross that opposite edges make."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from hrtem_ood.physics.optics.fourier import polar_frequencies

Floats = NDArray[np.float64]

LARGEST_TILE_PX, TILES_PER_SIDE = 1024, 3
"""Images are cut into at most 3 × 3 tiles of at most 1024 px, evenly spread: more make no estimate better that matters."""

SPIKE = 10.0
"""Pixels further from the median than this many robust standard deviations count as the median."""

LEAST_MEAN, MOST_BELOW = 0.05, 0.01
"""Least mean above zero in standard deviations (400 pixels per electron), and largest share of values below zero (noise of the
camera)."""

BRAGG = 8.0
"""Coefficients above this many times the typical power of their ring count as lattice peaks; of noise, one in 3000 does."""


@dataclass(frozen=True)
class Tiles:
    """Tiles of an image.

    Attributes
    ----------
    values : float64 array, (tile, y, x)
        Relative to the mean of the live pixels, which is subtracted; dead pixels and spikes are 0.
    scale : float
        What the values were divided by: the mean above zero, or without a known zero the standard deviation.
    pixel_size_A : float, [Å]
    independent : float
        Number of tiles that would hold as much if they did not overlap.
    live : float, [1]
        Share of the pixels that are not dead.
    """

    values: Floats
    scale: float
    pixel_size_A: float
    independent: float
    live: float

    @property
    def side(self) -> int:
        """Pixels along each side of a tile."""
        return int(self.values.shape[-1])

    @cached_property
    def frequencies(self) -> tuple[Floats, Floats]:
        """Modulus [1/Å] and azimuth [rad] of the frequencies, float64 arrays, (y, x)."""
        q, azimuth = polar_frequencies((self.side, self.side), self.pixel_size_A)
        return q, azimuth

    @cached_property
    def off_axes(self) -> NDArray[np.bool_]:
        """Frequencies that are on no axis, bool array, (y, x): lines of a detector and edges are on the axes."""
        line = np.arange(self.side) != 0
        return np.asarray(line[:, None] & line)

    @cached_property
    def spectra(self) -> NDArray[np.complex128]:
        """Fourier transforms of the periodic component of each tile, complex128 array, (tile, y, x)."""
        return np.stack([periodic_spectrum(tile) for tile in self.values])

    @cached_property
    def power(self) -> Floats:
        """Power spectral density, float64 array, (y, x), [Å²]: white noise of variance v per pixel has v · pixel²."""
        return np.asarray((np.abs(self.spectra) ** 2).mean(axis=0) * self.pixel_size_A**2 / (self.side**2 * self.live))


def periodic_spectrum(tile: Floats) -> NDArray[np.complex128]:
    """Fourier transform of the periodic component of an image.

    An image is the sum of a periodic component and a smooth one, which takes over the steps between opposite edges
    (L. Moisan, J. Math. Imaging Vis. 39 (2011) 161). No window is needed then, which would cost resolution and statistics.

    Parameters
    ----------
    tile : float64 array, (y, x)

    Returns
    -------
    complex128 array, (y, x)
    """
    height, width = tile.shape
    steps = np.zeros_like(tile)
    steps[0] += tile[-1] - tile[0]
    steps[-1] -= tile[-1] - tile[0]
    steps[:, 0] += tile[:, -1] - tile[:, 0]
    steps[:, -1] -= tile[:, -1] - tile[:, 0]
    laplacian = (
        2 * np.cos(2 * np.pi * np.fft.fftfreq(height))[:, None] + 2 * np.cos(2 * np.pi * np.fft.fftfreq(width)) - 4
    )
    laplacian[0, 0] = 1
    smooth = scipy.fft.fft2(steps) / laplacian
    smooth[0, 0] = 0
    return np.asarray(scipy.fft.fft2(tile) - smooth)


def cut_tiles(image: NDArray[np.floating], live: NDArray[np.bool_], *, pixel_size_A: float, zero: float = 0.0) -> Tiles:
    """Cut an image into tiles.

    Parameters
    ----------
    image : float array, (y, x)
    live : bool array, (y, x)
        Pixels that are not dead; they have more than one value.
    pixel_size_A : float, [Å]
    zero : float
        Value of ``image`` without electrons.

    Returns
    -------
    Tiles
    """
    live_values = image[live].astype(np.float64)
    mean, median = float(live_values.mean()), float(np.median(live_values))
    deviation = 1.4826 * float(np.median(np.abs(live_values - median)))
    values = np.where(live, image, mean) - mean
    if deviation > 0:
        values[np.abs(values + mean - median) > SPIKE * deviation] = median - mean
    scale = mean - zero if has_zero(live_values, zero) else float(live_values.std())
    side = min(*image.shape, LARGEST_TILE_PX)
    side -= side % 2
    starts = [_starts(length, side) for length in image.shape]
    tiles = np.stack([values[y : y + side, x : x + side] for y in starts[0] for x in starts[1]]) / scale
    covered = math.prod(min(length, len(each) * side) for length, each in zip(image.shape, starts, strict=True))
    return Tiles(tiles, scale, pixel_size_A, covered / side**2, max(float(live.mean()), 1e-6))


def has_zero(values: NDArray[np.floating], zero: float) -> bool:
    """Whether a value may be that without electrons: hardly any lies below it, and their mean well above."""
    return bool(values.mean() - zero > LEAST_MEAN * values.std() and (values < zero).mean() < MOST_BELOW)


def _starts(length: int, side: int) -> list[int]:
    count = min(TILES_PER_SIDE, math.ceil(length / side - 0.25)) if side else 1
    return [int(start) for start in np.linspace(0, length - side, max(count, 1))]


def ring_medians(power: Floats, ring: NDArray[np.int64], independent: float) -> Floats:
    """Typical power of each ring, from its median: lattice peaks do not matter.

    Parameters
    ----------
    power : float64 array, (n,)
    ring : int array, (n,)
        Number of the ring of each, from 0.
    independent : float
        Number of independent spectra that ``power`` is the mean of.

    Returns
    -------
    float64 array, (ring,)
        Mean power of noise with that median; 0 where a ring is empty.
    """
    from scipy import ndimage
    from scipy.special import gammaincinv

    shape = max(independent, 1.0)
    medians = ndimage.median(power, ring, np.arange(int(ring.max()) + 1))
    return np.asarray(np.nan_to_num(medians) * (shape / float(gammaincinv(shape, 0.5))), np.float64)


def bragg_limit(independent: float) -> float:
    """Power above which a coefficient is a lattice peak, in units of its ring's typical power [1].

    Of noise, as many coefficients exceed it as exceed :data:`BRAGG` in a single spectrum.
    """
    from scipy.special import gammainccinv

    shape = max(independent, 1.0)
    return float(gammainccinv(shape, math.exp(-BRAGG)) / shape)

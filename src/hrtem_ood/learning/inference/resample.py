"""Bringing a micrograph to a network's pixel."""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAME = 0.01
"""Pixels that differ by less than this share count as the same; docs/prediction.md tells what it costs."""

SLAB_PX = 256
"""Rows that are interpolated at once."""


def same_pixel(pixel_size_A: float, other_A: float) -> bool:
    """Whether two pixels need no resampling between them, see :data:`SAME`."""
    return abs(pixel_size_A / other_A - 1) < SAME


def resampled_side(side: int, pixel_size_A: float, new_pixel_A: float) -> int:
    """Count the whole new pixels in a side of old ones."""
    return math.floor(side * pixel_size_A / new_pixel_A + 1e-6)


def resample(image: Floats, pixel_size_A: float, new_pixel_A: float) -> Floats:
    """Sample the band-limited image between the pixels, low-passed to what the new pixels can carry.

    The image is a sum of cosines (type II of the discrete cosine transform), which continues it evenly beyond its edges:
    no edge meets the opposite one, as with a Fourier transform. Cosines above the new pixel's Nyquist frequency are left
    out, and the others are evaluated at the centres of the new pixels, for any ratio of the two. Both grids begin at the
    same corner; what is left of a new pixel at the far edges is cut off.

    Parameters
    ----------
    image : float32 array, (y, x)
    pixel_size_A, new_pixel_A : float, [Å]

    Returns
    -------
    float32 array, (y', x')
        Values keep their meaning: they are densities, not sums over pixels.
    """
    mean = image.mean(dtype=np.float64)
    spectrum = scipy.fft.dctn(image - np.float32(mean), type=2)
    ratio = new_pixel_A / pixel_size_A
    sides = [resampled_side(side, pixel_size_A, new_pixel_A) for side in image.shape]
    down, across = (_cosines(old, new, ratio) for old, new in zip(image.shape, sides, strict=True))
    kept = spectrum[: down.shape[1], : across.shape[1]]
    return np.asarray(down @ kept @ across.T + np.float32(mean), np.float32)


def interpolate(values: Floats, pixel_size_A: float, new_pixel_A: float, shape: tuple[int, ...]) -> Floats:
    """Bring an image to other pixels, linearly between the centres of the old ones: no value is beyond those around it.

    Parameters
    ----------
    values : float32 array, (y, x), sides from 2
    pixel_size_A, new_pixel_A : float, [Å]
    shape : tuple of int, [px]
        Sides (y', x') of the result. Both grids begin at the same corner; beyond the outermost centres, values go on.

    Returns
    -------
    float32 array, (y', x')
    """
    ratio = new_pixel_A / pixel_size_A
    places = [
        np.clip((np.arange(new) + 0.5) * ratio - 0.5, 0, old - 1) for new, old in zip(shape, values.shape, strict=True)
    ]
    (rows, columns) = (np.minimum(place.astype(int), old - 2) for place, old in zip(places, values.shape, strict=True))
    down, across = ((place - first).astype(np.float32) for place, first in zip(places, (rows, columns), strict=True))
    result = np.empty(shape, np.float32)
    for start in range(0, shape[0], SLAB_PX):
        slab = slice(start, start + SLAB_PX)
        share = down[slab, None]
        lines = values[rows[slab]] * (1 - share) + values[rows[slab] + 1] * share
        result[slab] = lines[:, columns] * (1 - across) + lines[:, columns + 1] * across
    return result


def block_mean(image: Floats, block: int) -> Floats:
    """Return means over square blocks of pixels; what is left at the far edges is cut off.

    Parameters
    ----------
    image : float32 array, (y, x)
    block : int, [px]
        Side of a block, not above the image's.

    Returns
    -------
    float32 array, (y // block, x // block)
    """
    height, width = (side // block for side in image.shape)
    cut = image[: height * block, : width * block]
    return np.asarray(cut.reshape(height, block, width, block).mean(axis=(1, 3)), np.float32)


def _cosines(old: int, new: int, ratio: float) -> Floats:
    """Values (new pixel, frequency) of the cosines at the new pixels, with the weights of the inverse transform."""
    frequency = np.arange(min(old, math.ceil(old / ratio - 1e-6)))
    place = (np.arange(new) + 0.5) * ratio / old
    weight = np.where(frequency == 0, 1, 2) / (2 * old)
    return (np.cos(np.pi * np.outer(place, frequency)) * weight).astype(np.float32)

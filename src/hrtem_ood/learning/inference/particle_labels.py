"""Particles as numbered regions: connected pixels, their holes, and particles that touch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.int32]

NECK = 0.8
"""Two particles that touch are separated where their neck is narrower than this share of the narrower one's width."""

LEAST_RADIUS_PX = 3.0
"""Parts that hold no circle of this radius are not separated from others: outlines of pixels are rough at this scale."""

LEVEL_STEP = 0.95
"""Ratio of a distance from the outline to the one before, of those at which the parts of a particle are looked for."""

ROWS = 256
"""Rows of an image that are worked on at once."""


class ParticleOptions(NamedTuple):
    """What is done to the particles of a mask.

    Attributes
    ----------
    min_diameter_A : float, [Å]
        Particles whose circle of the same area is smaller are dropped.
    fill_holes : bool
        Whether background that a particle encloses belongs to it.
    split_touching : bool
        Whether particles that touch are separated, see :func:`split_particles`.
    """

    min_diameter_A: float = 0.0
    fill_holes: bool = False
    split_touching: bool = False


AS_THEY_ARE = ParticleOptions()
"""Connected pixels are a particle, whatever their size and shape."""


def label_particles(mask: NDArray[np.uint8], pixel_size_A: float, options: ParticleOptions = AS_THEY_ARE) -> Labels:
    """Give each particle of a mask a number.

    Parameters
    ----------
    mask : uint8 array, (y, x)
        1 where a pixel is particle.
    pixel_size_A : float, [Å]
    options : ParticleOptions

    Returns
    -------
    int32 array, (y, x)
        0 for background, 1 for the particle of the largest area, and so on. Pixels that share a side are connected.
    """
    found, count = ndimage.label(fill_holes(mask) if options.fill_holes else mask)
    labels = np.asarray(found, np.int32)
    if options.split_touching:
        count = split_particles(labels, count)
    pixels = count_pixels(labels, count)
    order = np.argsort(-pixels, kind="stable")
    diameter = 2 * np.sqrt(pixels[order] / np.pi) * pixel_size_A
    kept = order[diameter >= options.min_diameter_A]
    number = np.zeros(count + 1, np.int32)
    number[kept + 1] = np.arange(1, len(kept) + 1)
    for start in range(0, len(labels), ROWS):
        labels[start : start + ROWS] = number[labels[start : start + ROWS]]
    return labels


def count_pixels(labels: Labels, count: int) -> NDArray[np.int64]:
    """Count the pixels of each particle, int64 array (particle,)."""
    total = np.zeros(count + 1, np.int64)
    for start in range(0, len(labels), ROWS):
        total += np.bincount(labels[start : start + ROWS].ravel(), minlength=count + 1)
    return total[1:]


def fill_holes(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a mask with the background that does not reach the edge of the image, by sides or corners of pixels, filled."""
    outside, count = ndimage.label(mask == 0, structure=np.ones((3, 3)))
    at_edge = np.zeros(count + 1, bool)
    for line in (outside[0], outside[-1], outside[:, 0], outside[:, -1]):
        at_edge[line] = True
    at_edge[0] = False  # the particles
    return np.asarray(~at_edge[outside], np.uint8)


def split_particles(labels: Labels, count: int) -> int:
    """Separate particles that touch, by a watershed on the distance from their outline.

    A part becomes a particle of its own if its largest distance from the outline exceeds the distance at the neck that
    joins it to a wider part by 1 / :data:`NECK`, see :func:`_parts`. The border then runs along the neck. SciPy's
    watershed_ift, which weighs differences between pixels, not their values, would not find it.

    Parameters
    ----------
    labels : int32 array, (y, x)
        Numbers from 1 to ``count``; changed in place.
    count : int

    Returns
    -------
    int
        The new number of particles.
    """
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if min(side.stop - side.start for side in box) < 2 * LEAST_RADIUS_PX:
            continue
        mine = np.pad(labels[box] == number, 1)  # beyond the edge of the image is background, too
        distance = ndimage.distance_transform_edt(mine).astype(np.float32)
        parts, found = _parts(distance)
        if found < 2:
            continue
        parts = _grow(distance, parts)[1:-1, 1:-1]
        inside = mine[1:-1, 1:-1] & (parts > 1)  # the first part keeps its number
        labels[box][inside] = count + parts[inside] - 1
        count += found - 1
    return count


def _parts(distance: NDArray[np.float32]) -> tuple[Labels, int]:
    """Find the middles of the parts of a particle.

    Levels of the distance are gone through from the top. A region above a level that holds no part yet becomes one once
    its highest distance exceeds the level by 1 / :data:`NECK`, hence before it merges with another part, if their neck is
    narrow enough.

    Parameters
    ----------
    distance : float32 array, (y, x), [px]
        From the outline; 0 outside.

    Returns
    -------
    int32 array, (y, x)
        Numbers of the parts in their middles, 0 elsewhere.
    int
        Number of parts.
    """
    parts, found = np.zeros(distance.shape, np.int32), 0
    level = NECK * float(distance.max())
    while level >= NECK * LEAST_RADIUS_PX:
        regions, count = ndimage.label(distance > level)
        numbers = np.arange(1, count + 1)
        highest = np.asarray(ndimage.maximum(distance, regions, numbers))
        empty = np.asarray(ndimage.maximum(parts, regions, numbers)) == 0
        for number in numbers[empty & (NECK * highest >= level * (1 - 1e-6))]:
            found += 1
            parts[regions == number] = found
        level *= LEVEL_STEP
    return parts, found


def _grow(distance: NDArray[np.float32], parts: Labels) -> Labels:
    """Let parts take over the regions above ever lower levels of the distance, each pixel the nearest part's.

    Regions that hold no part wait until they merge with one that does.
    """
    level, parts = float(distance.max()), parts.copy()
    while level > 0:
        level = level * LEVEL_STEP if level > 1 else 0.0
        regions, count = ndimage.label(distance > level)
        held = np.zeros(count + 1, bool)
        held[regions[parts > 0]] = True
        held[0] = False
        nearest = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
        parts = np.where(held[regions], parts[tuple(nearest)], parts)
    return parts

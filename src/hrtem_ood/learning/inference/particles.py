"""What a segmentation shows: particles, their sizes, shapes and intensities, and how sure the network is of each."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from hrtem_ood.learning.inference.particle_labels import AS_THEY_ARE, ROWS, Labels, ParticleOptions, label_particles

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ParticleMeasurements:
    """Numbers about one segmented image.

    Attributes
    ----------
    covered : float, [1]
        Share of the pixels that are particle.
    particles : pandas.DataFrame
        One row per particle, the largest first; its index ``particle`` is the particle's number in ``labels``.

        - ``y_A``, ``x_A`` [Å]: centre of mass, from the outer corner of the first pixel.
        - ``y_px``, ``x_px`` [px]: the same as indices of the array, where the centre of the first pixel is (0, 0).
        - ``area_A2`` [Å²], and ``diameter_A`` [Å] of the circle of that area.
        - ``major_A``, ``minor_A`` [Å]: axes of the ellipse with the same second moments; ``aspect_ratio``, their ratio, from 1.
        - ``circularity`` [1]: 4π · area / perimeter², at most 1; that of a circle is 1. The perimeter is Crofton's, from the
          outline's crossings with lines in four directions: exact for a circle on average, 5 % short for an upright square.
        - ``confidence`` [1]: mean over its pixels of 1 − H(p) / ln 2, where H is the entropy of the two classes: 1 where the
          network is certain, 0 where p is one half. A network can be certain and wrong.
        - ``intensity_ratio`` [1]: mean intensity of the image inside over that of all background, from the level without
          electrons; NaN without background.
        - ``at_edge``: whether it touches the edge of the image, and may go on beyond it.
    entropy : float, [nat]
        Mean predictive entropy per pixel, H = −Σ p ln p over the two classes.
    labels : int32 array, (y, x)
        Numbers of the particles; 0 is background.
    """

    covered: float
    particles: pd.DataFrame
    entropy: float
    labels: Labels

    def write_csv(self, path: Path) -> None:
        """Write the table of particles: straight into the file, as noise may be a million particles."""
        self.particles.to_csv(path, index_label="particle", float_format="%.6g")


def threshold(probability: Floats) -> NDArray[np.uint8]:
    """Pixels that are more likely particle than not, as 0 and 1; a tie is background, as in the scores."""
    return (probability > 0.5).astype(np.uint8)


def confidence_map(probability: Floats, dead: NDArray[np.bool_] | None = None) -> Floats:
    """Tell how sure a network is of each pixel.

    Parameters
    ----------
    probability : float32 array, (y, x), [1]
    dead : bool array, (y, x), optional
        Pixels without information, of which nothing is known.

    Returns
    -------
    float32 array, (y, x), [1]
        1 − H(p) / ln 2 with the entropy H of the two classes: 1 where p is 0 or 1, 0 where p is one half or the pixel is dead.
    """
    result = np.empty(probability.shape, np.float32)
    for start in range(0, len(probability), ROWS):
        result[start : start + ROWS] = 1 - _entropy(probability[start : start + ROWS]) / math.log(2)
    if dead is not None:
        result[dead] = 0
    return result


def measure_particles(
    probability: Floats,
    pixel_size_A: float,
    options: ParticleOptions = AS_THEY_ARE,
    *,
    image: Floats | None = None,
    zero: float = 0.0,
) -> ParticleMeasurements:
    """Measure a segmentation.

    Parameters
    ----------
    probability : float32 array, (y, x), [1]
    pixel_size_A : float, [Å]
    options : ParticleOptions
    image : float32 array, (y, x), optional
        What was segmented; without it, intensities are NaN.
    zero : float, optional
        Value of the image without electrons.

    Returns
    -------
    ParticleMeasurements
    """
    labels = label_particles(threshold(probability), pixel_size_A, options)
    entropy = sum(float(_entropy(probability[start : start + ROWS]).sum()) for start in range(0, len(labels), ROWS))
    return ParticleMeasurements(
        int(np.count_nonzero(labels)) / labels.size,
        _table(labels, probability, pixel_size_A, image, zero),
        entropy / labels.size,
        labels,
    )


def _entropy(probability: Floats) -> NDArray[np.float64]:
    p = probability.astype(np.float64)
    return np.asarray(special.entr(p) + special.entr(1 - p))


def _table(labels: Labels, probability: Floats, pixel_size_A: float, image: Floats | None, zero: float) -> pd.DataFrame:
    count = int(labels.max())
    sums = _sums(labels, count, probability, image)
    pixels = sums["1"]
    y, x = sums["y"] / pixels, sums["x"] / pixels
    major, minor = _axes(sums["yy"] / pixels, sums["xx"] / pixels, sums["yx"] / pixels, y, x)
    area = pixels * pixel_size_A**2
    table = pd.DataFrame(
        {
            "y_A": (y + 0.5) * pixel_size_A,
            "x_A": (x + 0.5) * pixel_size_A,
            "y_px": y,
            "x_px": x,
            "area_A2": area,
            "diameter_A": 2 * np.sqrt(area / np.pi),
            "major_A": major * pixel_size_A,
            "minor_A": minor * pixel_size_A,
            "aspect_ratio": major / minor,
            "circularity": np.minimum(4 * np.pi * pixels / perimeters_px(labels, count) ** 2, 1),
            "confidence": 1 - sums["entropy"] / pixels / math.log(2),
            "intensity_ratio": _intensity_ratio(sums["image"] / pixels, labels, image, zero),
            "at_edge": _at_edge(labels, count),
        }
    )
    table.index = pd.RangeIndex(1, count + 1, name="particle")
    return table


def _sums(labels: Labels, count: int, probability: Floats, image: Floats | None) -> dict[str, NDArray[np.float64]]:
    """Sum over the pixels of each particle: 1, coordinates [px], their products, entropy [nat] and the image."""
    names = ("1", "y", "x", "yy", "xx", "yx", "entropy", "image")
    total = {name: np.zeros(count + 1) for name in names}
    for start in range(0, len(labels), ROWS):
        rows, columns = np.nonzero(labels[start : start + ROWS])
        which = labels[start : start + ROWS][rows, columns]
        y, x = (rows + start).astype(np.float64), columns.astype(np.float64)
        entropy = _entropy(probability[start : start + ROWS][rows, columns])
        intensity = np.full(len(which), np.nan) if image is None else image[start : start + ROWS][rows, columns]
        for name, weight in zip(names, (None, y, x, y * y, x * x, y * x, entropy, intensity), strict=True):
            total[name] += np.bincount(which, weight, count + 1)
    return {name: values[1:] for name, values in total.items()}


def _axes(
    yy: NDArray[np.float64],
    xx: NDArray[np.float64],
    yx: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the axes [px] of ellipses by their moments about 0 and centres: 4 √λ of the covariance's eigenvalues λ.

    A pixel is a square, whose own variance of 1/12 is added.
    """
    yy, xx, yx = yy - y * y + 1 / 12, xx - x * x + 1 / 12, yx - y * x
    middle, half = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    return 4 * np.sqrt(middle + half), 4 * np.sqrt(np.maximum(middle - half, 1 / 12))


def perimeters_px(labels: Labels, count: int) -> NDArray[np.float64]:
    """Return the perimeters of particles by Crofton's formula, with lines in four directions.

    A perimeter is π/8 times the sum over directions of crossings times the distance of the lines, which is 1 along rows and
    columns, and 1/√2 along diagonals (D. Legland, K. Kiêu and M.-F. Devaux, Image Anal. Stereol. 26 (2007) 83). The edge of
    the image counts as outline.

    Parameters
    ----------
    labels : int32 array, (y, x)
        Numbers from 1 to ``count``; 0 is background.
    count : int

    Returns
    -------
    float64 array, (particle,), [px]
    """
    total = np.zeros(count + 1)
    height = len(labels)
    for start in range(0, height + 1, ROWS):
        # a line of background around the image, and the row before these for lines across
        rows = np.pad(labels[max(start - 1, 0) : start + ROWS], ((start == 0, start + ROWS > height), (1, 1)))
        for a, b, distance in (
            (rows[1:, :-1], rows[1:, 1:], 1.0),
            (rows[:-1], rows[1:], 1.0),
            (rows[:-1, :-1], rows[1:, 1:], math.sqrt(0.5)),
            (rows[:-1, 1:], rows[1:, :-1], math.sqrt(0.5)),
        ):
            differ = a != b
            for side in (a, b):
                total += distance * np.bincount(side[differ], minlength=count + 1)
    return math.pi / 8 * total[1:]


def _intensity_ratio(
    inside: NDArray[np.float64], labels: Labels, image: Floats | None, zero: float
) -> NDArray[np.float64]:
    total, pixels = 0.0, 0
    for start in range(0, len(labels) if image is not None else 0, ROWS):
        assert image is not None
        background = labels[start : start + ROWS] == 0
        total += float(image[start : start + ROWS][background].sum(dtype=np.float64))
        pixels += int(background.sum())
    level = total / pixels - zero if pixels else 0.0
    return (inside - zero) / level if level > 0 else np.full(len(inside), np.nan)


def _at_edge(labels: Labels, count: int) -> NDArray[np.bool_]:
    at_edge = np.zeros(count + 1, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_edge[line] = True
    return at_edge[1:]

"""What a segmentation shows: particles and their sizes, and how sure the network is."""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, special

ROWS = 256
"""Rows of an image that are turned into entropy at once."""


@dataclass(frozen=True)
class ParticleMeasurements:
    """Numbers about one segmented image.

    Attributes
    ----------
    covered : float, [1]
        Share of the pixels that are particle.
    particles : pandas.DataFrame
        One row per connected particle, the largest first: ``y_A`` and ``x_A`` (centre, from the image's first corner)
        [Å], ``area_A2`` [Å²], ``diameter_A`` (of the circle of that area) [Å], ``at_edge``.
    entropy : float, [nat]
        Mean predictive entropy per pixel, H = −Σ p ln p over the two classes.
    """

    covered: float
    particles: pd.DataFrame
    entropy: float

    def csv(self) -> str:
        """Write the table of particles."""
        text = io.StringIO()
        self.particles.to_csv(text, index_label="particle", float_format="%.6g")
        return text.getvalue()


def threshold(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Pixels that are more likely particle than not, as 0 and 1; a tie is background, as in the scores."""
    return (probability > 0.5).astype(np.uint8)


def measure_particles(probability: NDArray[np.float32], pixel_size_A: float) -> ParticleMeasurements:
    """Measure a segmentation.

    Parameters
    ----------
    probability : float32 array, (y, x), [1]
    pixel_size_A : float, [Å]

    Returns
    -------
    Findings
    """
    mask = threshold(probability)
    return ParticleMeasurements(float(mask.mean()), _particles(mask, pixel_size_A), _entropy(probability))


def _particles(mask: NDArray[np.uint8], pixel_size_A: float) -> pd.DataFrame:
    labels, count = ndimage.label(mask)  # pixels that share a side are connected
    rows, columns = np.nonzero(mask)
    which = labels[rows, columns] - 1
    pixels = np.bincount(which, minlength=count)
    at_edge = np.zeros(count, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_edge[line[line > 0] - 1] = True
    area = pixels * pixel_size_A**2
    table = pd.DataFrame(
        {
            "y_A": (np.bincount(which, rows, count) / pixels + 0.5) * pixel_size_A,
            "x_A": (np.bincount(which, columns, count) / pixels + 0.5) * pixel_size_A,
            "area_A2": area,
            "diameter_A": 2 * np.sqrt(area / np.pi),
            "at_edge": at_edge,
        }
    )
    return table.sort_values("area_A2", ascending=False, kind="stable", ignore_index=True)


def _entropy(probability: NDArray[np.float32]) -> float:
    total = 0.0
    for start in range(0, len(probability), ROWS):
        p = probability[start : start + ROWS].astype(np.float64)
        total += float((special.entr(p) + special.entr(1 - p)).sum())
    return total / probability.size

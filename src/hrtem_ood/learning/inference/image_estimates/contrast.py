"""Where the particles of an image are, by their texture, and the contrast-to-noise ratio that follows."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity, Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import Tiles, ring_medians
from hrtem_ood.transfer.parameters import Transfer

Floats = NDArray[np.float64]

BLUR_A = 4.0
"""Standard deviation of the Gaussian over which power is averaged, to see particles [Å]."""

STANDS_OUT = 4.0
"""Standard deviations of the film's texture above which texture is none of the film's."""

CORE = 0.3
"""Least area that stands out by so much, relative to all that counts as particle: the few extremes of a large film's fluctuations
make a threshold that many others exceed."""

FAINT = 4.0
"""Least excess of the particles' power over the film's, in standard deviations that its local means have by chance."""

FEWEST_A2 = 100.0
"""Least area of particles and of film from which their contrast is taken [Å²]."""

RIM_A = 4.0
"""Film nearer to a particle than this does not count as film [Å]: the particle's contrast reaches there."""

OF_MODEL = 0.15
"""Standard deviation of ln CNR beyond that of counting: contrast of images is not linear in the phase, and the particles' area
is that of their texture."""


@dataclass(frozen=True)
class Textures:
    """Film and particles, told apart by local power.

    Attributes
    ----------
    particle, film : bool array, (tile, y, x)
        Neither at the particles' rims. Both empty where an image has one texture only.
    variance : float64 array, (tile, y, x), [1]
        Square of the image within the band.
    band_A2 : float, [1/Å²]
        Area of the band.
    """

    particle: NDArray[np.bool_]
    film: NDArray[np.bool_]
    variance: Floats
    band_A2: float

    @property
    def distinct(self) -> bool:
        """Whether there are both."""
        return bool(self.particle.any() and self.film.any())


def find_textures(tiles: Tiles, noise_A2: float) -> Textures:
    """Tell particles from film.

    Frequencies are weighted by signal over power, as in Wiener's filter, to see texture in noise; the square is averaged
    locally. The film is the most frequent level of its logarithm, with a spread that the lower side shows. Particles are what
    stands out, above the middle between both.

    Parameters
    ----------
    tiles : Tiles
    noise_A2 : float, [Å²]
        Power of white noise.

    Returns
    -------
    Textures
    """
    q, band = tiles.frequencies[0], _band(tiles)
    step = 1 / (tiles.side * tiles.pixel_size_A)
    ring = np.rint(q / step).astype(int)
    typical = ndimage.gaussian_filter1d(ring_medians(tiles.power, ring, tiles.independent), 2)
    signal = np.maximum(typical - noise_A2, 0)
    weight = np.sqrt(np.divide(signal, typical, out=np.zeros_like(signal), where=typical > 0))[ring] * band
    blur = BLUR_A / tiles.pixel_size_A
    variance = _back(tiles.spectra * band) ** 2
    local = ndimage.gaussian_filter(_back(tiles.spectra * weight) ** 2, (0, blur, blur), mode="nearest")
    particle = _standing_out(local)
    rim = ndimage.gaussian_filter(particle.astype(float), (0, blur, blur), mode="nearest")
    film = rim < math.exp(-0.5 * (RIM_A / BLUR_A) ** 2) / 4
    area = tiles.pixel_size_A**2
    if min(particle.sum(), film.sum()) * area < FEWEST_A2:
        particle, film = np.zeros_like(particle), np.ones_like(film)
    return Textures(particle, film, variance, float(band.sum()) * step**2)


def _band(tiles: Tiles) -> NDArray[np.bool_]:
    q = tiles.frequencies[0]
    return np.asarray((q >= Transfer().q_min_per_A) & (q <= 1 / (2 * tiles.pixel_size_A)))


def _back(spectra: NDArray[np.complex128]) -> Floats:
    return np.asarray(scipy.fft.ifft2(spectra).real)


def _standing_out(local: Floats) -> NDArray[np.bool_]:
    """Find what stands out of the most frequent level of a positive field."""
    level = np.log(np.maximum(local, 1e-12 * max(float(local.max()), 1e-300)))
    typical = _most_frequent(level)
    spread = math.sqrt(float(np.mean((level[level <= typical] - typical) ** 2)))
    above = level > typical + STANDS_OUT * spread
    if spread == 0 or not above.any():
        return np.zeros(local.shape, bool)
    # edges of particles are blurred: half of the particles' power is where their edge is
    middle = (math.exp(typical) + float(np.median(local[above]))) / 2
    particle = local > max(middle, math.exp(typical + STANDS_OUT / 2 * spread))
    return np.asarray(particle if above.sum() > CORE * particle.sum() else np.zeros(local.shape, bool))


def _most_frequent(values: Floats) -> float:
    """Return the middle of the shortest interval that holds a third of the values: their mode."""
    ordered = np.sort(values, axis=None)
    ordered = ordered[:: max(1, ordered.size // 100_000)]
    held = max(2, ordered.size // 3)
    widths = ordered[held - 1 :] - ordered[: ordered.size - held + 1]
    start = int(widths.argmin())
    return float(ordered[start : start + held].mean())


def estimate_log_cnr(tiles: Tiles, textures: Textures, level_A2: Quantity) -> Quantity:
    """Estimate ln CNR, as :func:`hrtem_ood.transfer.information.log_cnr` defines it: of particles, without the film.

    CNR² = ∫∫ S/n d²q, with the particles' contrast S per area that they cover and the power n of counting noise. By Parseval's
    theorem, ∫∫ S d²q is the variance of the image within the band, in particles less that in film.

    Parameters
    ----------
    tiles : Tiles
    textures : Textures
    level_A2 : Estimate or Unknown, [Å²]
        Power of counting noise.

    Returns
    -------
    Estimate or Unknown, [1]
    """
    if isinstance(level_A2, Unknown):
        return level_A2
    if not textures.distinct:
        return Unknown("no particles stand out of the film's texture")
    inside, outside = textures.variance[textures.particle], textures.variance[textures.film]
    signal = float(inside.mean() - outside.mean())
    # a band of area B has B independent numbers per unit of image area; each square has a standard deviation of √2
    numbers = [each.size * tiles.pixel_size_A**2 * textures.band_A2 for each in (inside, outside)]
    deviation = math.hypot(
        *(float(each.mean()) * math.sqrt(2 / number) for each, number in zip((inside, outside), numbers, strict=True))
    )
    # what stands out of mere noise has been chosen for it: it is higher by some deviations of a local mean
    local = math.sqrt(2 / (textures.band_A2 * 4 * math.pi * BLUR_A**2))
    if signal < max(3 * deviation, FAINT * local * float(outside.mean())):
        return Unknown("particles do not stand out of the noise")
    value = math.log(signal / level_A2.value) / 2
    relative = math.hypot(deviation / signal, level_A2.uncertainty / level_A2.value) / 2
    return Estimate(value, math.hypot(relative, OF_MODEL))

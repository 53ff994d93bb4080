"""Changes of an image that should not change its segmentation."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]

BLUR_A = 0.5
"""Standard deviation of the Gaussian of `blur` [Å]: damps fringes of 2 Å to 29 %, of 3 Å to 58 %."""

DEFOCUS_A = 60.0
"""Change of the defocus in `defocus` [Å]."""

GAMMA = 0.15
"""Strength of `background`: standard deviation of the added slow field over that of the image."""


class Perturbation(NamedTuple):
    """A change of an image, and how to bring a map of the changed image back to the pixels of the image.

    Attributes
    ----------
    change : callable
        Of an image (y, x), float32, its pixel size [Å] and the electrons' wavelength [Å].
    undo : callable
        Of a map (y, x) of the changed image.
    """

    change: Callable[[Image, float, float], Image]
    undo: Callable[[Image], Image]


def noise_deviation(image: Image) -> float:
    """Estimate the standard deviation of white noise.

    σ = √(π/2) ⟨|I ∗ N|⟩ / 6 with the difference N of two Laplacian masks, (1, −2, 1) in y times the same in x, which a linear or
    quadratic signal does not pass (J. Immerkær, Comput. Vis. Image Underst. 64, 300 (1996)). Fringes of a few pixels count as
    noise.

    Parameters
    ----------
    image : float32 array, (y, x), sides from 3

    Returns
    -------
    float
        In the unit of the image.
    """
    twice = np.diff(np.diff(image.astype(np.float64), n=2, axis=0), n=2, axis=1)
    return math.sqrt(math.pi / 2) * float(np.abs(twice).mean()) / 6


def add_noise(image: Image, pixel_size_A: float, wavelength_A: float) -> Image:  # noqa: ARG001  # of every change
    """Add as much white noise as there is, as half the dose would; the same draws each time."""
    drawn = np.random.default_rng(0).standard_normal(image.shape, np.float32)
    return image + np.float32(noise_deviation(image)) * drawn


def blur(image: Image, pixel_size_A: float, wavelength_A: float) -> Image:  # noqa: ARG001
    """Blur by a Gaussian, as a wider envelope would."""
    return np.asarray(ndimage.gaussian_filter(image, BLUR_A / pixel_size_A, mode="reflect"), np.float32)


def defocus(image: Image, pixel_size_A: float, wavelength_A: float) -> Image:
    """Multiply the spectrum by cos(π λ Δ q²), with Δ of :data:`DEFOCUS_A`.

    Of a weak phase object, a defocus Δ more turns the transfer sin χ into sin χ cos(π λ Δ q²) + cos χ sin(π λ Δ q²) (L. Reimer
    and H. Kohl, *Transmission Electron Microscopy*, 5th ed. (2008), Ch. 6); the first term is what the image tells. Cosines of
    type II continue the image evenly beyond its edges.
    """
    frequency = [np.arange(side) / (2 * side * pixel_size_A) for side in image.shape]
    square = frequency[0][:, None] ** 2 + frequency[1][None, :] ** 2
    factor = np.cos(np.pi * wavelength_A * DEFOCUS_A * square).astype(np.float32)
    return np.asarray(scipy.fft.idctn(scipy.fft.dctn(image, type=2) * factor, type=2), np.float32)


def _turn(image: Image, pixel_size_A: float, wavelength_A: float) -> Image:  # noqa: ARG001
    return np.ascontiguousarray(np.rot90(image))


def _same(values: Image) -> Image:
    return values


PERTURBATIONS = {
    "turn": Perturbation(_turn, lambda values: np.rot90(values, -1)),
    "noise": Perturbation(add_noise, _same),
    "blur": Perturbation(blur, _same),
    "defocus": Perturbation(defocus, _same),
}
"""By name: a quarter turn, more noise, blur, defocus."""

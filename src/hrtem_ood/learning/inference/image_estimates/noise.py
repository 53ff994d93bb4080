"""The level of white noise in an image, and the dose and gain that follow from it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity, Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import Tiles, bragg_limit, has_zero, ring_medians

Floats = NDArray[np.float64]

LOWEST, HIGHEST, RINGS = 0.5, 1.38, 30
"""Rings in which noise is looked for, in units of the Nyquist frequency; the corners of the spectrum reach 1.41."""

FLAT = 0.35
"""Most signal at the Nyquist frequency, relative to noise, with which the noise is taken for known."""

UNIT_GAIN = 0.2
"""Whole numbers whose variance is that of counts within this share are electrons."""

OF_COUNTS, OF_NOISE = 0.02, 0.05
"""Relative uncertainty of the dose beyond that of the fit: of counted electrons, and where the gain is from the noise."""

CORRELATED = 0.8
"""Least ratio of noise in the corners of the spectrum to that at the Nyquist frequency; interpolation takes it from there."""


MOST_ELECTRONS = 1e5
"""Of a pixel: more are taken for an offset of the values."""

LARGEST_WHOLE = 2**53
"""Larger numbers are whole because of their precision."""

MANY_VALUES, MOST_AT_END = 16, 0.005
"""Images of so many values are cut off where more than this share of them is the largest."""


@dataclass(frozen=True)
class Floor:
    """The floor of a power spectrum.

    Attributes
    ----------
    level : float, [Å²]
        Power of white noise, relative to the square of the tiles' scale.
    uncertainty : float, [Å²]
    tail : float, [1]
        Signal at the Nyquist frequency over noise.
    corner : float, [1]
        Power in the outermost corners over that between 0.9 and 1 of the Nyquist frequency.
    """

    level: float
    uncertainty: float
    tail: float
    corner: float


def fit_floor(tiles: Tiles) -> Floor:
    """Fit white noise and a falling signal to the power at high frequencies.

    The signal falls as a power of q or, with envelopes, as q⁻⁴ times an exponential: the square of an atom's scattering
    factor falls as q⁻⁴ at high frequencies (Reimer & Kohl, *Transmission Electron Microscopy*, 5th ed. (2008), Ch. 5).
    Each shape is fitted by non-negative least squares; the results are averaged with the weights exp(−Δχ²/2).

    Parameters
    ----------
    tiles : Tiles

    Returns
    -------
    Floor
    """
    of_nyquist = tiles.frequencies[0] * 2 * tiles.pixel_size_A
    used = tiles.off_axes & (of_nyquist >= LOWEST) & (of_nyquist < HIGHEST)
    ring = ((of_nyquist[used] - LOWEST) / (HIGHEST - LOWEST) * RINGS).astype(int)
    power = tiles.power[used]
    typical = ring_medians(power, ring, tiles.independent)
    limit = bragg_limit(tiles.independent)
    kept = power < limit * typical[ring]
    count = np.bincount(ring[kept], minlength=RINGS)
    level = np.bincount(ring[kept], power[kept], minlength=RINGS) / np.maximum(count, 1)
    middle = LOWEST + (np.arange(RINGS) + 0.5) * (HIGHEST - LOWEST) / RINGS
    some = (count > 0) & (level > 0)
    # each pair ±q is one number
    precision = np.sqrt(count[some] / 2 * tiles.independent) / level[some]
    fits = [_fit(shape[some], level[some], precision) for shape in _signal_shapes(middle)]
    chi2, noise, tail = np.array(fits).T
    scale = max(1.0, float(chi2.min()) / max(int(some.sum()) - 3, 1))
    weight = np.exp(-(chi2 - chi2.min()) / (2 * scale))
    weight /= weight.sum()
    mean = float(weight @ noise)
    statistical = mean * math.sqrt(scale / max(float(count.sum()) / 2 * tiles.independent, 1))
    spread = math.sqrt(float(weight @ (noise - mean) ** 2))
    signal = float(weight @ tail)
    rim, corner = (middle > 0.9) & (middle < 1), middle > 1.25
    at_rim, at_corner = (np.average(level[each], weights=np.maximum(count[each], 1e-9)) for each in (rim, corner))
    return Floor(
        mean,
        math.hypot(statistical, spread),
        signal / mean if mean > 0 else math.inf,
        float(at_corner / at_rim) if at_rim > 0 else 0.0,
    )


def _signal_shapes(of_nyquist: Floats) -> list[Floats]:
    """Return falling signals, 1 at the Nyquist frequency."""
    powers = [of_nyquist**-exponent for exponent in (2, 3, 4, 5, 6, 8, 12)]
    damped = [
        of_nyquist**-4.0 * np.exp(rate * (1 - of_nyquist**order)) for order in (2, 4) for rate in (0.5, 1.0, 2.0, 4.0)
    ]
    return [np.zeros_like(of_nyquist), *powers, *damped]


def _fit(shape: Floats, level: Floats, precision: Floats) -> tuple[float, float, float]:
    """Return χ², noise, and signal at the Nyquist frequency."""
    columns = np.stack([np.ones_like(shape), shape], axis=1)
    amplitudes = np.zeros(2)
    for _ in range(3):  # the precision is that of the fit rather than of the data
        amplitudes, _ = nnls(columns * precision[:, None], level * precision)
        fitted = columns @ amplitudes
        residual = (level - fitted) * precision
        precision = precision * level / np.maximum(fitted, 1e-12 * level)
    return float(residual @ residual), float(amplitudes[0]), float(amplitudes[1])


@dataclass(frozen=True)
class Noise:
    """Counting noise of an image.

    Attributes
    ----------
    dose_e_per_A2 : Estimate or Unknown, [e/Å²]
    gain : Estimate or Unknown
        Value per electron.
    level_A2 : Estimate or Unknown, [Å²]
        Power of the noise relative to the square of the tiles' scale; known for images without a zero, too.
    """

    dose_e_per_A2: Quantity
    gain: Quantity
    level_A2: Quantity


def estimate_noise(image: NDArray[np.floating], live: NDArray[np.bool_], tiles: Tiles, zero: float) -> Noise:
    """Estimate dose, gain and level of noise.

    Electrons are counted with the variance of their number: values g N of N electrons have the mean g⟨N⟩ and the variance
    g²⟨N⟩, so that the gain g is variance over mean (photon transfer: J. R. Janesick, *Photon Transfer* (2007)).
    Of the variance, only the white floor of the power spectrum counts. Whole numbers whose variance is nearly that of
    counts, and multiples of a step, are taken for electrons; their dose is mean over area.

    Parameters
    ----------
    image, live, tiles
        See :func:`~hrtem_ood.learning.inference.image_estimates.spectra.cut_tiles`.
    zero : float
        Value without electrons.

    Returns
    -------
    Noise
    """
    if _cut_off(image[live]):
        why = Unknown("many pixels have the largest value: the image is saturated")
        return Noise(why, why, why)
    floor, area = fit_floor(tiles), tiles.pixel_size_A**2
    correlated = _correlated(floor)
    mean = float(image[live].mean()) - zero
    if not has_zero(image[live], zero):
        why = Unknown("the value without electrons is not known")
        return Noise(why, why, correlated or _flat(floor))
    counted = _counted(image[live], zero, mean, floor, area)
    if counted is not None:
        relative = OF_COUNTS
        dose = mean / counted / area
        return Noise(
            Estimate(dose, relative * dose), Estimate(counted, relative * counted), Estimate(1 / dose, relative / dose)
        )
    level = correlated or _flat(floor)
    if isinstance(level, Unknown):
        return Noise(level, level, level)
    dose = 1 / level.value  # relative to the mean squared, noise is 1/D
    if dose * area > MOST_ELECTRONS or _zero_is_a_guess(image[live], zero, dose * area):
        why = Unknown("the value without electrons is not known")
        return Noise(why, why, level)
    relative = level.uncertainty / level.value
    gain = mean / (dose * area)
    return Noise(Estimate(dose, relative * dose), Estimate(gain, relative * gain), level)


def _cut_off(values: NDArray[np.floating]) -> bool:
    """Whether an image is saturated; one of few electrons has few values, each in many pixels."""
    largest = values.max()
    return bool((values == largest).mean() > MOST_AT_END and np.unique(values).size > MANY_VALUES)


def _correlated(floor: Floor) -> Unknown | None:
    if not floor.level > 0:
        return Unknown("the power spectrum has no floor of white noise")
    if floor.corner < CORRELATED / (1 + floor.tail) and floor.tail <= FLAT:
        return Unknown(
            "neighbouring pixels have correlated noise, as after resampling or behind a detector's modulation transfer"
        )
    return None


def _flat(floor: Floor) -> Quantity:
    if floor.tail > FLAT:
        return Unknown(
            "the power spectrum still falls at its end: by signal, resampling, or the detector's modulation transfer"
        )
    relative = math.hypot(floor.uncertainty / floor.level, OF_NOISE, floor.tail / 3)
    return Estimate(floor.level, relative * floor.level)


def _counted(values: NDArray[np.floating], zero: float, mean: float, floor: Floor, area: float) -> float | None:
    """Return the value of an electron where all values are whole multiples of one, with the noise of counts."""
    above = values.astype(np.float64) - zero
    whole = np.rint(above)
    if np.abs(above - whole).max() > 1e-3 or whole.min() < 0 or whole.max() > LARGEST_WHOLE:
        return None
    step = float(np.gcd.reduce(np.unique(whole.astype(np.int64))))
    gain = floor.level * mean / area
    tolerance = step * max(UNIT_GAIN, min(2 * floor.uncertainty / floor.level, 0.45)) if floor.level > 0 else 0.0
    return step if step > 0 and abs(gain - step) < tolerance else None


def _zero_is_a_guess(values: NDArray[np.floating], zero: float, electrons: float) -> bool:
    """Whether the least value is called zero although so many electrons leave no pixel without any, in 19 of 20 images."""
    return float(values.min()) >= zero and np.isclose(values.min(), zero) and electrons > math.log(values.size) + 3

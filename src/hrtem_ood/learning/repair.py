"""Repair of micrographs: defects of detector and illumination that simulated training images do not have.

A network standardises an image by its mean and deviation over all pixels. A single X-ray spike, a few dead rows or a
slope of the illumination changes these, hence the whole segmentation. :func:`repair_image` removes such defects before,
and leaves an image without them as it is:

1. dead pixels are those of constant patches and lines, which noise does not make;
2. spikes are replaced by the median around them;
3. the background, a polynomial of second order with a step to holes in the film, is divided out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hrtem_ood.learning.inference.resample import block_mean

CHANCE = 1e-3
"""Constant lines and patches are dead if noise would make one in fewer than this share of images."""

SPIKE = 8.0
"""Pixels that differ from the median around them by more standard deviations of the noise are spikes."""

SPIKE_WINDOW_PX = 15
"""Side of the window in which the noise is estimated, so that the columns of a crystal are no spikes."""

LEAST_SLOPE = 0.3
"""Backgrounds that vary by less standard deviations of the image, peak to peak, stay: particles alone make as much."""

BRIGHT = 1.3
"""Regions are brought to the film's level if they are brighter by this factor."""

EXCESS = 1.5
"""Pixels whose variance around them, over their mean, is more times the image's lower quartile are not film."""

BETTER = 0.6
"""A step to bright regions must lower the mean absolute residual of the background to this share."""

BLUR_PX = 3.0
"""Gaussian by which noise is averaged before backgrounds and bright regions are looked for: its standard deviation."""

FEWEST_PX = 64
"""Images with fewer live pixels are left as they are: nothing can be estimated from them."""

SLAB_PX = 512
"""Rows that are searched for spikes at once."""

FIT_PX = 512
"""Backgrounds are fitted to block means of at most about so many pixels each way."""

_CAUCHY = 3.0
_ITERATIONS = 8
_LEAST_LEVEL = 0.05


@dataclass(frozen=True)
class RepairedImage:
    """An image after its repair.

    Attributes
    ----------
    image : float32 array, (y, x)
        Dead pixels have values of others, drawn at random.
    dead : bool array, (y, x)
        Pixels without information; nothing is segmented there.
    spikes : int
        Number of pixels that were replaced.
    slope : float, [1]
        Peak-to-peak variation of the background, relative to its mean, which was divided out; 0 where none was.
    bright : float, [1]
        Share of the pixels in regions beyond a step of the background, such as holes in the film.

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> image = np.random.default_rng(0).poisson(60, (64, 64)).astype(np.float32)
    >>> image[20] = 0
    >>> repaired = hrtem_ood.repair_image(image)
    >>> int(repaired.dead.sum()), bool(repaired.dead[20].all()), repaired.spikes, repaired.bright
    (64, True, 0, 0.0)
    """

    image: NDArray[np.float32]
    dead: NDArray[np.bool_]
    spikes: int
    slope: float
    bright: float


def repair_image(image: NDArray[np.float32], *, zero: float = 0.0) -> RepairedImage:
    """Remove spikes, background and bright regions of an image, and find its dead pixels.

    `predict` does this before segmentation, and networks with ``repair: true`` are trained and tested on such images. A program
    that runs an exported network does it itself.

    Parameters
    ----------
    image : float32 array, (y, x), [counts]
        In any unit.
    zero : float, optional, [counts]
        Value of a pixel without electrons.

    Returns
    -------
    RepairedImage

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> image = np.random.default_rng(0).poisson(60, (64, 64)).astype(np.float32)
    >>> bool((hrtem_ood.repair_image(image).image == image).all())
    True
    >>> image[30, 40] = 5000
    >>> repaired = hrtem_ood.repair_image(image)
    >>> repaired.spikes, bool(repaired.image[30, 40] < 100)
    (1, True)
    """
    dead = dead_pixels(image)
    live = ~dead
    if live.sum() < FEWEST_PX:
        return RepairedImage(image, dead, 0, 0.0, 0.0)
    clean, spikes = _without_spikes(_fill(image, live), live)
    background, bright = fit_background(clean - np.float32(zero), live)
    if np.ptp(background[live]) < LEAST_SLOPE * clean[live].std():
        return RepairedImage(clean, dead, spikes, 0.0, 0.0)
    background /= background[live].mean()
    clean = (clean - np.float32(zero)) / background + np.float32(zero)
    return RepairedImage(_fill(clean, live), dead, spikes, float(np.ptp(background[live])), bright)


def _fill(image: NDArray[np.float32], live: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give dead pixels the values of live ones, drawn at random: a flat region would look like nothing ever trained on."""
    result = image.astype(np.float32, copy=True)
    draws = np.random.default_rng(0).integers(int(live.sum()), size=int((~live).sum()))  # repeatable
    result[~live] = image[live][draws]
    return result


def dead_pixels(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find pixels in constant lines and patches: dead rows and columns, borders, beam stops, saturated regions.

    A line of n equal pixels is dead if noise would make one in fewer than :data:`CHANCE` images: if 2 N pⁿ⁻¹ < CHANCE, with
    N pixels in the image, lines along y and x, and the probability p that a pixel equals the one before it. A square patch is
    dead if its side is half as long, and 3 px or more: it has far more pixels, though in a smooth image they depend on each
    other.

    The image gives p: first all pixels do, of which dead ones make it too large, then those not found dead.

    Parameters
    ----------
    image : float32 array, (y, x)

    Returns
    -------
    bool array, (y, x)
    """
    equal = [np.diff(image, axis=axis) == 0 for axis in (0, 1)]
    dead = _constant_regions(image, [_share(each) for each in equal])
    shares = []
    for axis, each in enumerate(equal):
        live = ~(_before(dead, axis) | _after(dead, axis))
        # In smooth images equal pixels follow equal ones: their share among those is larger than among all.
        after_equal = _after(each, axis)[_before(each & live, axis) & _after(live, axis)]
        shares.append(max(_share(each[live]), _share(after_equal)))
    return _constant_regions(image, shares)


def _share(equal: NDArray[np.bool_]) -> float:
    return float(equal.mean()) if equal.size else 0.0


def _before(pixels: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    return pixels[:-1] if axis == 0 else pixels[:, :-1]


def _after(pixels: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    return pixels[1:] if axis == 0 else pixels[:, 1:]


def _constant_regions(image: NDArray[np.float32], shares: Sequence[float]) -> NDArray[np.bool_]:
    """Find constant lines and patches, given the probability of equal neighbours along y and x, see :func:`dead_pixels`."""
    dead = np.zeros(image.shape, bool)
    longest = 0
    for axis, share in enumerate(shares):
        probability = min(max(share, 1 / image.size), 0.999)
        length = 1 + math.ceil(math.log(CHANCE / (2 * image.size)) / math.log(probability))
        longest = max(longest, length)
        if length <= image.shape[axis]:
            dead |= _in_constant_window(image, (length, 1) if axis == 0 else (1, length))
    patch = max(3, math.ceil(longest / 2))
    if patch <= min(image.shape):
        dead |= _in_constant_window(image, (patch, patch))
    return dead


def _in_constant_window(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether a pixel lies in some window of that size, inside the image, of which all pixels are equal."""
    height, width = (side - window + 1 for side, window in zip(image.shape, size, strict=True))
    first = tuple(window // 2 for window in size)  # SciPy's windows are centred
    inside = (slice(first[0], first[0] + height), slice(first[1], first[1] + width))
    constant = np.zeros(image.shape, bool)
    constant[inside] = (ndimage.maximum_filter(image, size) == ndimage.minimum_filter(image, size))[inside]
    origin = tuple(-1 if window % 2 == 0 else 0 for window in size)
    return np.asarray(ndimage.maximum_filter(constant, size, origin=origin, mode="constant", cval=False), bool)


def _without_spikes(image: NDArray[np.float32], live: NDArray[np.bool_]) -> tuple[NDArray[np.float32], int]:
    """Replace pixels that stand out of the noise around them by the median of 5 × 5 pixels; in slabs, for the memory."""
    result, spikes = image.copy(), 0
    for start in range(0, len(image), SLAB_PX):
        first, stop = max(0, start - SPIKE_WINDOW_PX), start + SLAB_PX
        slab = image[first : stop + SPIKE_WINDOW_PX]
        median, spike = _find_spikes(slab, live[first : stop + SPIKE_WINDOW_PX])
        own = slice(start - first, stop - first)
        result[start:stop] = np.where(spike, median, slab)[own]
        spikes += int(spike[own].sum())
    return result, spikes


def _find_spikes(image: NDArray[np.float32], live: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the median around each pixel, and which pixels are spikes, each (y, x)."""
    median = ndimage.median_filter(image, 5, mode="reflect")
    distance = np.abs(image - median)
    typical = float(np.median(distance))
    if typical == 0:  # hardly an electron per pixel: the noise cannot be estimated
        return median, np.zeros(image.shape, bool)
    # Of a spike little counts: distances are cut at 5 standard deviations, of which the median is a first estimate.
    deviation = 1.25 * float(np.minimum(distance, 5 * 1.4826 * typical).mean())
    # Where all pixels stand out, as in a crystal at a high dose, the noise is that of there.
    local = 1.25 * ndimage.uniform_filter(np.minimum(distance, 10 * deviation), SPIKE_WINDOW_PX, mode="reflect")
    return median, (distance > SPIKE * np.maximum(deviation, local)) & live


def fit_background(image: NDArray[np.float32], live: NDArray[np.bool_]) -> tuple[NDArray[np.float32], float]:
    """Fit a polynomial of second order in y and x to the live pixels of an image, with a step to brighter regions.

    The step, from the film to holes in it, is fitted where it explains the image far better than the polynomial alone, and
    is a factor of :data:`BRIGHT` or more. The fit is robust against particles, see :func:`_robust_fit`.

    Parameters
    ----------
    image : float32 array, (y, x)
    live : bool array, (y, x)

    Returns
    -------
    background : float32 array, (y, x)
        At least 5 % of the mean of the image.
    bright : float, [1]
        Share of the live pixels beyond the step; 0 where there is none.
    """
    least = _LEAST_LEVEL * float(image[live].mean())
    block = min(math.ceil(max(image.shape) / FIT_PX), *image.shape)
    share, level, variance = _local_statistics(image, live, block)
    # Film has the noise of its counts only. Crystals vary more, and their mean level is none of the film's.
    excess = variance / np.maximum(level, least)
    known = share > 0.1
    used = known & (excess < EXCESS * float(np.percentile(excess[known], 25))) if known.any() else known
    if used.sum() < FEWEST_PX:
        return np.full(image.shape, image[live].mean(), np.float32), 0.0
    y, x = (_pixel_positions(side, block) for side in image.shape)
    polynomials = _quadratic(y, x)
    basis = _quadratic(*(np.linspace(-1, 1, side, dtype=np.float32) for side in level.shape))
    coefficients, residual = _robust_fit(basis[:, used], level[used])
    beyond = level > _middle_of_two_classes(level[used])
    stepped, left = _robust_fit(np.concatenate([basis, beyond[None]])[:, used], level[used])
    bright = live & _enlarge(beyond, block, image.shape)
    film = np.tensordot(stepped[:-1], polynomials, 1)
    if (
        left < BETTER * residual
        and bright.any()
        and stepped[-1] > (BRIGHT - 1) * max(float(film[bright].mean()), least)
    ):
        return np.maximum(film + stepped[-1] * bright, np.float32(least)), float(bright.sum() / live.sum())
    return np.maximum(np.tensordot(coefficients, polynomials, 1), np.float32(least)), 0.0


def _enlarge(mask: NDArray[np.bool_], block: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Repeat each element over its block; the last ones over what is left of an image, too."""
    rows, columns = (np.minimum(np.arange(new) // block, old - 1) for new, old in zip(shape, mask.shape, strict=True))
    return np.asarray(mask[np.ix_(rows, columns)])


def _local_statistics(
    image: NDArray[np.float32], live: NDArray[np.bool_], block: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the share of live pixels around each block, their mean and their variance, under a Gaussian."""
    values = np.where(live, image, 0)
    sigma = max(BLUR_PX / block, 0.5)
    share, total, square = (
        ndimage.gaussian_filter(block_mean(part, block), sigma, mode="nearest")
        for part in (live.astype(np.float32), values, values**2)
    )
    mean, mean_square = (np.asarray(part / np.maximum(share, 1e-3), np.float32) for part in (total, square))
    return share, mean, np.asarray(np.maximum(mean_square - mean**2, 0), np.float32)


def _robust_fit(basis: NDArray[np.float32], values: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Fit a linear model by iteratively reweighted least squares with Cauchy's weights.

    The weights are 1 / (1 + (r / (3 s))²), of residuals r and their mean absolute value s (P. J. Huber and E. M. Ronchetti,
    Robust Statistics, 2nd ed., 2009).

    Parameters
    ----------
    basis : float32 array, (term, value)
    values : float32 array, (value,)

    Returns
    -------
    coefficients : float32 array, (term,)
    residual : float
        Mean absolute residual.
    """
    matrix = basis.T.astype(np.float64)
    weight = np.ones(len(values))
    for _ in range(_ITERATIONS):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(matrix * root[:, None], values * root, rcond=None)[0]
        residual = np.abs(values - matrix @ coefficients)
        weight = 1 / (1 + (residual / (_CAUCHY * (residual.mean() or 1.0))) ** 2)
    return coefficients.astype(np.float32), float(residual.mean())


def _middle_of_two_classes(values: NDArray[np.float32]) -> float:
    """Return the threshold that lies in the middle of the means of what it separates (T. W. Ridler and S. Calvard, 1978)."""
    middle = float(values.min() + np.ptp(values) / 2)
    for _ in range(50):
        above = values > middle
        if above.all() or not above.any():
            break
        new = float(values[above].mean() + values[~above].mean()) / 2
        if math.isclose(new, middle, rel_tol=1e-5):
            break
        middle = new
    return middle


def _pixel_positions(side: int, block: int) -> NDArray[np.float32]:
    """Positions of pixels, where the first block's centre is −1 and the last one's 1."""
    blocks = side // block
    return np.asarray((2 * ((np.arange(side) + 0.5) / block - 0.5) / max(blocks - 1, 1)) - 1, np.float32)


def _quadratic(y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the monomials up to second order, float32 array, (monomial, y, x)."""
    y, x = np.broadcast_arrays(y[:, None], x[None, :])
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).astype(np.float32)

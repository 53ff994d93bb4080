"""Augmentations of training images: their parameters are drawn on the host, their effect is computed where images are.

The parameters of an image follow from the network's id, the epoch and the image's number alone; each augmentation has
random numbers of its own, so that adding one changes no other.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.config.augmentations import (
    Augmentations,
    Blur,
    BrightnessField,
    DeadLines,
    Film,
    GainField,
    Gamma,
    LargeAreas,
    Scale,
    Spikes,
)

Floats = NDArray[np.float32]
Draw = Callable[[np.random.Generator, int], Floats]
Apply = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

STREAM = 4
"""Of the random numbers of a network; others are order and orientation, layers, noise."""

_NEAR = 1e-3
"""Distances [px] at which the interpolation kernel has its limit."""


class _Drawn(NamedTuple):
    """One augmentation of an epoch.

    Attributes
    ----------
    acts : bool array, (image,)
    values : float32 array, (image, parameter)
    apply : callable
        Images, labels and values → images, labels.
    """

    acts: NDArray[np.bool_]
    values: Floats
    apply: Apply


class EpochAugmentations:
    """The augmentations of one epoch of one network, in the order in which images are shown.

    Parameters
    ----------
    chosen : Augmentations
    network : str
        Its id.
    epoch : int
    order : int array, (place,)
        Numbers of the images that are shown.
    images : int
        How many there are.
    """

    def __init__(self, chosen: Augmentations, network: str, epoch: int, order: NDArray[np.int64], images: int) -> None:
        self._drawn: list[_Drawn] = []
        for name in Augmentations.model_fields:
            parameters = getattr(chosen, name)
            if parameters is not None:
                rng = np.random.default_rng(seed_sequence(f"{name} of {network}", STREAM, epoch))
                acts = rng.random(images) < parameters.share
                draw, apply = _KINDS[name](parameters)
                self._drawn.append(_Drawn(acts[order], draw(rng, images).astype(np.float32)[order], apply))

    def __call__(self, counts: Tensor, label: Tensor, part: slice) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Parameters
        ----------
        counts : real tensor, (image, y, x)
        label : integer tensor, (image, y, x)
        part : slice
            Its place in the epoch.

        Returns
        -------
        float32 tensor, (image, y, x)
        integer tensor, (image, y, x)
            New ones; the given ones stay as they are.
        """
        counts, label = counts.to(torch.float32, copy=True), label.clone()
        for acts, values, apply in self._drawn:
            rows = np.flatnonzero(acts[part])
            if rows.size:
                place, chosen = (_sent(each, counts.device) for each in (rows, values[part][rows]))
                counts[place], label[place] = apply(counts[place], label[place], chosen)
        return counts, label


def _sent(values: NDArray[Any], device: torch.device) -> Tensor:
    """Return values on a device; a GPU does not keep the host waiting for it."""
    tensor = torch.from_numpy(values)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def _uniform(*ranges: tuple[float, float]) -> Draw:
    low, high = (np.array(each) for each in zip(*ranges, strict=True))
    return lambda rng, images: rng.uniform(low, high, size=(images, len(low))).astype(np.float32)


def _scale(parameters: Scale) -> tuple[Draw, Apply]:
    spread = parameters.range
    return _uniform((1 - spread, 1 + spread), (0, 1), (0, 1)), lambda counts, label, values: rescale(
        counts, label, values[:, 0], values[:, 1:]
    )


def rescale(counts: Tensor, label: Tensor, factor: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Shift images and resample them, as periodic functions: cells of simulated structures are periodic across the beam.

    The band-limited image is evaluated at the new pixels, without the frequencies that they do not carry; labels are those
    of the nearest pixel.

    Parameters
    ----------
    counts : float32 tensor, (image, y, x)
        Square images.
    label : integer tensor, (image, y, x)
    factor : float32 tensor, (image,)
        By which objects become larger.
    shift : float32 tensor, (image, 2), [1]
        Along y and x, in sides of the image.

    Returns
    -------
    float32 tensor, (image, y, x)
    integer tensor, (image, y, x)
    """
    side = counts.shape[-1]
    step = torch.arange(side, device=counts.device, dtype=torch.float32)
    places = shift[:, :, None] * side + (step + 0.5) / factor[:, None, None] - 0.5  # (image, axis, new)
    kept = torch.floor((side - 1) / 2 * factor.clamp(max=1))
    down, across = (_kernel(places[:, axis], step, kept) for axis in (0, 1))
    rows, columns = (torch.remainder(places.round(), side).long()[:, axis] for axis in (0, 1))
    picked = label.gather(1, rows[:, :, None].expand(-1, -1, side))
    return down @ counts @ across.mT, picked.gather(2, columns[:, None, :].expand(-1, side, -1))


def _kernel(places: Tensor, step: Tensor, kept: Tensor) -> Tensor:
    """Values of a periodic function at other places, from those at its pixels: Dirichlet's kernel, (image, new, old).

    sin(π (2 K + 1) x / N) / (N sin(π x / N)), of the frequencies up to K cycles.
    """
    side, width = len(step), (2 * kept + 1)[:, None, None]
    apart = torch.remainder(places[:, :, None] - step + side / 2, side) - side / 2
    angle = apart * (math.pi / side)
    near = apart.abs() < _NEAR
    ratio = torch.sin(width * angle) / (side * torch.sin(torch.where(near, 1.0, angle)))
    return torch.where(near, width / side, ratio)


SEEDS = 2**24
"""Number of seeds of textures; each is a whole number that single precision holds."""


def _film(parameters: Film) -> tuple[Draw, Apply]:
    uniform = _uniform((0, parameters.amplitude), parameters.frequency_per_px, parameters.width)

    def draw(rng: np.random.Generator, images: int) -> Floats:
        return np.concatenate([uniform(rng, images), rng.integers(SEEDS, size=(images, 1))], axis=1).astype(np.float32)

    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        # on the host, whose random numbers are the same beside any device
        noise = torch.stack([_white_noise(int(seed), counts.shape[1:]) for seed in values[:, 3].tolist()])
        amplitude, ring, width = (values[:, place, None, None] for place in range(3))
        apart = _squared_frequency(counts).sqrt() - ring
        texture = _filtered(noise.to(counts.device), torch.exp(-0.5 * (apart / (width * ring)) ** 2))
        texture = texture / _deviation(texture).clamp(min=torch.finfo(torch.float32).tiny)
        return counts + amplitude * _deviation(counts) * texture, label

    return draw, apply


def _white_noise(seed: int, shape: torch.Size) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _deviation(counts: Tensor) -> Tensor:
    """Return the standard deviation of each image, (image, 1, 1)."""
    return (counts - _mean(counts)).square().mean(dim=(-2, -1), keepdim=True).sqrt()


def _blur(parameters: Blur) -> tuple[Draw, Apply]:
    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        square = _squared_frequency(counts)
        return _filtered(counts, torch.exp(-2 * math.pi**2 * values[:, :, None] ** 2 * square)), label

    return _uniform((0, parameters.sigma_px)), apply


def _large_areas(parameters: LargeAreas) -> tuple[Draw, Apply]:
    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.exp(-math.log(2) * parameters.period_px**2 * _squared_frequency(counts))
        factor = 1 + (values[:, :, None] - 1) * low
        factor[:, 0, 0] = 1  # the mean stays
        return _filtered(counts, factor), label

    return _uniform(parameters.factor), apply


def _squared_frequency(counts: Tensor) -> Tensor:
    """Return the squares of the frequencies of real images, (qy, qx), [1/px²]."""
    height, width = counts.shape[-2:]
    rows: Tensor = torch.fft.fftfreq(height, device=counts.device)
    columns: Tensor = torch.fft.rfftfreq(width, device=counts.device)
    return rows[:, None].square() + columns[None, :].square()


def _filtered(counts: Tensor, factor: Tensor) -> Tensor:
    filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(counts) * factor, s=counts.shape[-2:])
    return filtered


def _gamma(parameters: Gamma) -> tuple[Draw, Apply]:
    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        mean = _mean(counts)
        relative = torch.where(mean > 0, counts / mean, 1.0).clamp(min=0)
        return mean * relative ** torch.exp(values)[:, :, None], label

    most = math.log1p(parameters.range)
    return _uniform((-most, most)), apply


def _mean(counts: Tensor) -> Tensor:
    return counts.mean(dim=(-2, -1), keepdim=True)


FIELD = ((-1.0, 1.0),) * 5
"""Ranges of the coefficients of a smooth field: those of x, y, x², x y and y²."""


def smooth_field(coefficients: Tensor, height: int, width: int) -> Tensor:
    """Polynomials of second order without a constant, of mean 0 and largest modulus 1.

    Parameters
    ----------
    coefficients : float32 tensor, (image, 5)
        Of x, y, x², x y and y², where the image's sides go from −1 to 1.
    height, width : int, [px]

    Returns
    -------
    float32 tensor, (image, y, x), [1]
    """
    y, x = (torch.linspace(-1, 1, side, device=coefficients.device) for side in (height, width))
    y, x = y[:, None].expand(height, width), x[None, :].expand(height, width)
    basis = torch.stack([x, y, x * x, x * y, y * y]).flatten(1)
    basis = basis - basis.mean(dim=1, keepdim=True)
    field = (coefficients @ basis).view(-1, height, width)
    largest = field.abs().amax(dim=(-2, -1), keepdim=True)
    return field / torch.where(largest > 0, largest, 1.0)


def _gain(parameters: GainField) -> tuple[Draw, Apply]:
    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        field = smooth_field(values[:, 1:], counts.shape[-2], counts.shape[-1])
        return counts * (1 + values[:, :1, None] * field), label

    return _uniform((0, parameters.amplitude), *FIELD), apply


def _brightness(parameters: BrightnessField) -> tuple[Draw, Apply]:
    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        field = smooth_field(values[:, 1:], counts.shape[-2], counts.shape[-1])
        return counts + values[:, :1, None] * _deviation(counts) * field, label

    return _uniform((0, parameters.amplitude), *FIELD), apply


def _spikes(parameters: Spikes) -> tuple[Draw, Apply]:
    def draw(rng: np.random.Generator, images: int) -> Floats:
        places = rng.random((images, parameters.most))
        heights = rng.uniform(0, parameters.height, size=(images, parameters.most))
        heights[np.arange(parameters.most) >= rng.integers(1, parameters.most + 1, size=(images, 1))] = 0
        return np.concatenate([places, heights], axis=1).astype(np.float32)

    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        places, heights = values.chunk(2, dim=1)
        flat = counts.flatten(1)
        pixels = (places * flat.shape[1]).long().clamp(max=flat.shape[1] - 1)
        image = torch.arange(len(flat), device=flat.device)[:, None].expand_as(pixels)
        # adding is deterministic on GPUs, too, where two spikes share a pixel
        flat = flat.index_put((image, pixels), heights * flat.mean(dim=1, keepdim=True), accumulate=True)
        return flat.view_as(counts), label

    return draw, apply


def _dead_lines(parameters: DeadLines) -> tuple[Draw, Apply]:
    def draw(rng: np.random.Generator, images: int) -> Floats:
        places = rng.random((images, parameters.most))
        upright = rng.integers(2, size=(images, parameters.most))
        missing = np.arange(parameters.most) >= rng.integers(1, parameters.most + 1, size=(images, 1))
        return np.concatenate([np.where(missing, -1, places), upright], axis=1).astype(np.float32)

    def apply(counts: Tensor, label: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        places, upright = values.chunk(2, dim=1)
        rows = _lines(places, upright < 0.5, counts.shape[-2])
        columns = _lines(places, upright >= 0.5, counts.shape[-1])
        return torch.where(rows[:, :, None] | columns[:, None, :], 0.0, counts), label

    return draw, apply


def _lines(places: Tensor, chosen: Tensor, side: int) -> Tensor:
    """Which of the rows or columns are dead, (image, line)."""
    number = torch.where(chosen & (places >= 0), torch.floor(places * side).clamp(max=side - 1), -1)
    return (number[:, :, None] == torch.arange(side, device=places.device)).any(dim=1)


_KINDS: Mapping[str, Callable[..., tuple[Draw, Apply]]] = {
    "scale": _scale,
    "film": _film,
    "blur": _blur,
    "large_areas": _large_areas,
    "gamma": _gamma,
    "gain": _gain,
    "brightness": _brightness,
    "spikes": _spikes,
    "dead_lines": _dead_lines,
}
"""What is drawn and done for an augmentation, by its name in the configuration."""

"""What the built-in architectures cost, counted from their layers by hand: PyTorch takes seconds to import.

A test holds the counts against those of :mod:`hrtem_ood.learning.architectures.complexity`, layer by layer from
the networks themselves.
"""

import itertools
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from hrtem_ood.config.training import Architecture

CLASSES = 2
BLOCKS = 2
"""Residual blocks per level of `resnet_unet`."""


class Convolution(NamedTuple):
    """A convolution of n to m channels; the image is halved ``level`` times where its taps are summed."""

    n: int
    m: int
    taps: int
    level: int


def convolutions(architecture: Architecture) -> list[Convolution] | None:
    """Return the convolutions of an architecture; None for one of a user's own."""
    if architecture.file is not None or architecture.base_channels is None or architecture.depth is None:
        return None
    layers = {"unet": _unet, "resnet_unet": _resnet_unet}[architecture.name]
    return list(layers(architecture.base_channels, architecture.depth))


@cache
def flops_per_image(architecture: Architecture, side: int) -> int | None:
    """Return the floating-point operations of the forward pass of one image.

    Parameters
    ----------
    architecture : Architecture
    side : int, [px]

    Returns
    -------
    int, or None
        A multiplication and an addition count as two. None for an architecture of a user's own.
    """
    layers = convolutions(architecture)
    return None if layers is None else sum(2 * n * m * taps * (side >> level) ** 2 for n, m, taps, level in layers)


@cache
def weight_count(architecture: Architecture) -> int | None:
    """Return the number of weights of all convolutions, nearly all parameters; None for a user's own architecture."""
    layers = convolutions(architecture)
    return None if layers is None else sum(n * m * taps for n, m, taps, _ in layers)


@cache
def feature_count(architecture: Architecture) -> int:
    """Return how many channels enter the last convolution; 0 for a user's own architecture, of which nothing is known."""
    layers = convolutions(architecture)
    return layers[-1].n if layers else 0


def _two(n: int, m: int, level: int) -> tuple[Convolution, Convolution]:
    return Convolution(n, m, 9, level), Convolution(m, m, 9, level)


def _unet(channels: int, depth: int) -> Iterator[Convolution]:
    widths = [channels * 2**level for level in range(depth + 1)]
    for level, (n, m) in enumerate(itertools.pairwise([1, *widths])):
        yield from _two(n, m, level)
    for level, (n, m) in enumerate(itertools.pairwise(widths)):
        yield Convolution(m, n, 4, level + 1)
        yield from _two(2 * n, n, level)
    yield Convolution(channels, CLASSES, 1, 0)


def _resnet_unet(channels: int, depth: int) -> Iterator[Convolution]:
    yield Convolution(1, channels, 49, 1)
    widths = [channels]
    for level in range(1, depth):
        n, m = widths[-1], channels * 2 ** (level - 1)
        yield from _two(n, m, level + 1)
        if level > 1:
            yield Convolution(n, m, 1, level + 1)
        for _ in range(BLOCKS - 1):
            yield from _two(m, m, level + 1)
        widths.append(m)
    skips = [*widths[-2::-1], 0]
    outputs = [max(1, channels * 2**depth // 2 ** (level + 3)) for level in range(depth)]
    for level, ((n, m), k) in enumerate(zip(itertools.pairwise([widths[-1], *outputs]), skips, strict=True)):
        yield from _two(n + k, m, depth - 1 - level)
    yield Convolution(outputs[-1], CLASSES, 9, 0)

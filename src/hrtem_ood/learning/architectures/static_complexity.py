"""Complexity of the built-in architectures, computed from a list of their layers, without PyTorch.

This is the one definition of their operations, for plans and for training alike: ``hrtem-ood plan`` needs it for
thousands of networks in seconds, and PyTorch takes seconds to import. A test compares it with what PyTorch counts.
"""

import itertools
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from hrtem_ood.config.training import Architecture

CLASSES = 2
"""Background and particle."""

BLOCKS = 2
"""Residual blocks per level of ``resnet_unet``, as in ResNet-18."""


class Convolution(NamedTuple):
    """A convolution.

    Attributes
    ----------
    n, m : int
        Channels in and out.
    taps : int
        Pixels of the kernel.
    level : int
        How often the sides of the image have been halved where the sum over the kernel is taken.
    """

    n: int
    m: int
    taps: int
    level: int


def convolutions(architecture: Architecture) -> list[Convolution] | None:
    """Return the convolutions of a built-in architecture; None for one of a user's file."""
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
        A multiplication and an addition count as two. None for an architecture of a user's file.
    """
    layers = convolutions(architecture)
    return None if layers is None else sum(2 * n * m * taps * (side >> level) ** 2 for n, m, taps, level in layers)


@cache
def weight_count(architecture: Architecture) -> int | None:
    """Return the number of weights of all convolutions, nearly all parameters; None for an architecture of a user's file."""
    layers = convolutions(architecture)
    return None if layers is None else sum(n * m * taps for n, m, taps, _ in layers)


@cache
def feature_count(architecture: Architecture) -> int:
    """Return the number of channels that enter the last convolution; 0 for an architecture of a user's file."""
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

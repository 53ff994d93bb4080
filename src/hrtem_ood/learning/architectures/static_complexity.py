"""Complexity of the built-in architectures, computed from a list of their layers, without PyTorch.

This is the one definition of their operations, for plans and for training alike: ``hrtem-ood plan`` needs it for
thousands of networks in seconds, and PyTorch takes seconds to import. A test compares it with what PyTorch counts.
"""

from functools import cache

from hrtem_ood.config.architectures import BUILT_IN, Convolution
from hrtem_ood.config.training import Architecture


def convolutions(architecture: Architecture) -> list[Convolution] | None:
    """Return the convolutions of a built-in architecture; None for one of a user's file."""
    if architecture.file is not None or architecture.base_channels is None or architecture.depth is None:
        return None
    return list(BUILT_IN[architecture.name].convolutions(architecture.base_channels, architecture.depth))


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

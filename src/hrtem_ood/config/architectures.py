"""The architectures that need no file: one row each, with all that is needed of them without PyTorch.

A new architecture is a row here, with the list of its convolutions, and a module ``learning/architectures/<name>.py`` that
defines the class of that row. Configurations are checked, and plans are made, from the rows alone: PyTorch takes seconds
to import.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

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


@dataclass(frozen=True)
class BuiltIn:
    """One row: an architecture that comes with the package.

    Attributes
    ----------
    description : str
        For the reference of the configuration, without a full stop.
    class_name : str
        Of its class in ``learning/architectures/<name>.py``, which takes ``channels`` and ``depth``.
    base_channels, depth : int
        Defaults.
    widths : str
        What becomes of the channels from level to level, for the reference of the configuration.
    convolutions : callable
        Takes channels and depth, and yields the convolutions in the order of the forward pass.
    """

    description: str
    class_name: str
    base_channels: int
    depth: int
    widths: str
    convolutions: Callable[[int, int], Iterable[Convolution]]

    @property
    def defaults(self) -> dict[str, int]:
        """Default parameters by their keys in a configuration."""
        return {"base_channels": self.base_channels, "depth": self.depth}


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


BUILT_IN: dict[str, BuiltIn] = {
    "unet": BuiltIn("plain U-Net", "UNet", 8, 3, "doubles them per level", _unet),
    "resnet_unet": BuiltIn(
        "U-Net with a residual encoder, ResNet-18's at 64 channels",
        "ResNetUNet",
        64,
        5,
        "from the third",
        _resnet_unet,
    ),
}
"""Architectures that need no file, by name."""


def described(text: Callable[[BuiltIn], str], separator: str) -> str:
    """Return a text about each architecture, with its name before it."""
    return separator.join(f"`{name}`{text(row)}" for name, row in BUILT_IN.items())

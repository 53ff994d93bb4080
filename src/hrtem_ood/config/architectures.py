"""Built-in architectures: one row each, with all data that is needed without importing PyTorch.

A new architecture is a row here, with the list of its convolutions, and a module ``learning/architectures/<name>.py`` that
defines the class of that row. Checks of configurations and plans use the rows alone, because PyTorch takes seconds to
import.
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
        Number of times that the image sides have been halved where the kernel is applied.
    """

    n: int
    m: int
    taps: int
    level: int


@dataclass(frozen=True)
class BuiltIn:
    """One row: a built-in architecture.

    Attributes
    ----------
    description : str
        For the reference of the configuration, without a full stop.
    class_name : str
        Name of its class in ``learning/architectures/<name>.py``, which takes ``channels`` and ``depth``.
    base_channels, depth : int
        Defaults.
    widths : str
        How the channels change from level to level, for the reference of the configuration.
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


def _double_convolution(n: int, m: int, level: int) -> tuple[Convolution, Convolution]:
    return Convolution(n, m, 9, level), Convolution(m, m, 9, level)


def _unet(channels: int, depth: int) -> Iterator[Convolution]:
    widths = [channels * 2**level for level in range(depth + 1)]
    for level, (n, m) in enumerate(itertools.pairwise([1, *widths])):
        yield from _double_convolution(n, m, level)
    for level, (n, m) in enumerate(itertools.pairwise(widths)):
        yield Convolution(m, n, 4, level + 1)
        yield from _double_convolution(2 * n, n, level)
    yield Convolution(channels, CLASSES, 1, 0)


def _resnet_unet(channels: int, depth: int) -> Iterator[Convolution]:
    yield Convolution(1, channels, 49, 1)
    widths = [channels]
    for level in range(1, depth):
        n, m = widths[-1], channels * 2 ** (level - 1)
        yield from _double_convolution(n, m, level + 1)
        if level > 1:
            yield Convolution(n, m, 1, level + 1)
        for _ in range(BLOCKS - 1):
            yield from _double_convolution(m, m, level + 1)
        widths.append(m)
    skips = [*widths[-2::-1], 0]
    outputs = [max(1, channels * 2**depth // 2 ** (level + 3)) for level in range(depth)]
    for level, ((n, m), k) in enumerate(zip(itertools.pairwise([widths[-1], *outputs]), skips, strict=True)):
        yield from _double_convolution(n + k, m, depth - 1 - level)
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
"""Built-in architectures, by name."""


def describe_each(text: Callable[[BuiltIn], str], separator: str) -> str:
    """Return a text about each built-in architecture, after its name."""
    return separator.join(f"`{name}`{text(row)}" for name, row in BUILT_IN.items())

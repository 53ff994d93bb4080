"""Running a network over an image of any size, in tiles where it is large."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hrtem_ood.config.evaluation import EvaluationPrecision
from hrtem_ood.learning.architectures.complexity import receptive_field
from hrtem_ood.learning.architectures.registry import stride_of
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.evaluation.forward_precision import forward_precision
from hrtem_ood.learning.torch_device import explain_out_of_memory, full_precision

TILE_PX = 1024
"""Images with longer sides than this are run in tiles of this side, or four margins where that is more."""


class Tiling(NamedTuple):
    """How an image is cut.

    Attributes
    ----------
    side : int, [px]
        Of a tile.
    margin : int, [px]
        What is dropped along those edges of a tile that are not edges of the image.
    exact : bool
        Whether the margin covers all that an output pixel depends on.
    """

    side: int
    margin: int
    exact: bool


class Span(NamedTuple):
    """What a tile reads, and what of the result is kept, along one axis: pixels from (inclusive) to (exclusive)."""

    start: int
    stop: int
    keep_from: int
    keep_to: int


def tiling(network: nn.Module, training_side: int, *, tile_px: int = TILE_PX) -> Tiling:
    """Choose tiles for images that are larger than a tile.

    Parameters
    ----------
    network : torch.nn.Module
    training_side : int, [px]
        Of the training images. Where an output pixel depends on the whole image, tiles are as large as those: a network
        has never seen more at once.
    tile_px : int, [px]
        Side to aim at.

    Returns
    -------
    Tiling
    """
    stride = stride_of(network)
    field = receptive_field(network)
    if math.isinf(field):
        side = _multiple(training_side, stride)
        return Tiling(side, side // 4 // stride * stride, exact=False)
    # half the field, and the shift of the pattern over a period of the stride
    margin = _multiple(field / 2 + stride, stride)
    return Tiling(max(_multiple(tile_px, stride), 4 * margin), margin, exact=True)


def spans(size: int, tiles: Tiling, stride: int) -> Iterator[Span]:
    """Lay tiles along an axis: every pixel is kept once, and every tile begins at a multiple of the stride.

    Parameters
    ----------
    size : int, [px]
        Multiple of the stride, as the tiles' side and margin are.
    tiles : Tiling
    stride : int, [px]
    """
    kept = 0
    while kept < size:
        start = max(0, min(kept - tiles.margin, size - tiles.side))
        assert start % stride == 0, "tiles must not shift the pattern of poolings"
        stop = min(size, start + tiles.side)
        keep_to = size if stop == size else stop - tiles.margin
        yield Span(start, stop, kept, keep_to)
        kept = keep_to


@torch.inference_mode()
def particle_probability(
    network: nn.Module,
    image: NDArray[np.float32],
    device: torch.device,
    tiles: Tiling | None = None,
    precision: EvaluationPrecision = "float32",
) -> NDArray[np.float32]:
    """Segment an image.

    It is standardised as a whole and continued by reflection to multiples of the network's stride.

    Parameters
    ----------
    network : torch.nn.Module
        On ``device``, in evaluation mode.
    image : float32 array, (y, x), sides not below the stride
    device : torch.device
    tiles : Tiling, optional
        See :func:`tiling`; by default, the image goes through in one piece.
    precision : {"float32", "tf32", "bfloat16"}
        Of the network, see :func:`~hrtem_ood.learning.evaluation.forward_precision.forward_precision`.

    Returns
    -------
    float32 array, (y, x), [1]
        Probability of the particle class.
    """
    stride = stride_of(network)
    whole = _padded(standardise(torch.from_numpy(image)), stride)
    result = np.empty(whole.shape, np.float32)
    height, width = whole.shape
    one = Tiling(max(height, width), 0, exact=True)
    advice = "Crop the image, or use a machine with more memory."
    with explain_out_of_memory("segmentation", advice), full_precision(), forward_precision(precision, device):
        for y in spans(height, tiles or one, stride):
            for x in spans(width, tiles or one, stride):
                tile = whole[y.start : y.stop, x.start : x.stop][None, None].to(device)
                particle = network(tile).float().softmax(dim=1)[0, 1].cpu().numpy()
                inside = particle[
                    y.keep_from - y.start : y.keep_to - y.start, x.keep_from - x.start : x.keep_to - x.start
                ]
                result[y.keep_from : y.keep_to, x.keep_from : x.keep_to] = inside
    return result[: image.shape[0], : image.shape[1]]


def _padded(image: Tensor, stride: int) -> Tensor:
    height, width = image.shape
    beyond = (0, _multiple(width, stride) - width, 0, _multiple(height, stride) - height)
    return nn.functional.pad(image[None, None], beyond, mode="reflect")[0, 0]


def _multiple(length: float, stride: int) -> int:
    return math.ceil(length / stride) * stride

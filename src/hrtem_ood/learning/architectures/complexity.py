"""Complexity of a network: parameters, floating-point operations, receptive field."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures import static_complexity
from hrtem_ood.learning.architectures.registry import stride_of

LARGEST_FIELD = 2048
"""Largest receptive field that is measured [px]."""

Reach = tuple[int, int] | None
"""First and last row of the output that depend on a row of the input, or None where none does."""


def parameter_count(network: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def flops_per_image(architecture: Architecture, network: nn.Module, side: int) -> int | None:
    """Return the floating-point operations of the forward pass of one image; training takes three times as many.

    Built-in architectures are computed, see :mod:`hrtem_ood.learning.architectures.static_complexity`; those of a
    user's file are measured.

    Parameters
    ----------
    architecture : Architecture
    network : torch.nn.Module
        Of that architecture.
    side : int, [px]

    Returns
    -------
    int, or None
        None where :func:`measured_flops` returns None.
    """
    if architecture.file is None:
        return static_complexity.flops_per_image(architecture, side)
    return measured_flops(network, side)


def measured_flops(network: nn.Module, side: int) -> int | None:
    """Count the floating-point operations of the forward pass of one image with PyTorch.

    Counted are matrix products and convolutions, a multiplication and an addition as two.

    Parameters
    ----------
    network : torch.nn.Module
    side : int, [px]

    Returns
    -------
    int, or None
        None where the network does not run on ``torch.device("meta")``, where tensors have no values.
    """
    twin = copy.deepcopy(network).to("meta").eval()
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            twin(torch.empty(1, 1, side, side, device="meta"))
    except Exception:  # the network uses values, or creates tensors on the CPU
        return None
    return int(counter.get_total_flops())


@torch.no_grad()
def receptive_field(network: nn.Module) -> float:
    """Return the side of the square of input pixels that an output pixel may depend on.

    Measured, not derived, so that it holds for any network: a row of NaN in the input reaches all rows of the output
    that depend on it. Of all rows of the output, the largest field counts.

    Parameters
    ----------
    network : torch.nn.Module

    Returns
    -------
    float, [px]
        Infinity where it is larger than :data:`LARGEST_FIELD`, as with attention or normalisation over the image, and
        if the network does not accept strips, images higher than wide.
    """
    stride = stride_of(network)
    twin = copy.deepcopy(network).cpu().eval()
    for width in (2 * stride, 16 * stride):  # the narrow one takes less time, but reflecting borders need a wider one
        try:
            return _receptive_field(twin, stride, width)
        except Exception:  # noqa: S112  # a user's code may raise anything
            continue
    return math.inf


def _receptive_field(network: nn.Module, stride: int, width: int) -> float:
    def reach_in(height: int, row: int) -> Reach:
        image = torch.zeros(1, 1, height, width)
        image[:, :, height // 2 + row] = torch.nan
        touched = network(image)[0].isnan().any(dim=0).any(dim=1).nonzero().flatten() - height // 2
        return (int(touched[0]), int(touched[-1])) if len(touched) else None

    # A high image first, as receptive fields can have gaps: a low image might end in one of them. Its middle, row 0,
    # begins a period of the stride.
    half = -(-LARGEST_FIELD // stride) * stride
    first = next((reach for row in range(stride) if (reach := reach_in(2 * half, row))), None)
    if first is None:
        return 0.0
    if first[0] == -half or first[1] == half - 1:
        return math.inf
    half = -(-max(-first[0], first[1]) // stride) * stride + 2 * stride
    field = _field(list(_steps(lambda row: reach_in(2 * half, row), 0, stride - 1)), stride)
    return math.inf if field > LARGEST_FIELD else float(field)


def _field(steps: Sequence[tuple[int, Reach]], stride: int) -> int:
    """Return the most input rows between the first and the last that an output row depends on.

    The pattern repeats with the stride: output row o depends on input row r + n·stride where low ≤ o − n·stride ≤ high.
    """
    rows = [(row, *reach) for row, reach in steps if reach is not None]
    fields = []
    for output in range(stride):
        first = min(row + stride * math.ceil((output - high) / stride) for row, _, high in rows)
        last = max(row + stride * math.floor((output - low) / stride) for row, low, _ in rows)
        fields.append(last - first + 1)
    return max(fields)


def _steps(reach_of: Callable[[int], Reach], first: int, last: int) -> Iterator[tuple[int, Reach]]:
    """Yield the reach of the rows where it changes, found by bisection: it never goes back from a row to the next."""
    reaches: dict[int, Reach] = {}
    spans = [(first, last)]
    while spans:
        span = spans.pop()
        for row in span:
            if row not in reaches:
                reaches[row] = reach_of(row)
                yield row, reaches[row]
        low, high = span
        if high - low > 1 and (reaches[low] is None or reaches[low] != reaches[high]):
            spans += [(low, (low + high) // 2), ((low + high) // 2, high)]

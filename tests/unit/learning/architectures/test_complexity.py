"""What networks cost and see, against counts by hand, gradients, and receptive fields from the literature."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures import complexity
from hrtem_ood.learning.architectures.complexity import measured_flops, parameter_count, receptive_field
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.torch_device import reproducible


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with reproducible():
        yield


class Strided(nn.Sequential):
    """Layers in a row, the first of which reduce images by a stride."""

    def __init__(self, stride: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.stride = stride


def same(kernel: int, dilation: int = 1, n: int = 1) -> nn.Conv2d:
    """Make a convolution that keeps the size."""
    return nn.Conv2d(n, 1, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation)


# --- parameters and operations ----------------------------------------------------------------


def test_parameters_that_train_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1, bias=False))
    assert parameter_count(network) == (4 * 9 + 4) + (4 + 4) + 8
    network[0].requires_grad_(requires_grad=False)
    assert parameter_count(network) == 8 + 8


def test_operations_of_a_small_network_counted_by_hand() -> None:
    network = Strided(
        2,
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.Conv2d(6, 6, 3, padding=1, groups=3),
        nn.ConvTranspose2d(6, 2, 2, stride=2),
    )
    # 2 · pixels of the output · channels in (of a group) · channels out · pixels of the kernel, of transposed ones of the input
    by_hand = 2 * (16**2 * 1 * 4 * 9 + 8**2 * 4 * 6 * 9 + 8**2 * 2 * 6 * 9 + 8**2 * 6 * 2 * 4)
    assert measured_flops(network, 16) == by_hand


def test_operations_of_the_unet_counted_by_hand() -> None:
    side, c = 32, 3
    full, half = side**2, side**2 // 4
    encoder = full * 9 * (c + c * c) + half * 9 * (2 * c * c + 4 * c * c)
    decoder = half * 4 * 2 * c * c + full * 9 * (2 * c * c + c * c)
    network = build(Architecture(base_channels=c, depth=1))
    assert measured_flops(network, side) == 2 * (encoder + decoder + full * 2 * c)
    # four times the pixels, four times the operations
    assert measured_flops(network, 2 * side) == 8 * (encoder + decoder + full * 2 * c)


def test_counting_leaves_the_network_alone() -> None:
    network = build(Architecture(base_channels=2, depth=1))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    measured_flops(network, 16)
    receptive_field(network)
    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(parameter.device.type == "cpu" and parameter.grad is None for parameter in network.parameters())


class LooksAtValues(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image * (2.0 if float(image.sum()) > 0 else 1.0)


def test_operations_that_depend_on_values_are_unknown() -> None:
    assert measured_flops(LooksAtValues(), 16) is None


# --- receptive field --------------------------------------------------------------------------

FIELDS: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "one pixel": (lambda: nn.Sequential(same(1), nn.BatchNorm2d(1), nn.ReLU()), 1),
    "convolution": (lambda: nn.Sequential(same(5)), 5),
    "two convolutions": (lambda: nn.Sequential(same(5), nn.ReLU(), same(3)), 7),
    "dilated convolution": (lambda: nn.Sequential(same(3, dilation=4)), 9),
    "dilated convolutions": (lambda: nn.Sequential(*[same(3, dilation=2**i) for i in range(4)]), 1 + 2 * 15),
    # an output pixel sees the two pixels of its own cell
    "max-pooling": (lambda: Strided(2, nn.MaxPool2d(2), nn.Upsample(scale_factor=2)), 2),
    "convolution after pooling": (lambda: Strided(4, nn.AvgPool2d(4), same(3), nn.Upsample(scale_factor=4)), 12),
    "strided convolution": (
        lambda: Strided(2, nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.ConvTranspose2d(1, 1, 2, stride=2)),
        3,
    ),
    # of two pixels side by side, one sees the cells of both
    "convolution after up-sampling": (lambda: Strided(2, nn.MaxPool2d(2), nn.Upsample(scale_factor=2), same(3)), 4),
    "only every other pixel": (lambda: Strided(2, nn.Conv2d(1, 1, 1, stride=2), nn.Upsample(scale_factor=2)), 1),
    "nothing": (lambda: Blind(), 0),
    "the whole image": (lambda: nn.Sequential(Centred(), same(3)), math.inf),
    "normalised images": (lambda: nn.Sequential(nn.GroupNorm(1, 1)), math.inf),
    "reflecting border": (lambda: nn.Sequential(nn.Conv2d(1, 1, 9, padding=4, padding_mode="reflect")), 9),
}


class Blind(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.zeros_like(image)


class Centred(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image - nn.functional.adaptive_avg_pool2d(image, 1)


@pytest.mark.parametrize(("make", "expected"), FIELDS.values(), ids=FIELDS)
def test_receptive_field_of_layers(make: Callable[[], nn.Module], expected: float, monkeypatch) -> None:
    monkeypatch.setattr(complexity, "LARGEST_FIELD", 64)
    assert receptive_field(make()) == expected


def unet_field(depth: int) -> int:
    """Pixels that an output pixel of the plain U-Net sees at the worst place, followed back from the output."""
    seen = 1 + 4  # two 3×3 convolutions
    for level in range(depth):
        # that many neighbours touch so many cells of two; an odd or even start makes a difference for even numbers
        seen = seen // 2 + 1
        seen += 4 if level < depth - 1 else 0  # the decoder's
    seen += 4  # the lowest level's
    for _ in range(depth):
        seen = 2 * seen + 4
    return seen


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_receptive_field_of_the_unet(depth: int) -> None:
    assert unet_field(1) == 18
    assert receptive_field(build(Architecture(base_channels=2, depth=depth))) == unet_field(depth)


def test_large_receptive_fields_and_gaps_in_them() -> None:
    assert receptive_field(nn.Sequential(same(3, dilation=500))) == 1001
    assert receptive_field(nn.Sequential(*[same(3, dilation=2**i) for i in range(9)])) == 2**10 - 1


def test_receptive_field_has_a_limit(monkeypatch) -> None:
    monkeypatch.setattr(complexity, "LARGEST_FIELD", 32)
    assert receptive_field(nn.Sequential(*[same(5)] * 7)) == 29
    assert receptive_field(nn.Sequential(*[same(5)] * 8)) == math.inf
    assert receptive_field(nn.Sequential(*[same(5)] * 80)) == math.inf


def test_an_architecture_of_ones_own_that_takes_no_strips_has_no_limit() -> None:
    class Square(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            if image.shape[-1] != image.shape[-2]:
                raise ValueError("square images only")
            return image

    assert receptive_field(Square()) == math.inf


def seen_by_gradient(network: nn.Module, side: int, rows: range) -> int:
    """Return how many rows of the input the output's rows depend on, at most, by the gradient of each."""
    image = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    output = network(image)
    fields = []
    for row in rows:
        (gradient,) = torch.autograd.grad(output[0, :, row].sum(), image, retain_graph=True)
        touched = gradient[0, 0].abs().sum(dim=1).nonzero().flatten()
        fields.append(int(touched[-1] - touched[0]) + 1)
    return max(fields)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from([1, 3, 5, 7]), st.integers(1, 3)), min_size=1, max_size=3),
    st.integers(0, 3),
    st.sampled_from([2, 3, 4]),
    st.sampled_from([1, 3]),
)
def test_receptive_field_agrees_with_gradients(
    layers: list[tuple[int, int]], level: int, factor: int, last: int
) -> None:
    """A linear network: convolutions, averages over cells before one of them, and a last convolution."""
    modules: list[nn.Module] = [same(kernel, dilation) for kernel, dilation in layers]
    if level < len(layers):
        modules.insert(level, nn.AvgPool2d(factor))
    else:
        factor = 1
    network = Strided(factor, *modules, nn.Upsample(scale_factor=float(factor)), same(last))
    for parameter in network.parameters():
        nn.init.constant_(parameter, 1.0)  # so that nothing cancels
    side = 16 * 2 * 3 * factor
    middle = side // 2 // factor * factor
    expected = seen_by_gradient(network.double(), side, range(middle, middle + factor))
    assert receptive_field(network.float()) == expected


def test_receptive_field_of_the_residual_unet_agrees_with_gradients() -> None:
    network = build(Architecture(name="resnet_unet", base_channels=1, depth=2)).eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)  # all positive, so that no rectifier cuts and nothing cancels
    field = receptive_field(network)
    side = 160
    network.double()
    # max-pooling sends its gradient to one of nine pixels, an average to all
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(3, stride=2, padding=1))
    assert field == seen_by_gradient(network, side, range(side // 2, side // 2 + 4)) == 59

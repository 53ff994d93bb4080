"""The U-Nets, plain and with a residual encoder: what they are made of, what they do to images, that they can learn."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.architectures.resnet_unet import BasicBlock, ResNetUNet
from hrtem_ood.learning.architectures.unet import UNet
from hrtem_ood.learning.torch_device import reproducible

BOTH = [UNet, ResNetUNet]
NAMES = ["unet", "resnet_unet"]


@pytest.fixture(autouse=True)
def _as_in_training() -> Iterator[None]:
    # one thread: several that wait for each other on busy cores take ten times as long
    with reproducible():
        yield


def expected_parameters(channels: int, depth: int) -> int:
    """Count weights by hand: convolutions without bias, two per level, and two numbers per channel of a norm."""
    widths = [channels * 2**level for level in range(depth + 1)]
    down = sum(9 * n * m + 9 * m * m + 4 * m for n, m in zip([1, *widths], widths, strict=False))
    up = sum(4 * 2 * n * n + n + 9 * 2 * n * n + 9 * n * n + 4 * n for n in widths[:-1])
    return down + up + 2 * channels + 2


@pytest.mark.parametrize(("channels", "depth"), [(1, 1), (3, 2), (8, 3)])
def test_parameters(channels: int, depth: int) -> None:
    network = UNet(channels, depth)
    assert sum(p.numel() for p in network.parameters()) == expected_parameters(channels, depth)


# He et al., 2016, Table 1, 18 layers: (kernel, channels in, channels out) of every convolution, here with one input
# channel instead of three; short cuts that change size or channels are 1×1 convolutions (option B).
RESNET18 = [
    (7, 1, 64),  # conv1
    *[(3, 64, 64)] * 4,  # conv2_x: two blocks of two, with identity short cuts
    *[(3, 64, 128), (3, 128, 128), (1, 64, 128), (3, 128, 128), (3, 128, 128)],  # conv3_x
    *[(3, 128, 256), (3, 256, 256), (1, 128, 256), (3, 256, 256), (3, 256, 256)],  # conv4_x
    *[(3, 256, 512), (3, 512, 512), (1, 256, 512), (3, 512, 512), (3, 512, 512)],  # conv5_x
]
# up-sampled channels plus those of the encoder at that size, channels out
DECODER = [(512 + 256, 256), (256 + 128, 128), (128 + 64, 64), (64 + 64, 32), (32, 16)]


def parameters_of(convolutions: list[tuple[int, int, int]]) -> int:
    """Count convolutions without bias, each with a batch norm of two numbers per channel."""
    return sum(k * k * n * m + 2 * m for k, n, m in convolutions)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_residual_encoder_is_resnet18() -> None:
    network = ResNetUNet(channels=64, depth=5)
    # the published 11,689,512 parameters, without classifier and with one input channel
    published = 11_689_512 - (512 * 1000 + 1000) - 2 * 7 * 7 * 64
    assert count(network.encoder) == parameters_of(RESNET18) == published == 11_170_240
    kernels = [
        (m.kernel_size[0], m.in_channels, m.out_channels) for m in network.encoder.modules() if is_convolution(m)
    ]
    assert sorted(kernels) == sorted(RESNET18)
    strides = [m.stride[0] for m in network.encoder.modules() if is_convolution(m)]
    # the stem, and the first convolution of three groups; the fifth halving is the max-pooling
    assert strides.count(2) == 1 + 3
    assert sum(isinstance(m, nn.MaxPool2d) for m in network.modules()) == 1


def test_a_short_cut_is_a_strided_convolution() -> None:
    torch.manual_seed(0)
    block, image = BasicBlock(16, 32, stride=2), torch.randn(2, 16, 8, 8)
    seen: list[torch.Tensor] = []
    block.shortcut[0].register_forward_hook(lambda *_: seen.append(_[2]))
    block(image)
    torch.testing.assert_close(seen[0], nn.functional.conv2d(image, block.shortcut[0].weight, stride=2))


def is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d)


def test_parameters_of_the_residual_unet() -> None:
    decoder = parameters_of([conv for n, m in DECODER for conv in ((3, n, m), (3, m, m))])
    head = 3 * 3 * 16 * 2 + 2
    network = ResNetUNet(channels=64, depth=5)
    assert count(network.decoder) == decoder
    assert count(network) == 11_170_240 + decoder + head == 14_322_082
    # segmentation-models-pytorch's U-Net with resnet18 has 14,328,209, for three channels and one class
    assert count(network) == 14_328_209 - 2 * 7 * 7 * 64 + (3 * 3 * 16 + 1)


@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("kind", BOTH)
def test_logits_have_the_size_of_the_image(kind: type[nn.Module], channels: int, depth: int) -> None:
    torch.manual_seed(0)
    network = kind(channels=channels, depth=depth).eval()
    assert network.stride == 2**depth
    side = 2**depth
    for height, width in ((side, 2 * side), (3 * side, side)):
        assert network(torch.randn(1, 1, height, width)).shape == (1, 2, height, width)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_gradients_reach_every_parameter(name: str, depth: int) -> None:
    torch.manual_seed(0)
    network = build(Architecture(name=name, base_channels=5, depth=depth))
    label = torch.randint(2, (2, 64, 64))
    nn.functional.cross_entropy(network(torch.randn(2, 1, 64, 64)), label).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", NAMES)
def test_weights_follow_the_seed(name: str) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return build(Architecture(name=name, base_channels=4, depth=2)).state_dict()

    one, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(one[key], again[key]) for key in one)
    kernels = [key for key in one if one[key].ndim == 4]
    assert len(kernels) > 5
    assert not any(torch.equal(one[key], other[key]) for key in kernels)


@pytest.mark.parametrize("name", NAMES)
def test_untrained_networks_are_nearly_undecided(name: str) -> None:
    """Large logits at the start would be a loss far above that of guessing, ln 2."""
    torch.manual_seed(0)
    logits = build(Architecture(name=name))(torch.randn(2, 1, 64, 64))
    assert 0.1 < logits.std() < 1


@pytest.mark.parametrize("name", NAMES)
def test_shifting_the_image_by_the_stride_shifts_the_output(name: str) -> None:
    torch.manual_seed(0)
    network = build(Architecture(name=name, base_channels=4, depth=2)).eval()
    image = torch.zeros(1, 1, 96, 96)
    image[..., 40:52, 40:52] = torch.randn(12, 12)
    shifted = network(torch.roll(image, (4, -8), dims=(-2, -1)))
    # away from the zero padding
    expected = torch.roll(network(image), (4, -8), dims=(-2, -1))
    torch.testing.assert_close(shifted[..., 32:64, 32:64], expected[..., 32:64, 32:64])
    assert expected[..., 32:64, 32:64].std() > 0


def test_every_level_and_every_skip_contributes() -> None:
    torch.manual_seed(0)
    network = UNet(2, 2)
    inputs: list[torch.Tensor] = []
    for block in network.decoder:
        block.register_forward_hook(lambda _, args, __: inputs.append(args[0]))
    logits = network(torch.randn(2, 1, 16, 16))
    gradients = torch.autograd.grad(logits.square().sum(), [*inputs, *network.parameters()])
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    for gradient in gradients[:2]:  # both the skip and what comes from below
        assert all(half.abs().max() > 0 for half in gradient.chunk(2, dim=1))


def test_every_level_of_the_residual_encoder_contributes() -> None:
    torch.manual_seed(0)
    network = ResNetUNet(2, 4)
    inputs: list[torch.Tensor] = []
    for block in network.decoder:
        block.register_forward_hook(lambda _, args, __: inputs.append(args[0]))
    logits = network(torch.randn(2, 1, 64, 64))
    gradients = torch.autograd.grad(logits.square().sum(), inputs)
    # channels up-sampled from below come first, then the skip's; the last level has none
    for gradient, skip in zip(gradients, [4, 2, 2, 0], strict=True):
        up = gradient.shape[1] - skip
        assert gradient[:, :up].abs().max() > 0
        assert skip == 0 or gradient[:, up:].abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_weights_lie_channels_last(name: str) -> None:
    kernels = [
        layer.weight
        for layer in build(Architecture(name=name, base_channels=8, depth=2)).modules()
        if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1)
    ]
    assert len(kernels) > 4
    for kernel in kernels:
        assert kernel.is_contiguous(memory_format=torch.channels_last)
        # one input channel is contiguous either way
        assert kernel.shape[1] == 1 or not kernel.is_contiguous()


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_a_texture(name: str) -> None:
    torch.manual_seed(0)
    network = build(Architecture(name=name, base_channels={"unet": 4, "resnet_unet": 16}[name], depth=2))
    label = torch.zeros(4, 32, 32, dtype=torch.long)
    label[:2, 8:24, 4:16] = 1
    label[2:, 16:28, 8:28] = 1
    # a lattice of 4 px in the particle, noise everywhere: no single pixel tells
    lattice = torch.cos(torch.arange(32) * torch.pi / 2)[:, None].expand(32, 32)
    image = (torch.randn(4, 32, 32) + 2 * lattice * label).unsqueeze(1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(image), label)
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    assert nn.functional.cross_entropy(torch.zeros(4, 2, 32, 32), label) == pytest.approx(0.6931, abs=1e-4)

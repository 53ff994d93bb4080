"""The U-Net: what it is made of, what it does to images, and that it can learn."""

import pytest
import torch
from torch import nn

from hrtem_ood.campaign.hyperparameters import Architecture
from hrtem_ood.networks.unet import UNet, build
from hrtem_ood.training.module import pixel_cross_entropy


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


def test_two_logits_per_pixel_of_images_of_any_fitting_size() -> None:
    network = build(Architecture(channels=2, depth=2)).eval()
    assert network(torch.zeros(3, 1, 8, 12)).shape == (3, 2, 8, 12)


def test_shifting_the_image_shifts_the_output() -> None:
    torch.manual_seed(0)
    network = build(Architecture(channels=4, depth=2)).eval()
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


def test_weights_lie_channels_last() -> None:
    for layer in build(Architecture(channels=8, depth=1)).modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_it_learns_a_texture() -> None:
    torch.manual_seed(0)
    network = build(Architecture(channels=4, depth=2))
    label = torch.zeros(4, 32, 32, dtype=torch.long)
    label[:2, 8:24, 4:16] = 1
    label[2:, 16:28, 8:28] = 1
    # a lattice of 4 px in the particle, noise everywhere: no single pixel tells
    lattice = torch.cos(torch.arange(32) * torch.pi / 2)[:, None].expand(32, 32)
    image = (torch.randn(4, 32, 32) + 2 * lattice * label).unsqueeze(1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        loss = pixel_cross_entropy(network(image), label)
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    assert pixel_cross_entropy(torch.zeros(4, 2, 32, 32), label) == pytest.approx(0.6931, abs=1e-4)

"""The plain U-Net."""

import itertools

import torch
from torch import Tensor, nn

from hrtem_ood.config.architectures import CLASSES


class UNet(nn.Module):
    """Plain U-Net after Ronneberger et al., MICCAI 2015 (arXiv:1505.04597), with zero padding and batch norm.

    Each level has two 3×3 convolutions, each followed by batch norm and ReLU, and twice the channels of the level
    above. Levels are joined by 2×2 max-pooling down, 2×2 transposed convolution up, and skip concatenation.
    (Bilinear up-sampling is not faster, and on GPUs its deterministic gradient is slow.)

    Parameters
    ----------
    channels : int
        Channels of the first level.
    depth : int
        Number of down-samplings; sides of images must be divisible by 2^depth.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.stride = 2**depth
        widths = [channels * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(two_convolutions(n, m) for n, m in itertools.pairwise([1, *widths]))
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(m, n, 2, stride=2) for n, m in itertools.pairwise(widths))
        self.decoder = nn.ModuleList(two_convolutions(2 * n, n) for n in widths[:-1])
        self.head = nn.Conv2d(channels, CLASSES, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of background and particle.

        Parameters
        ----------
        image : float32 tensor, (image, 1, y, x), [1]
            Standardised.

        Returns
        -------
        float32 tensor, (image, 2, y, x), [1]
        """
        skips: list[Tensor] = []
        x = self.encoder[0](image)
        for block in self.encoder[1:]:
            skips.append(x)
            x = block(nn.functional.max_pool2d(x, 2))
        levels = zip(self.upsample, self.decoder, skips, strict=True)
        for upsample, block, skip in reversed(list(levels)):
            x = block(torch.cat([skip, upsample(x)], dim=1))
        logits: Tensor = self.head(x)
        return logits


def two_convolutions(n: int, m: int) -> nn.Sequential:
    """Return two 3×3 convolutions, n to m channels, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for width in (n, m):
        # batch norm shifts anyhow, so a bias would do nothing
        layers += [nn.Conv2d(width, m, 3, padding=1, bias=False), nn.BatchNorm2d(m), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)

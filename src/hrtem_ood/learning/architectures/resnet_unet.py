"""The U-Net with a residual encoder."""

import itertools

import torch
from torch import Tensor, nn

from hrtem_ood.config.architectures import BLOCKS, CLASSES
from hrtem_ood.learning.architectures.unet import two_convolutions


class ResNetUNet(nn.Module):
    """U-Net whose encoder is a residual network: ResNet-18 without its classifier at 64 channels and depth 5.

    Encoder (He et al., CVPR 2016, arXiv:1512.03385, Table 1): a 7×7 convolution of stride 2, a 3×3 max-pooling of
    stride 2, then groups of two basic blocks; the first group keeps size and channels, each further one halves and
    doubles them. Decoder: nearest-neighbour up-sampling, concatenation with the encoder's features of that size, and
    two 3×3 convolutions with batch norm and ReLU; channels halve from level to level. (Nearest neighbour, as on GPUs the
    deterministic gradient of bilinear up-sampling is slow.)

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
        stem = nn.Sequential(
            nn.Conv2d(1, channels, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        encoder: list[nn.Module] = [stem]
        widths = [channels]
        for level in range(1, depth):
            width = channels * 2 ** (level - 1)
            blocks: list[nn.Module] = [nn.MaxPool2d(3, stride=2, padding=1)] if level == 1 else []
            blocks.append(BasicBlock(widths[-1], width, stride=1 if level == 1 else 2))
            blocks += [BasicBlock(width, width) for _ in range(BLOCKS - 1)]
            encoder.append(nn.Sequential(*blocks))
            widths.append(width)
        self.encoder = nn.ModuleList(encoder)
        # the decoder's last level has the size of the image, where the encoder has no features
        skips = [*widths[-2::-1], 0]
        outputs = [max(1, channels * 2**depth // 2 ** (level + 3)) for level in range(depth)]
        inputs = itertools.pairwise([widths[-1], *outputs])
        self.decoder = nn.ModuleList(two_convolutions(n + k, m) for (n, m), k in zip(inputs, skips, strict=True))
        self.head = nn.Conv2d(outputs[-1], CLASSES, 3, padding=1)
        for module in [*self.encoder.modules(), *self.decoder.modules()]:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

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
        x, skips = image, []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        skips.pop()
        for block in self.decoder:
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skips.pop()], dim=1) if skips else x)
        logits: Tensor = self.head(x)
        return logits


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a short cut (He et al., 2016, Fig. 5, left).

    Parameters
    ----------
    n, m : int
        Channels in and out.
    stride : int
        Of the first convolution. Where size or channels change, the short cut is a 1×1 convolution (option B), of every
        ``stride``-th pixel.
    """

    def __init__(self, n: int, m: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.residual = nn.Sequential(
            nn.Conv2d(n, m, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(m),
            nn.ReLU(inplace=True),
            nn.Conv2d(m, m, 3, padding=1, bias=False),
            nn.BatchNorm2d(m),
        )
        same = stride == 1 and n == m
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(n, m, 1, bias=False), nn.BatchNorm2d(m))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features plus their residual, rectified."""
        # Same as a 1×1 convolution with a stride, for which oneDNN computes wrong gradients if it has few channels:
        # see FEWEST_CHANNELS in registry.py.
        sampled = x[..., :: self.stride, :: self.stride]
        return nn.functional.relu(self.residual(x) + self.shortcut(sampled), inplace=True)

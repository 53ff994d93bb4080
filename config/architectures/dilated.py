"""An architecture of one's own, as docs/architectures.md tells: a small dilated residual network.

Use it by

    architecture: {name: Dilated, file: config/architectures/dilated.py, parameters: {channels: 16, blocks: 4}}
"""

import torch
from torch import Tensor, nn


class Dilated(nn.Module):
    """Residual blocks of dilated convolutions: a wide view at full resolution, without down-sampling.

    After Yu, Koltun & Funkhouser, CVPR 2017 (arXiv:1705.09914). The dilation doubles from block to block; a last
    convolution without dilation removes the grid that dilated ones leave. Images may have any side.

    Parameters
    ----------
    channels : int
    blocks : int
        The receptive field is 4 · 2^blocks + 1 px.
    """

    def __init__(self, channels: int = 16, blocks: int = 4) -> None:
        super().__init__()
        self.stride = 1
        self.stem = _convolution(1, channels, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                _convolution(channels, channels, 2**block),
                nn.ReLU(inplace=True),
                _convolution(channels, channels, 2**block),
            )
            for block in range(blocks)
        )
        self.last = _convolution(channels, channels, 1)
        self.head = nn.Conv2d(channels, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Turn standardised images (image, 1, y, x) into logits of background and particle (image, 2, y, x)."""
        x = torch.relu(self.stem(image))
        for block in self.blocks:
            x = torch.relu(x + block(x))
        logits: Tensor = self.head(torch.relu(self.last(x)))
        return logits


def _convolution(n: int, m: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n, m, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm2d(m))

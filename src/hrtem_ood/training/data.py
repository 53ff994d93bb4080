"""Training images: those that a training set takes, and their batches, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hrtem_ood.campaign.identity import seed_sequence
from hrtem_ood.networks.images import Batches, Images, read_images
from hrtem_ood.training.selection import Pairs


def read_pairs(paths: Sequence[Path], pairs: Pairs) -> Images:
    """Read the images that pairs name.

    Parameters
    ----------
    paths : sequence of Path, (dataset,)
    pairs : Pairs

    Returns
    -------
    Images
        Dataset by dataset.
    """
    parts = [
        read_images(path, np.sort(pairs.structure[pairs.dataset == index]))
        for index, path in enumerate(paths)
        if (pairs.dataset == index).any()
    ]
    return Images(torch.cat([part.image for part in parts]), torch.cat([part.label for part in parts]))


def epoch_batches(images: Images, size: int, *, network: str, epoch: int) -> Batches:
    """Return the shuffled and augmented batches of one epoch of one network, whatever was drawn before.

    Parameters
    ----------
    images : Images
    size : int
    network : str
        Id of the network, which seeds its stream.
    epoch : int

    Returns
    -------
    Batches
    """
    rng, n, device = np.random.default_rng(seed_sequence(network, 1, epoch)), len(images.image), images.image.device
    order, element = rng.permutation(n), rng.integers(8, size=n)
    return Batches(images, size, torch.from_numpy(order).to(device), torch.from_numpy(element).to(device))

"""What networks see: images in memory, standardised, and batches of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hrtem_ood import store
from hrtem_ood.errors import ArtefactError


class Images(NamedTuple):
    """Standardised images with their labels.

    Attributes
    ----------
    image : float32 tensor, (image, 1, y, x), [1]
    label : uint8 tensor, (image, y, x), in {0, 1}
    """

    image: Tensor
    label: Tensor

    def to(self, device: torch.device) -> "Images":
        """Move both to a device."""
        return Images(self.image.to(device), self.label.to(device))


def standardise(counts: np.ndarray) -> np.ndarray:
    """Shift and scale each image to zero mean and unit variance, so that a network does not see the mean count.

    z = (I − ⟨I⟩) / s with s² = ⟨(I − ⟨I⟩)²⟩, means over the pixels of the image; a constant image becomes zeros.

    Parameters
    ----------
    counts : real array, (…, y, x), [e/px]

    Returns
    -------
    float32 array, (…, y, x), [1]
    """
    mean = counts.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    deviation = (counts - mean).astype(np.float32)
    scale = np.sqrt(np.square(deviation).mean(axis=(-2, -1), keepdims=True, dtype=np.float64))
    standardised: np.ndarray = deviation / np.where(scale > 0, scale, 1).astype(np.float32)
    return standardised


def read_images(path: Path, structures: np.ndarray | None = None) -> Images:
    """Read images of a dataset and standardise them.

    Parameters
    ----------
    path : Path
        ``datasets/<id>.zarr.zip``.
    structures : int array, (image,), optional
        Which, by structure index; by default all, in order.

    Returns
    -------
    Images

    Raises
    ------
    ArtefactError
        When the file is missing, damaged, or lacks a structure.
    """
    with store.open_zarr(path) as dataset:
        there = pd.Index(dataset["image"].values)
        rows = np.arange(there.size) if structures is None else there.get_indexer(pd.Index(structures))
        if (rows < 0).any():
            raise ArtefactError(
                f"{path} holds no image of structure {np.asarray(structures)[rows < 0][0]}. "
                f"Delete {path} and run snakemake again to make it anew."
            )
        chosen = dataset[["counts", "label"]].isel(image=rows).load()
    image = np.empty((rows.size, 1, *chosen.counts.shape[1:]), np.float32)
    for target, counts in zip(image, chosen.counts.values, strict=True):  # one by one, to need little memory
        target[0] = standardise(counts)
    return Images(torch.from_numpy(image), torch.from_numpy(chosen.label.values.astype(np.uint8)))


def dihedral(stack: Tensor, element: Tensor) -> Tensor:
    """Turn and mirror each image by its own element of the dihedral group D4, the symmetries of the square.

    Parameters
    ----------
    stack : tensor, (image, …, y, x)
        Square images.
    element : int tensor, (image,), in 0 … 7
        Bit 0 transposes, then bit 1 mirrors y, then bit 2 mirrors x.

    Returns
    -------
    tensor, (image, …, y, x)
    """
    element = element.view(-1, *[1] * (stack.ndim - 1))
    stack = torch.where((element & 1).bool(), stack.transpose(-2, -1), stack)
    stack = torch.where((element & 2).bool(), stack.flip(-2), stack)
    return torch.where((element & 4).bool(), stack.flip(-1), stack)


class Batches:
    """Batches of in-memory images: a sized iterable, as Lightning takes for a data loader.

    Worker processes would cost more than the indexing that they would do.

    Parameters
    ----------
    images : Images
    size : int
        Images per batch; the last batch holds what is left.
    order : int tensor, (image,), optional
        By default as they are.
    element : int tensor, (image,), optional
        Augmentation of each image in that order, see :func:`dihedral`; by default none.

    Yields
    ------
    image : float32 tensor, (image, 1, y, x), [1]
    label : int64 tensor, (image, y, x), in {0, 1}
    """

    def __init__(self, images: Images, size: int, order: Tensor | None = None, element: Tensor | None = None) -> None:
        self.images, self.size, self.element = images, size, element
        self.order = torch.arange(len(images.image), device=images.image.device) if order is None else order

    def __len__(self) -> int:
        return -(-len(self.order) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.order), self.size):
            part = slice(start, start + self.size)
            image, label = self.images.image[self.order[part]], self.images.label[self.order[part]]
            if self.element is not None:
                image, label = dihedral(image, self.element[part]), dihedral(label, self.element[part])
            yield image, label.long()

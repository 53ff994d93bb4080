"""Input of networks: images in memory as counts, and standardised batches of them."""

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.torch_device import free_memory

SHARE_OF_DEVICE = 0.5
"""Images are kept on a GPU if they take at most this share of its free memory."""


class Images(NamedTuple):
    """Images with their labels, in small types.

    Attributes
    ----------
    counts : uint8, int16, int32 or float32 tensor, (image, y, x), [e/px]
        Electron counts, or expected counts where fresh noise is drawn from them.
    label : uint8 tensor, (image, y, x), in {0, 1}
    """

    counts: Tensor
    label: Tensor

    def to_device_if_fits(self, device: torch.device) -> "Images":
        """Move both to a device if they fit, see :data:`SHARE_OF_DEVICE`; otherwise :class:`Batches` sends batches."""
        if device.type == "cpu":
            return self
        needed = sum(tensor.numel() * tensor.element_size() for tensor in self)
        return Images(self.counts.to(device), self.label.to(device)) if fits(needed, free_memory(device)) else self

    def repaired(self) -> "Images":
        """Repair every image, see :func:`repaired_counts`; labels stay."""
        return Images(repaired_counts(self.counts), self.label)


def repaired_counts(counts: Tensor) -> Tensor:
    """Repair every image as a micrograph is repaired before it is segmented.

    It takes far longer than to standardise an image, and runs on the CPU wherever the images are.

    Parameters
    ----------
    counts : real tensor, (image, y, x)

    Returns
    -------
    float32 tensor, (image, y, x)
        See :func:`hrtem_ood.learning.repair.repair_image`.
    """
    # its packages take a while to import, and few networks need them
    from hrtem_ood.learning.repair import repair_image

    images = counts.to("cpu", torch.float32).numpy()
    return torch.from_numpy(np.stack([repair_image(image).image for image in images])).to(counts.device)


def fits(needed: int, free: int) -> bool:
    """Whether ``needed`` bytes may be kept on a device with ``free`` free bytes."""
    return needed <= SHARE_OF_DEVICE * free


def standardise(counts: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Shift and scale each image to zero mean and unit variance, so that a network's input does not depend on the mean count.

    z = (I − ⟨I⟩) / s with s² = ⟨(I − ⟨I⟩)²⟩, means over the pixels of the image; a constant image becomes zeros.

    Parameters
    ----------
    counts : real tensor, (…, y, x), [e/px]
    dtype : torch.dtype, optional
        Type in which means are computed.

    Returns
    -------
    float32 tensor, (…, y, x), [1]
    """
    # two reductions, as PyTorch has a fast one for either but not for both together
    least, most = (bound(counts, dim=(-2, -1), keepdim=True) for bound in (torch.amin, torch.amax))
    # from the least count, as single precision resolves no differences of large numbers
    image = (counts - least).to(dtype)
    image -= image.mean(dim=(-2, -1), keepdim=True)
    deviation = image.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    # The mean of many equal values has a rounding error, which must not be amplified.
    return image.div_(torch.where(least == most, torch.inf, deviation)).to(torch.float32)


def read_images(path: Path, structures: np.ndarray | None = None, *, variable: str = "counts") -> Images:
    """Read images of a dataset.

    Parameters
    ----------
    path : Path
        ``datasets/<id>.zarr.zip``.
    structures : int array, (image,), optional
        Structure indices of the images; by default all, in order.
    variable : {"counts", "expected_counts"}
        Counts, or the expected counts from which they were drawn.

    Returns
    -------
    Images
        In host memory.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, or lacks a structure or the variable.
    """
    with store.open_zarr(path, dask=False) as dataset:
        stored = pd.Index(dataset["image"].values)
        rows = np.arange(stored.size) if structures is None else stored.get_indexer(pd.Index(structures))
        if (rows < 0).any():
            raise ArtifactError(
                f"{path} holds no image of structure {np.asarray(structures)[rows < 0][0]}. "
                f"Delete {path} and run snakemake again to create it anew."
            )
        if variable not in dataset:
            raise ArtifactError(f"{path} holds no {variable}. Delete {path} and run snakemake again to create it anew.")
        chosen = dataset[[variable, "label"]]
        chosen = (chosen if structures is None else chosen.isel(image=rows)).load()
        if structures is None and variable == "counts":
            store.check_images(path, dataset.attrs, chosen.counts.values, chosen.label.values)
    return Images(_tensor(chosen[variable].values), torch.from_numpy(chosen.label.values.astype(np.uint8)))


def _tensor(counts: np.ndarray) -> Tensor:
    """Make a tensor of the smallest type that PyTorch computes with: it has no arithmetic for wide unsigned types."""
    if counts.dtype.kind == "u" and counts.dtype != np.uint8:
        narrow = int(counts.max(initial=0)) <= np.iinfo(np.int16).max
        counts = counts.astype(np.int16 if narrow else np.int32)
    return torch.from_numpy(counts)


def dihedral(stack: Tensor, element: Tensor) -> Tensor:
    """Transpose and mirror each image by its own element of the dihedral group D4, the symmetries of the square.

    Parameters
    ----------
    stack : tensor, (image, …, y, x)
        Square images.
    element : int64 tensor, (image,), in 0 … 7
        Bit 0 transposes, then bit 1 mirrors y, then bit 2 mirrors x.

    Returns
    -------
    tensor, (image, …, y, x)
    """
    return (turn_one_by_one if stack.device.type == "cpu" else turn_by_gather)(stack, element)


def turn_one_by_one(stack: Tensor, element: Tensor) -> Tensor:
    """Return what :func:`dihedral` does. Every image is read and written once, which is fastest on CPUs."""
    result = torch.empty_like(stack)
    for image, target, bits in zip(stack, result, element.tolist(), strict=True):
        axes = [axis for bit, axis in ((2, -2), (4, -1)) if bits & bit]
        target.copy_((image.transpose(-2, -1) if bits & 1 else image).flip(axes))
    return result


def turn_by_gather(stack: Tensor, element: Tensor) -> Tensor:
    """Return what :func:`dihedral` does. One kernel turns all images, which is fastest on GPUs."""
    planes = stack.flatten(-2).view(len(stack), -1, stack.shape[-1] ** 2)
    source = _dihedral_sources(stack.shape[-1], stack.device)[element.to(stack.device)]
    return planes.gather(2, source.unsqueeze(1).expand(-1, planes.shape[1], -1)).view(stack.shape)


@functools.lru_cache(maxsize=4)
def _dihedral_sources(side: int, device: torch.device) -> Tensor:
    """Return where each pixel comes from, an int64 tensor (element, y x): :func:`dihedral` as indices into a flat image."""
    place = torch.arange(side**2).view(1, side, side).repeat(8, 1, 1)
    return turn_one_by_one(place, torch.arange(8)).flatten(1).to(device)


class StandardisedImages:
    """Standardised images in the eight orientations of :func:`dihedral`, each computed when it is first needed.

    A network of tiny images spends more time on turning and standardising them than on its steps. On a CPU, an image's values
    do not depend on the batch in which it is standardised.

    Parameters
    ----------
    images : Images
        On the CPU.
    """

    def __init__(self, images: Images) -> None:
        self._images, (number, *sides) = images, images.counts.shape
        self._image = torch.empty(8 * number, 1, *sides)
        self._label = torch.empty(8 * number, *sides, dtype=images.label.dtype)
        self._is_ready = torch.zeros(8 * number, dtype=torch.bool)

    @staticmethod
    def size_of(images: Images) -> int:
        """Return the memory that all orientations take [B]."""
        return 8 * images.counts.numel() * (4 + images.label.element_size())

    def batch(self, rows: Tensor, element: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what :class:`Batches` yields for these images, without noise and further augmentations.

        Parameters
        ----------
        rows : int64 tensor, (image,)
        element : int64 tensor, (image,), optional
            See :func:`dihedral`.
        """
        number = len(self._images.counts)
        places = rows if element is None else element * number + rows
        missing = places[~self._is_ready[places]]
        if len(missing):
            counts, label = (tensor[missing % number] for tensor in self._images)
            turn = missing // number
            self._image[missing] = standardise(dihedral(counts, turn)).unsqueeze(1)
            self._label[missing] = dihedral(label, turn)
            self._is_ready[missing] = True
        return self._image[places], self._label[places].long()


class BatchGroups:
    """Batches, some at a time: a sized iterable of iterators, each of which must be used up before the next is asked for.

    Parameters
    ----------
    batches : Batches
    size : int
        Batches in a group; the last group holds the rest.
    """

    def __init__(self, batches: "Batches", size: int) -> None:
        self.batches, self.size = batches, size

    def __len__(self) -> int:
        return -(-len(self.batches) // self.size)

    def __iter__(self) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
        batches = iter(self.batches)
        for _ in range(len(self)):
            yield itertools.islice(batches, self.size)


class Batches:
    """Batches of in-memory images: a sized iterable, which Lightning accepts as a data loader.

    Counts and labels are gathered where they are stored and sent to the device if it is another one (through pinned memory,
    without waiting). Augmentation, noise and standardisation happen there. Worker processes would cost more time than they
    save.

    Parameters
    ----------
    images : Images
    size : int
        Images per batch; the last batch holds the rest.
    device : torch.device
    order : int tensor, (image,), optional
        By default the order of ``images``.
    element : int tensor, (image,), optional
        Augmentation of each image in that order, see :func:`dihedral`; by default none.
    noise : int, optional
        Seed of Poisson counts that are drawn from ``images.counts``; by default ``images.counts`` are used directly.
    augment : callable, optional
        Changes a batch of counts and labels, given its place in the order; see
        :class:`hrtem_ood.learning.training.augmentations.EpochAugmentations`.
    repair : bool, optional
        Whether images are repaired after that, see :func:`repaired_counts`.
    standardised : StandardisedImages, optional
        Of ``images``; used where neither ``noise`` nor ``augment`` nor ``repair`` changes counts.

    Yields
    ------
    image : float32 tensor, (image, 1, y, x), [1]
    label : int64 tensor, (image, y, x), in {0, 1}
    """

    def __init__(
        self,
        images: Images,
        size: int,
        device: torch.device,
        *,
        order: Tensor | None = None,
        element: Tensor | None = None,
        noise: int | None = None,
        augment: Callable[[Tensor, Tensor, slice], tuple[Tensor, Tensor]] | None = None,
        repair: bool = False,
        standardised: StandardisedImages | None = None,
    ) -> None:
        self.images, self.size, self.device, self.noise = images, size, device, noise
        self.order = (torch.arange(len(images.counts)) if order is None else order).to(images.counts.device)
        # sent at once: a copy for every batch would keep the host waiting
        self.element = element if element is None or device.type == "cpu" else element.to(device)
        self.augment, self.repair = augment, repair
        self.standardised = standardised if noise is None and augment is None and not repair else None

    def __len__(self) -> int:
        return -(-len(self.order) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = None
        if self.noise is not None:
            generator = torch.Generator(self.device).manual_seed(self.noise)
        for start in range(0, len(self.order), self.size):
            # whoever asks for a batch may compute in bfloat16, as Lightning's steps do; images never are
            with torch.autocast(self.device.type, enabled=False):
                batch = self._batch(slice(start, start + self.size), generator)
            yield batch

    def _batch(self, part: slice, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        if self.standardised is not None:
            return self.standardised.batch(self.order[part], None if self.element is None else self.element[part])
        counts, label = (self._gather(tensor, self.order[part]) for tensor in self.images)
        if self.element is not None:
            counts, label = dihedral(counts, self.element[part]), dihedral(label, self.element[part])
        if generator is not None:
            counts = torch.poisson(counts, generator)
        if self.augment is not None:
            counts, label = self.augment(counts, label, part)
        if self.repair:
            counts = repaired_counts(counts)
        return standardise(counts).unsqueeze(1), label.long()

    def _gather(self, tensor: Tensor, rows: Tensor) -> Tensor:
        if tensor.device == self.device:
            return tensor[rows]
        pinned = torch.empty((len(rows), *tensor.shape[1:]), dtype=tensor.dtype, pin_memory=True)
        return torch.index_select(tensor, 0, rows, out=pinned).to(self.device, non_blocking=True)

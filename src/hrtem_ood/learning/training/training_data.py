"""Training images of a training set, and their batches, epoch by epoch."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.specs import NetworkSpec, TrainingSetSpec
from hrtem_ood.learning.batches import Batches, Images, StandardisedImages, read_images
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.training.augmentations import EpochAugmentations
from hrtem_ood.learning.training.image_selection import ImageSelection
from hrtem_ood.physics.optics.condition import Condition

VARIABLE = {False: "counts", True: "expected_counts"}
"""Variable of a dataset that networks train on, by ``resample_noise``."""


def read_pairs(paths: Sequence[Path], pairs: ImageSelection, *, variable: str = "counts") -> Images:
    """Read the images of pairs of structure and dataset.

    Parameters
    ----------
    paths : sequence of Path, (dataset,)
    pairs : ImageSelection
    variable : {"counts", "expected_counts"}

    Returns
    -------
    Images
        Dataset by dataset, in host memory.
    """
    parts = [
        read_images(path, np.sort(pairs.structure[pairs.dataset == index]), variable=variable)
        for index, path in enumerate(paths)
        if (pairs.dataset == index).any()
    ]
    return Images(torch.cat([part.counts for part in parts]), torch.cat([part.label for part in parts]))


def domain_of_datasets(paths: Sequence[Path], spec: TrainingSetSpec) -> TrainingDomain:
    """Read the training domain of a training set from the attributes of its datasets.

    Parameters
    ----------
    paths : sequence of Path, (dataset,)
    spec : TrainingSetSpec
    """
    attributes = [store.zarr_attributes(path) for path in paths]
    images: dict[Condition, int] = {}  # several structure sets may be imaged under one condition
    for each, number in zip(attributes, spec.n_images, strict=True):
        condition = Condition(**json.loads(each["condition"]))
        images[condition] = images.get(condition, 0) + number
    with store.open_zarr(paths[0]) as first:
        side = first.sizes["x"]
    return TrainingDomain(
        tuple(images.items()),
        attributes[0]["energy_eV"],
        attributes[0]["pixel_size_A"],
        side,
    )


class StepSchedule:
    """Number of batches of a network, epoch by epoch.

    Parameters
    ----------
    spec : NetworkSpec
    images : int
        Training images.

    Attributes
    ----------
    per_epoch : int
        Steps in a whole epoch.
    steps : int
        Steps in all.
    epochs : int
        The last one may be cut short.
    """

    def __init__(self, spec: NetworkSpec, images: int) -> None:
        hyper = spec.hyperparameters
        self.per_epoch = -(-images // hyper.batch_size)
        self.steps = hyper.steps if hyper.steps is not None else (hyper.epochs or 0) * self.per_epoch
        self.epochs = -(-self.steps // self.per_epoch)

    def steps_in(self, epoch: int) -> int:
        """Return the steps of an epoch."""
        return min(self.per_epoch, self.steps - epoch * self.per_epoch)


def epoch_batches(
    images: Images,
    spec: NetworkSpec,
    epoch: int,
    device: torch.device,
    standardised: StandardisedImages | None = None,
) -> Batches:
    """Return the shuffled and augmented batches of one epoch of one network, independent of earlier random draws.

    Parameters
    ----------
    images : Images
        Repaired, if the network wants that and epochs do not change them.
    spec : NetworkSpec
        Its id seeds order, augmentation and noise.
    epoch : int
    device : torch.device
    standardised : StandardisedImages, optional
        Of ``images``. Batches are the same without, and take longer.

    Returns
    -------
    Batches
    """
    hyper, n = spec.hyperparameters, len(images.counts)
    chosen = hyper.augmentations
    rng = np.random.default_rng(seed_sequence(spec.id, 1, epoch))
    order, element = rng.permutation(n), rng.integers(8, size=n)
    n_images = StepSchedule(spec, n).steps_in(epoch) * hyper.batch_size
    return Batches(
        images,
        hyper.batch_size,
        device,
        order=torch.from_numpy(order[:n_images]),
        element=torch.from_numpy(element[:n_images]) if hyper.augmentation == "dihedral" else None,
        noise=torch_seed(spec, 3, epoch) if hyper.resample_noise else None,
        augment=EpochAugmentations(chosen, spec.id, epoch, order[:n_images], n) if chosen else None,
        repair=hyper.repairs_batches,
        standardised=standardised,
    )


def torch_seed(spec: NetworkSpec, *key: int) -> int:
    """Return the seed of one of a network's random streams in PyTorch."""
    return int(seed_sequence(spec.id, *key).generate_state(1, np.uint64)[0])


def seed_everything(seed: int, device: torch.device) -> None:
    """Seed PyTorch's generators of the CPU and, where it is used, of a GPU.

    Without a GPU, ``torch.manual_seed`` keeps a note of every call, with its stack, for each kind of GPU that might be used
    later: milliseconds each, and memory.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)

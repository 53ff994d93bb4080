"""Images come standardised, in the order asked for, shuffled and turned together with their labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.learning.batches import Images, standardise
from hrtem_ood.learning.training.image_selection import ImageSelection
from hrtem_ood.learning.training.training_data import StepSchedule, epoch_batches, read_pairs

CPU = torch.device("cpu")


def write(path: Path, counts: np.ndarray) -> Path:
    data = {"counts": (("image", "y", "x"), counts), "label": (("image", "y", "x"), (counts > 5).astype(np.uint8))}
    store.write_zarr(
        path, xr.Dataset(data, coords={"image": np.arange(len(counts))}), {"id": store.artifact_id_of(path)}
    )
    return path


def numbered(n: int) -> Images:
    """Return images that tell their number and every pixel's place, with labels that do so, too."""
    label = torch.arange(n * 16, dtype=torch.int32).view(n, 4, 4)
    return Images(label.clone(), label)


def test_pairs_are_read_from_their_datasets(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5, size=(3, 6, 8, 8)).astype(np.uint8)
    paths = [write(tmp_path / f"{name}.zarr.zip", part) for name, part in zip("abc", counts, strict=True)]
    paths[1].unlink()  # no pair needs it
    found = read_pairs(paths, ImageSelection(np.array([4, 0, 2]), np.array([0, 2, 0])))
    np.testing.assert_array_equal(found.label, counts[[0, 0, 2], [2, 4, 0]] > 5)


def spec(**hyperparameters: Any) -> NetworkSpec:
    return NetworkSpec(training_set="t", hyperparameters={"epochs": 4, "batch_size": 3} | hyperparameters)


def test_an_epoch_shows_every_image_once_with_its_label() -> None:
    batches = epoch_batches(numbered(7), spec(), 0, CPU)
    assert len(batches) == 3
    parts = list(batches)
    assert [len(image) for image, _ in parts] == [3, 3, 1]
    image, label = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    assert label.dtype == torch.int64
    torch.testing.assert_close(image[:, 0], standardise(label), msg="image and label are turned together")
    assert sorted(int(one.min()) // 16 for one in label) == list(range(7))
    assert any(not torch.equal(one, one.sort().values) for one in label.view(7, 16)), "something is turned"


def drawn(spec: NetworkSpec, epoch: int) -> torch.Tensor:
    return torch.cat([label for _, label in epoch_batches(numbered(20), spec, epoch, CPU)])


def test_batches_follow_from_network_and_epoch_alone() -> None:
    first = drawn(spec(), 3)
    assert not torch.equal(drawn(spec(), 2), first)
    assert not torch.equal(drawn(spec(seed=1), 3), first)
    assert torch.equal(drawn(spec(), 3), first)


def test_augmentation_can_be_left_out() -> None:
    found = drawn(spec(augmentation="none"), 0).view(20, 16)
    assert torch.equal(found, found.sort(dim=1).values)
    assert not torch.equal(found[:, 0], found[:, 0].sort().values), "the order is random still"


@pytest.mark.parametrize(("steps", "expected"), [(1, [1]), (7, [7]), (8, [7, 1]), (14, [7, 7]), (17, [7, 7, 3])])
def test_steps_are_counted_over_epochs(steps: int, expected: list[int]) -> None:
    network, images = spec(epochs=None, steps=steps), numbered(20)
    schedule = StepSchedule(network, 20)
    assert (schedule.per_epoch, schedule.steps, schedule.epochs) == (7, steps, len(expected))
    for epoch, number in enumerate(expected):
        assert len(list(epoch_batches(images, network, epoch, CPU))) == number
    # the part of an epoch is the beginning of the whole
    part = list(epoch_batches(images, spec(epochs=None, steps=3), 0, CPU))
    assert StepSchedule(spec(epochs=5), 20).steps == 35
    assert sum(len(image) for image, _ in part) == 9


def test_fresh_noise_is_new_in_every_epoch_and_again_alike() -> None:
    images = Images(torch.full((8, 32, 32), 5.0), torch.zeros((8, 32, 32), dtype=torch.uint8))
    network = spec(resample_noise=True)

    def counts(epoch: int) -> torch.Tensor:
        # standardised counts of one image, up to shift and scale
        return torch.cat([image for image, _ in epoch_batches(images, network, epoch, CPU)])

    assert torch.equal(counts(0), counts(0))
    assert not torch.equal(counts(0), counts(1))
    assert not torch.equal(counts(0)[0], counts(0)[1])
    # the skewness of Poisson counts of mean 5 is 1/√5
    assert float((counts(0) ** 3).mean()) == pytest.approx(5**-0.5, abs=0.1)
    # and without fresh noise, the images have none
    assert not torch.cat([image for image, _ in epoch_batches(images, spec(), 0, CPU)]).any()

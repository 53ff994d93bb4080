"""Images come standardised, in the order asked for, shuffled and turned together with their labels."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from hrtem_ood import store
from hrtem_ood.errors import ArtefactError
from hrtem_ood.networks.images import Batches, Images, dihedral, read_images, standardise
from hrtem_ood.training.data import epoch_batches, read_pairs
from hrtem_ood.training.selection import Pairs


def write(path: Path, counts: np.ndarray) -> Path:
    data = {"counts": (("image", "y", "x"), counts), "label": (("image", "y", "x"), (counts > 5).astype(np.uint8))}
    store.write_zarr(path, xr.Dataset(data, coords={"image": np.arange(len(counts))}), {"id": store.artefact_id(path)})
    return path


def numbered(n: int) -> Images:
    """Return images that tell their number and every pixel's place, with labels that do so, too."""
    label = torch.arange(n * 16, dtype=torch.int32).view(n, 4, 4)
    return Images(label.float().unsqueeze(1), label)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_standardised_images_have_no_mean_and_unit_variance(dtype: type) -> None:
    counts = np.random.default_rng(0).poisson([[[5.0]], [[100.0]]], size=(2, 32, 32)).astype(dtype)
    found = standardise(counts)
    assert found.dtype == np.float32
    for image, one in zip(counts.astype(float), found, strict=True):
        np.testing.assert_allclose(one, (image - image.mean()) / image.std(), atol=1e-5)


def test_standardised_images_know_no_dose() -> None:
    counts = np.random.default_rng(0).poisson(50, size=(16, 16))
    np.testing.assert_allclose(standardise(counts * 7), standardise(counts), atol=1e-5)
    # far from zero, where single precision alone would fail
    np.testing.assert_allclose(standardise(counts + 2_000_000_000), standardise(counts), atol=1e-5)


def test_a_constant_image_becomes_zeros() -> None:
    np.testing.assert_array_equal(standardise(np.full((2, 4, 4), 3, np.uint8)), 0)


def test_images_are_read_by_structure(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5, size=(6, 8, 8)).astype(np.uint8)
    path = write(tmp_path / "d.zarr.zip", counts)
    found = read_images(path, np.array([4, 1]))
    np.testing.assert_array_equal(found.image[:, 0], standardise(counts[[4, 1]]))
    np.testing.assert_array_equal(found.label, counts[[4, 1]] > 5)
    assert read_images(path).image.shape == (6, 1, 8, 8)
    with pytest.raises(ArtefactError, match=r"d\.zarr\.zip holds no image of structure 6\. Delete"):
        read_images(path, np.array([5, 6]))


def test_pairs_are_read_from_their_datasets(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5, size=(3, 6, 8, 8)).astype(np.uint8)
    paths = [write(tmp_path / f"{name}.zarr.zip", part) for name, part in zip("abc", counts, strict=True)]
    paths[1].unlink()  # no pair needs it
    found = read_pairs(paths, Pairs(np.array([4, 0, 2]), np.array([0, 2, 0])))
    np.testing.assert_array_equal(found.label, counts[[0, 0, 2], [2, 4, 0]] > 5)


def test_dihedral_makes_the_eight_symmetries_of_the_square() -> None:
    image = torch.arange(9.0).view(3, 3)
    found = dihedral(image.expand(8, 1, 3, 3), torch.arange(8))
    expected = [turned for k in range(4) for turned in (image.rot90(k), image.rot90(k).flip(0))]
    assert {tuple(one.flatten().tolist()) for one in found} == {tuple(one.flatten().tolist()) for one in expected}


def test_dihedral_turns_each_image_by_its_own_element() -> None:
    stack, element = torch.randn(5, 2, 4, 4), torch.tensor([7, 0, 3, 5, 3])
    found = dihedral(stack, element)
    for image, number, turned in zip(stack, element, found, strict=True):
        torch.testing.assert_close(dihedral(image[None], number[None])[0], turned)
    assert torch.equal(found[1], stack[1])


def test_an_epoch_shows_every_image_once_with_its_label() -> None:
    batches = epoch_batches(numbered(7), 3, network="n", epoch=0)
    assert len(batches) == 3
    parts = list(batches)
    assert [len(image) for image, _ in parts] == [3, 3, 1]
    image, label = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    assert label.dtype == torch.int64
    assert torch.equal(image[:, 0], label.float()), "image and label are turned together"
    assert sorted(int(one.min()) // 16 for one in label) == list(range(7))
    assert any(not torch.equal(one, one.sort().values) for one in label.view(7, 16)), "something is turned"


def test_batches_follow_from_network_and_epoch_alone() -> None:
    def drawn(network: str, epoch: int) -> torch.Tensor:
        return torch.cat([label for _, label in epoch_batches(numbered(20), 8, network=network, epoch=epoch)])

    first = drawn("n", 3)
    assert not torch.equal(drawn("n", 2), first)
    assert not torch.equal(drawn("m", 3), first)
    assert torch.equal(drawn("n", 3), first)


def test_plain_batches_keep_order_and_orientation() -> None:
    images = numbered(5)
    assert torch.equal(torch.cat([image for image, _ in Batches(images, 2)]), images.image)

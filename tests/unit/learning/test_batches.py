"""Images are what the datasets hold, standardised, in the order asked for, turned and noisy as asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.batches import (
    Batches,
    BatchGroups,
    Images,
    StandardisedImages,
    dihedral,
    fits,
    read_images,
    standardise,
    turn_by_gather,
    turn_one_by_one,
)

CPU = torch.device("cpu")
EPS = float(np.finfo(np.float32).eps)


def by_numpy(counts: np.ndarray) -> np.ndarray:
    """Standardise one image in double precision."""
    image = counts.astype(np.float64)
    spread = image.std()
    return (image - image.mean()) / spread if spread > 0 else np.zeros_like(image)


def numbered(n: int, side: int = 4) -> Images:
    """Return images that tell their number and every pixel's place, with labels that do so, too."""
    place = torch.arange(n * side * side, dtype=torch.int32).view(n, side, side)
    return Images(place, place)


def write(path: Path, counts: np.ndarray, **more: np.ndarray) -> Path:
    axes = ("image", "y", "x")
    data = {name: (axes, values) for name, values in {"counts": counts, **more}.items()}
    data["label"] = (axes, (counts > counts.mean()).astype(np.uint8))
    told = {"id": store.artifact_id_of(path), "sha256_of_images": store.arrays_sha256(counts, data["label"][1])}
    store.write_zarr(path, xr.Dataset(data, coords={"image": np.arange(len(counts))}), told)
    return path


# --- standardised images ----------------------------------------------------------------------

GREYS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@settings(deadline=None)
@given(GREYS, st.sampled_from([(np.uint8, 1), (np.int16, 128), (np.int32, 8_000_000)]))
def test_standardised_images_are_those_of_double_precision(greys: np.ndarray, kind: tuple[type, int]) -> None:
    dtype, factor = kind
    counts = greys.astype(dtype) * dtype(factor)
    found = standardise(torch.from_numpy(counts))
    assert found.dtype == torch.float32
    expected = by_numpy(counts)
    # single precision of the mean, as seen in units of the spread
    spread = counts.astype(float).std() or 1.0
    tolerance = 8 * EPS * (1 + np.abs(expected).max()) * (1 + counts.max(initial=0) / spread)
    np.testing.assert_allclose(found, expected, atol=tolerance)


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from([(1, 1), (5, 7), (32, 32)]))
def test_constant_images_become_zeros(value: int, shape: tuple[int, int]) -> None:
    constant = torch.full((2, *shape), value, dtype=torch.int32)
    assert torch.equal(standardise(constant), torch.zeros(2, *shape))
    assert torch.equal(standardise(constant.float() / 3), torch.zeros(2, *shape))


@pytest.mark.parametrize("mean", [0.01, 1.0, 300.0, 3e4, 1e6, 4e7])
def test_counts_of_any_dose(mean: float) -> None:
    """From hardly an electron to the largest dose and pixel that a configuration may have."""
    counts = np.random.default_rng(0).poisson(mean, size=(3, 64, 64)).astype(np.int32)
    found = standardise(torch.from_numpy(counts))
    for image, one in zip(counts, found, strict=True):
        np.testing.assert_allclose(one, by_numpy(image), atol=max(1e-5, 4 * EPS * np.sqrt(mean)))


def test_each_image_is_standardised_by_itself() -> None:
    stack = torch.from_numpy(np.random.default_rng(0).poisson([[[3.0]], [[900.0]], [[0.0]]], size=(3, 16, 16)))
    together = standardise(stack)
    for image, one in zip(stack, together, strict=True):
        assert torch.equal(standardise(image), one)
    assert torch.equal(together[2], torch.zeros(16, 16))


def test_standardised_images_know_neither_dose_nor_background() -> None:
    counts = torch.from_numpy(np.random.default_rng(0).poisson(50, size=(16, 16)))
    torch.testing.assert_close(standardise(7 * counts), standardise(counts), atol=1e-5, rtol=0)
    torch.testing.assert_close(standardise(counts + 1000), standardise(counts), atol=1e-4, rtol=0)


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "most", "read"),
    [
        (np.uint8, 255, torch.uint8),
        (np.uint16, 32767, torch.int16),
        (np.uint16, 32768, torch.int32),
        (np.uint16, 65535, torch.int32),
        (np.uint32, 32767, torch.int16),
        (np.uint32, 2**31 - 1, torch.int32),
    ],
)
def test_counts_are_kept_exactly(tmp_path: Path, stored: type, most: int, read: torch.dtype) -> None:
    counts = np.random.default_rng(0).integers(0, most, size=(3, 8, 8), endpoint=True).astype(stored)
    counts[1, 2, 3] = most
    found = read_images(write(tmp_path / "d.zarr.zip", counts))
    assert found.counts.dtype == read
    assert found.label.dtype == torch.uint8
    np.testing.assert_array_equal(found.counts.numpy().astype(np.int64), counts.astype(np.int64))
    np.testing.assert_array_equal(found.label, counts > counts.mean())


def test_images_are_read_by_structure(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5, size=(6, 8, 8)).astype(np.uint8)
    path = write(tmp_path / "d.zarr.zip", counts)
    found = read_images(path, np.array([4, 1, 4]))
    np.testing.assert_array_equal(found.counts, counts[[4, 1, 4]])
    np.testing.assert_array_equal(found.label, (counts > counts.mean())[[4, 1, 4]])
    with pytest.raises(ArtifactError, match=r"d\.zarr\.zip holds no image of structure 6\. Delete"):
        read_images(path, np.array([5, 6]))


def test_expected_counts_are_read_where_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    counts, expected = rng.poisson(5, size=(2, 4, 4)).astype(np.uint8), rng.random((2, 4, 4), np.float32)
    path = write(tmp_path / "d.zarr.zip", counts, expected_counts=expected)
    found = read_images(path, np.array([1]), variable="expected_counts")
    assert found.counts.dtype == torch.float32
    np.testing.assert_array_equal(found.counts, expected[[1]])
    without = write(tmp_path / "without.zarr.zip", counts)
    with pytest.raises(ArtifactError, match=r"without\.zarr\.zip holds no expected_counts\. Delete"):
        read_images(without, variable="expected_counts")


# --- augmentation -----------------------------------------------------------------------------


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


# --- batches ----------------------------------------------------------------------------------


def test_plain_batches_keep_order_and_orientation() -> None:
    images = numbered(5)
    batches = Batches(images, 2, CPU)
    assert len(batches) == 3
    parts = list(batches)
    assert [len(image) for image, _ in parts] == [2, 2, 1]
    image, label = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    assert image.dtype == torch.float32
    assert label.dtype == torch.int64
    assert torch.equal(label, images.label.long())
    assert torch.equal(image[:, 0], standardise(images.counts))
    # and again: nothing is used up
    assert torch.equal(torch.cat([label for _, label in batches]), label)


def test_batches_follow_the_order_asked_for() -> None:
    images, order = numbered(6), torch.tensor([5, 0, 3, 3])
    batches = Batches(images, 3, CPU, order=order)
    assert len(batches) == 2
    label = torch.cat([label for _, label in batches])
    assert torch.equal(label, images.label[order].long())


def test_image_and_label_are_turned_together() -> None:
    images = numbered(9)
    order, element = torch.randperm(9, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 8
    parts = list(Batches(images, 4, CPU, order=order, element=element))
    image, label = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    turned = dihedral(images.label[order], element)
    assert torch.equal(label, turned.long())
    assert torch.equal(image[:, 0], standardise(turned))
    assert (
        sum(torch.equal(one, plain) for one, plain in zip(label, images.label[order], strict=True)) == 2
    )  # 0 and 8 % 8


@pytest.mark.parametrize("side", [6, 15, 64, 100])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_images_standardised_ahead_are_the_same(side: int, size: int) -> None:
    generator = torch.Generator().manual_seed(side)
    counts = torch.randint(0, 999, (11, side, side), generator=generator).to(torch.int16)
    images = Images(counts, torch.randint(0, 2, counts.shape, generator=generator).to(torch.uint8))
    ahead = StandardisedImages(images)
    for seed in range(3):  # some are ready, some are not
        generator.manual_seed(seed)
        order = torch.randint(11, (20,), generator=generator)
        for element in (None, torch.randint(8, (20,), generator=generator)):
            plain, kept = (
                list(Batches(images, size, CPU, order=order, element=element, standardised=each))
                for each in (None, ahead)
            )
            assert len(plain) == len(kept)
            for one, other in zip(plain, kept, strict=True):
                assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


def test_images_standardised_ahead_leave_noise_and_augmentations_alone() -> None:
    images = Images(torch.full((4, 8, 8), 20.0), torch.zeros(4, 8, 8, dtype=torch.uint8))
    ahead = StandardisedImages(images)
    one, other = (list(Batches(images, 4, CPU, noise=1, standardised=each)) for each in (None, ahead))
    assert torch.equal(one[0][0], other[0][0])
    assert one[0][0].any()
    ((image, _),) = Batches(
        images, 4, CPU, augment=lambda counts, label, _: (counts.cumsum(-1), label), standardised=ahead
    )
    assert image.any()


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_groups_hold_all_batches_in_order(size: int) -> None:
    batches = Batches(numbered(5), 1, CPU)
    groups = BatchGroups(batches, size)
    for _ in range(2):  # nothing is used up
        parts = [[label for _, label in group] for group in groups]
        assert len(parts) == len(groups)
        assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
        assert torch.equal(torch.cat([label for part in parts for label in part]), numbered(5).label.long())


def noisy(noise: int | None, images: Images, size: int = 4, element: torch.Tensor | None = None) -> list[torch.Tensor]:
    return [image for image, _ in Batches(images, size, CPU, noise=noise, element=element)]


def test_noise_follows_its_seed() -> None:
    expected = Images(torch.full((8, 16, 16), 20.0), torch.zeros(8, 16, 16, dtype=torch.uint8))
    one, again, other = noisy(1, expected), noisy(1, expected), noisy(2, expected)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    # every image of an epoch has noise of its own
    seen = torch.cat(one).flatten(1)
    correlations = torch.corrcoef(seen) - torch.eye(8)
    assert correlations.abs().max() < 5 / 16
    # and the global stream is left alone
    before = torch.get_rng_state()
    noisy(3, expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_is_poisson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrtem_ood.learning.batches.standardise", lambda counts: counts)
    mean = torch.tensor([0.1, 2.0, 40.0, 2500.0])[:, None, None].expand(4, 200, 200).contiguous()
    (counts,) = noisy(0, Images(mean, torch.zeros(4, 200, 200, dtype=torch.uint8)))
    assert torch.equal(counts, counts.round())
    assert counts.min() >= 0
    flat, pixels = counts.double().flatten(1), 200 * 200
    expected = mean[:, 0, 0].double()
    # five standard errors, of the mean and of the variance of a Poisson distribution
    assert ((flat.mean(1) - expected).abs() < 5 * (expected / pixels).sqrt()).all()
    assert ((flat.var(1) - expected).abs() < 5 * ((expected + 2 * expected**2) / pixels).sqrt()).all()


def test_noise_comes_after_turning_and_before_standardising() -> None:
    rng = np.random.default_rng(0)
    images = Images(torch.from_numpy(rng.uniform(1e6, 4e6, (4, 8, 8)).astype(np.float32)), torch.zeros(4, 8, 8).byte())
    element = torch.tensor([3, 0, 5, 6])
    (found,) = noisy(0, images, element=element)
    # at such doses noise is a thousandth
    torch.testing.assert_close(found[:, 0], standardise(dihedral(images.counts, element)), atol=0.02, rtol=0)
    torch.testing.assert_close(found.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(dim=(1, 2, 3), correction=0), torch.ones(4))


# --- where images live ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "free", "expected"), [(0, 0, True), (50, 100, True), (51, 100, False), (1, 0, False)]
)
def test_images_live_on_a_device_that_has_room(needed: int, free: int, expected: bool) -> None:
    assert fits(needed, free) is expected


def test_images_stay_on_the_cpu() -> None:
    images = numbered(2)
    assert images.to_device_if_fits(CPU) is images


def test_a_large_offset_changes_nothing() -> None:
    counts = torch.randint(50, (2, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    assert torch.equal(standardise(counts + 2**30), standardise(counts))


@pytest.mark.parametrize("shape", [(8, 5, 5), (11, 3, 6, 6), (9, 2, 3, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.float32])
def test_one_gather_turns_images_as_one_by_one(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    stack = torch.randint(120, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    element = torch.arange(shape[0]) % 8
    gathered, expected = turn_by_gather(stack, element), turn_one_by_one(stack, element)
    assert gathered.dtype == dtype
    assert torch.equal(gathered, expected)

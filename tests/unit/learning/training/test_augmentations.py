"""Augmentations follow from network, epoch and image alone, act on images and labels alike, and are none by default."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.config.augmentations import Augmentations
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.training.augmentations import EpochAugmentations, rescale, smooth_field
from hrtem_ood.learning.training.training_data import epoch_batches

SIDE = 16
ALL: dict[str, dict[str, Any]] = {name: {"share": 0.7} for name in Augmentations.model_fields}


def images(number: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    label = torch.from_numpy(rng.integers(2, size=(number, SIDE, SIDE)).astype(np.uint8))
    return torch.from_numpy(rng.poisson(40, size=(number, SIDE, SIDE)).astype(np.int16)), label


def only(name: str, **parameters: Any) -> Augmentations:
    return Augmentations(**{name: {"share": 1.0} | parameters})


def applied(chosen: Augmentations, counts: torch.Tensor, label: torch.Tensor, epoch: int = 0) -> tuple[Any, Any]:
    order = np.arange(len(counts))
    return EpochAugmentations(chosen, "its-id", epoch, order, len(counts))(counts, label, slice(None))


def smooth(number: int, largest: int = 5, seed: int = 0) -> torch.Tensor:
    """Return periodic images without high frequencies."""
    rng = np.random.default_rng(seed)
    spectrum = np.zeros((number, SIDE, SIDE), complex)
    for row, column in np.ndindex(2 * largest + 1, 2 * largest + 1):
        spectrum[:, row - largest, column - largest] = rng.normal(size=number) + 1j * rng.normal(size=number)
    return torch.from_numpy(np.fft.ifft2(spectrum).real.astype(np.float32) * SIDE + 100)


# --- what they depend on ----------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(7)), size=st.integers(1, 7), epoch=st.integers(0, 3))
def test_an_image_is_changed_alike_in_any_order_and_any_batches(order: list[int], size: int, epoch: int) -> None:
    counts, label = images(7)
    whole = applied(Augmentations(**ALL), counts, label, epoch)
    places = np.array(order)
    augment = EpochAugmentations(Augmentations(**ALL), "its-id", epoch, places, 7)
    for start in range(0, 7, size):
        part = slice(start, start + size)
        changed, labels = augment(counts[places[part]], label[places[part]], part)
        torch.testing.assert_close(changed, whole[0][places[part]], rtol=1e-4, atol=1e-3)
        assert torch.equal(labels, whole[1][places[part]])


def test_epochs_and_networks_differ_and_one_augmentation_changes_no_other() -> None:
    counts, label = images(6)
    order = np.arange(6)

    def changed(network: str, epoch: int, **chosen: Any) -> torch.Tensor:
        return EpochAugmentations(Augmentations(**chosen), network, epoch, order, 6)(counts, label, slice(None))[0]

    blur = {"blur": {"share": 1.0}}
    assert torch.equal(changed("a", 0, **blur), changed("a", 0, **blur))
    assert not torch.equal(changed("a", 0, **blur), changed("a", 1, **blur))
    assert not torch.equal(changed("a", 0, **blur), changed("b", 0, **blur))
    rare = changed("a", 0, spikes={"share": 0.4}, **blur)
    same = (rare == changed("a", 0, **blur)).flatten(1).all(dim=1)
    assert same.any(), "images without spikes are as without that augmentation"
    assert not same.all()


def test_given_images_stay_as_they_are() -> None:
    counts, label = images(5)
    before = counts.clone(), label.clone()
    changed, labels = applied(Augmentations(**ALL), counts, label)
    assert torch.equal(counts, before[0])
    assert torch.equal(label, before[1])
    assert changed.dtype == torch.float32
    assert labels.dtype == label.dtype
    assert torch.isfinite(changed).all()


def test_the_share_of_images_is_as_stated() -> None:
    counts, label = images(400)
    changed, _ = applied(Augmentations(gain={"share": 0.25}), counts, label)
    share = float((changed != counts).flatten(1).any(dim=1).float().mean())
    assert abs(share - 0.25) < 0.1  # four and a half standard deviations


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_changes_images_as_a_cpu_does() -> None:
    counts, label = images(12)
    order = np.arange(12)
    augment = EpochAugmentations(Augmentations(**ALL), "its-id", 1, order, 12)
    here, labels = augment(counts, label, slice(None))
    there, labels_there = augment(counts.cuda(), label.cuda(), slice(None))
    again, _ = augment(counts.cuda(), label.cuda(), slice(None))
    torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-2)
    assert torch.equal(labels_there.cpu(), labels)
    assert torch.equal(there, again), "deterministic"


# --- in training ------------------------------------------------------------------------------


def spec(**hyperparameters: Any) -> NetworkSpec:
    return NetworkSpec(training_set="t", hyperparameters={"epochs": 3, "batch_size": 2} | hyperparameters)


def epoch_of(network: NetworkSpec, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(epoch_batches(Images(*images(5)), network, epoch, torch.device("cpu")))


def test_none_is_the_default_and_renames_no_network() -> None:
    assert not Augmentations()
    assert spec().id == spec(augmentations={}).id != spec(augmentations={"blur": {}}).id


def test_batches_are_augmented_again_after_a_restart() -> None:
    network = spec(augmentations=ALL)
    for (image, label), (again, labels) in zip(epoch_of(network, 2), epoch_of(network, 2), strict=True):
        assert torch.equal(image, again)
        assert torch.equal(label, labels)
    first = torch.cat([image for image, _ in epoch_of(network, 2)])
    other = torch.cat([image for image, _ in epoch_of(network, 1)])
    assert not torch.equal(first.sort(dim=0).values, other.sort(dim=0).values)
    torch.testing.assert_close(
        first.mean(dim=(-2, -1)), torch.zeros(5, 1), rtol=0, atol=1e-5
    )  # standardised afterwards


# --- one by one -------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(-20, 20), st.integers(-20, 20))
def test_a_shift_of_whole_pixels_rolls_image_and_label(down: int, across: int) -> None:
    counts, (_, label) = smooth(2), images(2)
    shift = torch.tensor([[down, across]] * 2) / SIDE
    moved, labels = rescale(counts, label, torch.ones(2), shift)
    torch.testing.assert_close(moved, counts.roll((-down, -across), (1, 2)), rtol=1e-4, atol=1e-2)
    assert torch.equal(labels, label.roll((-down, -across), (1, 2)))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 1.5), st.floats(0, 1), st.floats(0, 1))
def test_a_wave_is_resampled_exactly(factor: float, down: float, across: float) -> None:
    place = torch.arange(SIDE, dtype=torch.float64)
    wave = 10 + torch.cos(2 * np.pi * 2 * place / SIDE)[None, :, None].expand(1, SIDE, SIDE)
    found, _ = rescale(
        wave.float(),
        torch.zeros(1, SIDE, SIDE, dtype=torch.uint8),
        torch.tensor([factor]),
        torch.tensor([[down, across]]),
    )
    places = down * SIDE + (place + 0.5) / factor - 0.5
    expected = 10 + torch.cos(2 * np.pi * 2 * places / SIDE)[None, :, None].expand(1, SIDE, SIDE)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-3)


def test_objects_become_larger_by_the_factor() -> None:
    label = torch.zeros(1, 64, 64, dtype=torch.uint8)
    label[0, 20:40, 20:40] = 1
    found, labels = rescale(label.float(), label, torch.tensor([1.25]), torch.zeros(1, 2))
    assert abs(int(labels.sum()) - 25**2) <= 25
    assert ((found > 0.5) == labels.bool()).float().mean() > 0.97


def test_a_smaller_image_has_no_aliases() -> None:
    place = torch.arange(SIDE)
    wave = torch.cos(2 * np.pi * 7 * place / SIDE)[None, :, None].expand(1, SIDE, SIDE)  # beyond the new pixels
    found, _ = rescale(wave, torch.zeros(1, SIDE, SIDE, dtype=torch.uint8), torch.tensor([0.7]), torch.zeros(1, 2))
    assert float(found.abs().max()) < 1e-3


@pytest.mark.parametrize("name", ["blur", "large_areas", "gamma", "gain", "brightness"])
def test_a_flat_image_stays_flat_but_for_fields(name: str) -> None:
    counts, label = torch.full((4, SIDE, SIDE), 50.0), torch.zeros(4, SIDE, SIDE, dtype=torch.uint8)
    changed, labels = applied(only(name), counts, label)
    assert torch.equal(labels, label)
    torch.testing.assert_close(changed.mean(dim=(-2, -1)), torch.full((4,), 50.0), rtol=1e-4, atol=0)
    if name == "gain":
        assert float(changed.std()) > 0.1
    else:
        torch.testing.assert_close(changed, counts, rtol=1e-4, atol=0)


def test_blur_damps_a_wave_as_a_gaussian_does() -> None:
    wave = 10 + torch.cos(2 * np.pi * 4 * torch.arange(SIDE) / SIDE)[None, :, None].expand(50, SIDE, SIDE)
    changed, _ = applied(only("blur", sigma_px=1.0), wave, torch.zeros(50, SIDE, SIDE, dtype=torch.uint8))
    left = (changed - 10).amax(dim=(-2, -1))
    least = float(np.exp(-2 * np.pi**2 * 0.25**2))
    assert float(left.min()) >= least - 1e-4
    assert float(left.max()) <= 1 + 1e-4
    assert float(left.min()) < least + 0.1, "large blurs occur"


def test_film_adds_noise_of_its_ring() -> None:
    counts = 100 + torch.randn(40, 64, 64, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(40, 64, 64, dtype=torch.uint8)
    changed, _ = applied(only("film", amplitude=2.0, frequency_per_px=[0.2, 0.2], width=[0.1, 0.1]), counts, label)
    added = changed - counts
    strength = added.std(dim=(-2, -1)) / counts.std(dim=(-2, -1))
    assert float(strength.max()) <= 2.01
    assert float(strength.max()) > 1.5, "strong textures occur"
    power = torch.fft.rfft2(added).abs().square().mean(dim=0)
    q = (torch.fft.fftfreq(64)[:, None] ** 2 + torch.fft.rfftfreq(64)[None, :] ** 2).sqrt()
    assert float(power[(q - 0.2).abs() < 0.05].sum() / power.sum()) > 0.95
    textures = torch.nn.functional.normalize(added.flatten(1))
    overlap = (textures @ textures.T).fill_diagonal_(0)
    assert float(overlap.abs().max()) < 0.3, "every image has its own"


def test_large_areas_lose_contrast_and_lattices_keep_it() -> None:
    place = torch.arange(64)
    slow, fast = (torch.cos(2 * np.pi * cycles * place / 64)[None, :, None].expand(3, 64, 64) for cycles in (1, 16))
    label = torch.zeros(3, 64, 64, dtype=torch.uint8)
    chosen = only("large_areas", factor=[0, 0], period_px=16)
    assert float(applied(chosen, 10 + slow, label)[0].std()) < 0.06 * float(slow.std())
    torch.testing.assert_close(applied(chosen, 10 + fast, label)[0], 10 + fast, rtol=0, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=5, max_size=5))
def test_fields_have_no_mean_and_a_bounded_amplitude(coefficients: list[float]) -> None:
    field = smooth_field(torch.tensor([coefficients]), 12, 20)
    assert field.shape == (1, 12, 20)
    assert abs(float(field.mean())) < 1e-4 * 1e2
    assert float(field.abs().max()) <= 1 + 1e-5


def test_spikes_are_single_bright_pixels() -> None:
    counts, label = torch.full((30, SIDE, SIDE), 10.0), torch.zeros(30, SIDE, SIDE, dtype=torch.uint8)
    changed, _ = applied(only("spikes", most=3, height=5), counts, label)
    higher = (changed > counts).flatten(1).sum(dim=1)
    assert set(higher.tolist()) == {1, 2, 3}
    assert float((changed - counts).min()) == 0
    assert float((changed - counts).max()) <= 3 * 5 * 10


def test_dead_lines_are_rows_or_columns_of_zeros() -> None:
    counts, label = torch.full((40, SIDE, SIDE), 10.0), torch.ones(40, SIDE, SIDE, dtype=torch.uint8)
    changed, labels = applied(only("dead_lines", most=2), counts, label)
    assert torch.equal(labels, label)
    dead = changed == 0
    rows, columns = dead.all(dim=2), dead.all(dim=1)
    assert torch.equal(dead, rows[:, :, None] | columns[:, None, :])
    assert rows.any()
    assert columns.any()
    assert set((rows.sum(dim=1) + columns.sum(dim=1)).tolist()) <= {1, 2}

"""Training sets of many conditions show as many images as those of one, in equal shares, and never validate on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.campaign.specs import TrainingSetSpec
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.training.image_selection import apportion, select_images


def training_set(structures: int, validation: int, *images: int) -> TrainingSetSpec:
    names = tuple(f"d{index:03}" for index in range(len(images)))
    return TrainingSetSpec(datasets=names, n_structures=structures, n_images=images, n_validation_structures=validation)


@st.composite
def training_sets(draw: st.DrawFn) -> TrainingSetSpec:
    left, validation = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    images = draw(st.lists(st.integers(1, left), min_size=1, max_size=7))
    return training_set(left + validation, validation, *images)


@given(training_sets())
@settings(max_examples=200, deadline=None)
def test_selection(spec: TrainingSetSpec) -> None:
    training, validation = select_images(spec)
    left = spec.n_structures - spec.n_validation_structures
    for pairs in (training, validation):
        assert len(set(zip(*pairs, strict=True))) == len(pairs.structure) == len(pairs.dataset), "a pair comes twice"
    assert tuple(np.bincount(training.dataset, minlength=len(spec.n_images))) == spec.n_images
    exact = np.array(spec.n_images) * spec.n_validation_structures / sum(spec.n_images)
    assert (np.abs(np.bincount(validation.dataset, minlength=len(spec.n_images)) - exact) < 1).all()
    assert training.structure.max() < left
    # all validation structures have a say, and no training structure more than any other
    assert sorted(validation.structure) == list(range(left, spec.n_structures))
    assert np.ptp(np.bincount(training.structure, minlength=left)) <= 1


@given(st.integers(0, 50), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_apportion(total: int, weights: list[int]) -> None:
    shares = apportion(total, weights)
    assert sum(shares) == total
    assert all(abs(share - total * weight / sum(weights)) < 1 for share, weight in zip(shares, weights, strict=True))
    assert apportion(total * sum(weights), weights) == [total * weight for weight in weights]


def test_all_pairs_can_be_asked_for_and_no_more() -> None:
    training, _ = select_images(training_set(8, 2, 6, 6, 6, 6))
    assert len(set(zip(*training, strict=True))) == 24
    with pytest.raises(
        ConfigError, match=r"training_sets\.n_images: 7 images .* under one condition, but 6 structures"
    ):
        select_images(training_set(8, 2, 6, 7))


def test_validation_must_leave_structures_to_train_on() -> None:
    with pytest.raises(ConfigError, match="0 structures"):
        select_images(training_set(4, 4, 1))


def test_structures_are_drawn_at_random_and_again_alike() -> None:
    one, again, other = (select_images(training_set(40, 8, *images))[0] for images in ((8, 8), (8, 8), (8, 9)))
    np.testing.assert_array_equal(one.structure, again.structure)
    assert list(one.structure) != sorted(one.structure)
    assert list(one.structure) != list(other.structure[:16]), "another training set draws for itself"

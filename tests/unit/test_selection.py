"""Training sets of many conditions show as many images as those of one, in equal shares, and never validate on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.campaign.specs import TrainingSetSpec
from hrtem_ood.errors import ConfigError
from hrtem_ood.training.selection import Pairs, select


def training_set(datasets: int, structures: int, images: int, validation: int) -> TrainingSetSpec:
    names = tuple(f"d{index:03}" for index in range(datasets))
    return TrainingSetSpec(datasets=names, structures=structures, images=images, validation=validation)


@st.composite
def training_sets(draw: st.DrawFn) -> TrainingSetSpec:
    datasets, left, validation = (draw(st.integers(1, most)) for most in (7, 12, 6))
    images = draw(st.integers(1, left * datasets))
    return training_set(datasets, left + validation, images, validation)


def shares(pairs: Pairs, datasets: int) -> np.ndarray:
    return np.bincount(pairs.dataset, minlength=datasets)


@given(training_sets())
@settings(max_examples=200, deadline=None)
def test_selection(spec: TrainingSetSpec) -> None:
    training, validation = select(spec)
    k, left = len(spec.datasets), spec.structures - spec.validation
    for pairs, images in ((training, spec.images), (validation, spec.validation)):
        assert len(pairs.structure) == len(pairs.dataset) == images
        assert len(set(zip(*pairs, strict=True))) == images, "a pair comes twice"
        assert np.ptp(shares(pairs, k)) <= 1
    assert training.structure.max() < left
    # all validation structures have a say, training structures come as evenly as datasets
    assert sorted(validation.structure) == list(range(left, spec.structures))
    assert np.ptp(np.bincount(training.structure, minlength=left)) <= 1


def test_all_pairs_can_be_asked_for_and_no_more() -> None:
    # 6 structures and 4 datasets share a factor: dealing in turn alone would repeat after 12
    training, _ = select(training_set(4, 8, 24, 2))
    assert len(set(zip(*training, strict=True))) == 24
    with pytest.raises(ConfigError, match=r"training_sets\.images: 25 images .* 6 structures .* give 24; ask for"):
        select(training_set(4, 8, 25, 2))


def test_validation_must_leave_structures_to_train_on() -> None:
    with pytest.raises(ConfigError, match="0 structures"):
        select(training_set(1, 4, 1, 4))


def test_structures_are_drawn_at_random_and_again_alike() -> None:
    one, again, other = (select(training_set(2, 40, images, 8))[0] for images in (16, 16, 17))
    np.testing.assert_array_equal(one.structure, again.structure)
    assert list(one.structure) != sorted(one.structure)
    assert list(one.structure) != list(other.structure[:16]), "another training set draws for itself"

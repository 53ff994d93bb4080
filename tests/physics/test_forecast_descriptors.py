"""Descriptors of the forecast against closed forms, and against the predictors that they share measures with."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hrtem_ood.physics.imaging.parameters import Detector
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer.forecast import descriptors
from hrtem_ood.transfer.forecast.descriptors import NAMES, describe, describe_all
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.information import log_cnr
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet
from hrtem_ood.transfer.predictors.registry import PREDICTORS

GRID = polar_grid(Transfer(radial_points=128, azimuthal_points=8), pixel_size_A=0.4)
Q = np.linspace(0, 1.3, 200)
OBJECTS = ObjectSpectrum(Q, 0.03 * np.exp(-4 * Q) * (1.2 + np.cos(20 * Q)), 0.004 * np.exp(-6 * Q**2), covered=0.2)


def spectra(condition: Condition, objects: ObjectSpectrum = OBJECTS, detector: Detector | None = None) -> ImageSpectra:
    return image_spectra(
        condition, objects, GRID, wavelength_A=electron_wavelength_A(3e5), pixel_size_A=0.4, detector=detector
    )


def dataset(defocus_A: float, dose: float, **others: float) -> Dataset:
    condition = Condition(defocus_A=defocus_A, dose_e_per_A2=dose, focal_spread_A=20, **others)
    return Dataset(
        condition.model_dump_json(), condition, "set", 0.4, OBJECTS, spectra(condition), np.zeros(1), Path("none")
    )


def training_set(*parts: Dataset, images: Sequence[int] = ()) -> TrainingSet:
    return TrainingSet("t", parts, tuple(images) or (8,) * len(parts))


LOW, MIDDLE, HIGH = dataset(60, 50), dataset(-90, 300), dataset(80, 1600, C12=40)


def named(train: TrainingSet, test: Dataset) -> dict[str, float]:
    return dict(zip(NAMES, describe(train, test).tolist(), strict=True))


@pytest.mark.parametrize("train", [training_set(LOW), training_set(HIGH), training_set(LOW, HIGH, images=(3, 9))])
@pytest.mark.parametrize("test", [LOW, MIDDLE, HIGH])
def test_measures_are_those_of_the_predictors(train: TrainingSet, test: Dataset) -> None:
    values = named(train, test)
    value = {
        name: PREDICTORS[name].function(train, test) for name in PREDICTORS if PREDICTORS[name].family == "transfer"
    }
    for name in ("texture_accuracy", "snr_sigma", "signed_sigma"):
        assert values[name] == value[name]
    assert values["texture_divergence"] == pytest.approx(math.log(1 + value["texture_divergence"]))
    assert values["test_log_cnr"] == value["test_log_cnr"]
    assert values["texture_accuracy"] - values["test_texture_accuracy"] == pytest.approx(value["texture_regret"])
    assert values["log_cnr_change"] == values["test_log_cnr"] - values["train_log_cnr"]
    assert values["log_cnr_distance"] == abs(values["log_cnr_change"])
    if len(train.datasets) == 1:
        assert values["log_cnr_distance"] == pytest.approx(value["log_cnr_difference"])
        assert values["texture_accuracy"] - values["train_texture_accuracy"] == pytest.approx(value["texture_gap"])


def test_a_mixture_is_its_hull() -> None:
    low, middle, high = (named(training_set(each), each) for each in (LOW, MIDDLE, HIGH))
    assert low["test_log_cnr"] < middle["test_log_cnr"] < high["test_log_cnr"]
    inside = named(training_set(LOW, HIGH), MIDDLE)
    assert inside["train_log_cnr"] == inside["test_log_cnr"] == middle["test_log_cnr"]
    assert inside["log_cnr_distance"] == 0
    above, below = named(training_set(LOW, MIDDLE), HIGH), named(training_set(MIDDLE, HIGH), LOW)
    assert above["train_log_cnr"] == below["train_log_cnr"] == middle["test_log_cnr"]
    assert above["log_cnr_change"] > 0 > below["log_cnr_change"]
    for name in ("film_to_noise", "centroid"):
        own = [each[f"test_{name}"] for each in (low, high)]
        expected = np.clip(middle[f"test_{name}"], min(own), max(own))
        assert inside[f"train_{name}"] == expected
    # order and number of images do not move the hull, as its members are the same
    assert named(training_set(HIGH, LOW, images=(1, 99)), MIDDLE)["train_log_cnr"] == inside["train_log_cnr"]


def test_the_entropy_of_shares_is_that_of_so_many_equal_members() -> None:
    assert named(training_set(LOW), HIGH)["mixture_entropy"] == 0
    assert named(training_set(LOW, MIDDLE, HIGH), HIGH)["mixture_entropy"] == pytest.approx(math.log(3))
    values = named(training_set(LOW, HIGH, images=(1, 3)), HIGH)
    assert values["mixture_entropy"] == pytest.approx(-math.log(0.25) / 4 - 3 * math.log(0.75) / 4)
    assert values["log_n_images"] == pytest.approx(math.log(4))


def flat(contrast: float, film: float, noise: float) -> ImageSpectra:
    """Return spectra without features: T = ½, so that 4 T² = 1."""
    ones = np.ones((GRID.q_per_A.size, GRID.azimuth_rad.size))
    column = np.ones((GRID.q_per_A.size, 1))
    return ImageSpectra(
        ones / 2, ones / 2, contrast * column, contrast * ones, (film + noise) * ones, noise * ones, 1.0,
        GRID.weight, GRID.area_per_A2, film * column,
    )  # fmt: skip


def test_film_to_noise_and_centroid_of_spectra_without_features() -> None:
    assert descriptors.film_to_noise(flat(2.0, 3.0, 0.5)) == pytest.approx(math.log(7))
    assert descriptors.film_to_noise(flat(2.0, 0.0, 0.5)) == 0
    assert descriptors.centroid(flat(2.0, 3.0, 0.5)) == pytest.approx(0.5)
    assert descriptors.centroid(flat(0.0, 3.0, 0.5)) == 0.5


def test_the_centroid_of_a_ramp_in_area() -> None:
    """ρ ∝ x has the centroid ∫x² / ∫x = ⅔ on [0, 1], where x is the share of the area at lower frequencies."""
    inner, outer = 0.05, 1.25
    x = (GRID.q_per_A**2 - inner**2) / (outer**2 - inner**2)
    made = flat(1.0, 0.0, 1.0)
    ramp = ImageSpectra(**(vars(made) | {"signal": x[:, None] * made.signal}))
    assert descriptors.centroid(ramp) == pytest.approx(2 / 3, abs=1e-3)


def test_film_counts_relative_to_noise_as_the_detector_records_both() -> None:
    """Doubling the dose doubles film over noise; so does a film of twice the power; an MTF alike for both does nothing."""
    condition = Condition(defocus_A=70, dose_e_per_A2=100, focal_spread_A=20)
    ratio = math.expm1(descriptors.film_to_noise(spectra(condition)))
    doubled = math.expm1(descriptors.film_to_noise(spectra(condition.model_copy(update={"dose_e_per_A2": 200}))))
    assert doubled == pytest.approx(2 * ratio)
    thicker = ObjectSpectrum(Q, OBJECTS.particle, 2 * OBJECTS.film, 0.2)
    assert math.expm1(descriptors.film_to_noise(spectra(condition, thicker))) == pytest.approx(2 * ratio)
    mixed = image_spectra(condition, OBJECTS, GRID, wavelength_A=electron_wavelength_A(3e5), pixel_size_A=0.4)
    assert mixed.background - 1 / 100 == pytest.approx(4 * mixed.transfer**2 * mixed.film)


def test_all_pairs_at_once() -> None:
    sets = [training_set(LOW), training_set(LOW, HIGH)]
    values = describe_all(sets, [LOW, MIDDLE, HIGH])
    assert values.shape == (2, 3, len(NAMES))
    np.testing.assert_array_equal(values[1, 2], describe(sets[1], HIGH))
    assert describe_all([], [LOW]).shape == (0, 1, len(NAMES))
    assert values[0, 0, NAMES.index("test_log_cnr")] == log_cnr(LOW.image_spectra)


def test_choices_of_candidates_are_described_as_mixtures_in_equal_shares() -> None:
    from hrtem_ood.transfer.forecast.mixtures import CandidateTable

    made = CandidateTable.of([LOW, MIDDLE, HIGH], [MIDDLE, HIGH])
    for choices in ([(0,), (1,)], [(0, 2), (1, 2), (0, 1)], [(0, 1, 2)]):
        sets = [
            training_set(*([LOW, MIDDLE, HIGH][each] for each in chosen), images=(60 // len(chosen),) * len(chosen))
            for chosen in choices
        ]
        described = made.describe(np.array(choices), 60)
        np.testing.assert_allclose(described, describe_all(sets, [MIDDLE, HIGH]), rtol=1e-12, atol=1e-12)

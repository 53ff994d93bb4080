"""Predictors from images against their definitions, written out coefficient by coefficient and sample by sample."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import linalg, ndimage, stats

from hrtem_ood.artifacts import store
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.predictors import image_distance
from hrtem_ood.transfer.predictors.inputs import MAX_IMAGES, Dataset, TrainingSet
from hrtem_ood.transfer.predictors.registry import PREDICTORS

OBJECTS = ObjectSpectrum(*(np.zeros(2),) * 3, covered=0.1)


def dataset(folder: Path, name: str, counts: np.ndarray) -> Dataset:
    """Write images, and describe them as the stage does; what they show by theory is not asked for here."""
    path = folder / f"{name}.zarr.zip"
    store.write_zarr(path, xr.Dataset({"counts": (("image", "y", "x"), counts)}), {"id": name})
    condition = Condition(defocus_A=0, dose_e_per_A2=400)
    return Dataset(name, condition, "set", 0.4, OBJECTS, None, np.zeros(0), path)  # type: ignore[arg-type]


def training_set(*datasets: Dataset) -> TrainingSet:
    return TrainingSet("t", datasets, (1,) * len(datasets))


def blurred_noise(seed: int, sigma_px: float, number: int = 12, size: int = 32) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((number, size, size))
    texture = ndimage.gaussian_filter(noise, (0, sigma_px, sigma_px), mode="wrap")
    return np.rint(100 + 20 * texture / texture.std()).astype(np.uint16)


@pytest.mark.parametrize("size", [8, 15, 64])
def test_ring_powers_coefficient_by_coefficient(size: int) -> None:
    image = np.random.default_rng(size).standard_normal((2, size, size))
    rings = {8: 2, 15: 3, 64: 16}[size]
    wave = np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(size)) / size)
    expected = np.zeros((2, rings))
    for row, each in enumerate(image):
        power = np.abs(wave @ each @ wave.T) ** 2 / size**2
        for ring in range(rings):
            within = []
            for ky in range(size):
                for kx in range(size):
                    q = np.hypot(min(ky, size - ky), min(kx, size - kx)) / size  # cycles per pixel
                    if (ky, kx) != (0, 0) and ring / rings <= 2 * q < (ring + 1) / rings:
                        within.append(power[ky, kx])
            expected[row, ring] = np.mean(within)
    np.testing.assert_allclose(image_distance.radial_power_spectrum(image), expected, rtol=1e-9)


def test_white_images_have_power_one_and_a_fringe_only_that_of_its_ring() -> None:
    white = np.random.default_rng(0).standard_normal((400, 32, 32))
    np.testing.assert_allclose(image_distance.radial_power_spectrum(white).mean(axis=0), 1, atol=0.05)
    fringe = np.broadcast_to(np.sqrt(2) * np.cos(2 * np.pi * 10 * np.arange(64) / 64), (1, 64, 64))
    found = image_distance.radial_power_spectrum(fringe)[0]
    assert np.flatnonzero(found > 1e-9).tolist() == [5]  # 10 cycles of 32 to the Nyquist frequency, in 16 rings


def test_features_patch_by_patch() -> None:
    whole = np.random.default_rng(1).gamma(2, size=(2, 20, 20))
    found = image_distance.features(whole.astype(np.float32))
    row = 0
    for image in whole:
        for y in (0, 10):
            for x in (0, 10):
                patch = image[y : y + 10, x : x + 10].astype(np.float32).astype(float)
                centred = patch - patch.mean()
                local = ndimage.generic_filter(centred, np.var, 5)
                expected = [
                    *np.log(image_distance.radial_power_spectrum(centred[None])[0]),
                    stats.skew(patch, axis=None),
                    stats.kurtosis(patch, axis=None),
                    *np.quantile(np.log(local), [0.25, 0.5, 0.75]),
                ]
                np.testing.assert_allclose(found[row], expected, rtol=1e-6, atol=1e-6)
                row += 1
    assert row == len(found)


def test_frechet_distance_by_the_matrix_root() -> None:
    rng = np.random.default_rng(2)
    one, two = (rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4)) + rng.standard_normal(4) for _ in range(2))
    sigma, other = np.cov(one.T), np.cov(two.T)
    shift = one.mean(axis=0) - two.mean(axis=0)
    expected = shift @ shift + np.trace(sigma + other - 2 * linalg.sqrtm(sigma @ other).real)
    assert image_distance.frechet(one, two) == pytest.approx(expected, rel=1e-9)
    assert image_distance.frechet(one, one) == pytest.approx(0, abs=1e-9)
    # in one dimension, (μ − μ′)² + (s − s′)²
    one, two = one[:, :1], two[:, :1]
    expected = (one.mean() - two.mean()) ** 2 + (one.std(ddof=1) - two.std(ddof=1)) ** 2
    assert image_distance.frechet(one, two) == pytest.approx(expected, rel=1e-9)


def test_mmd_pair_by_pair() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.standard_normal((7, 3)), rng.standard_normal((5, 3)) + 1

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / 3))

    within = [
        sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (len(x) * (len(x) - 1))
        for x in (one, two)
    ]
    across = sum(k(a, b) for a in one for b in two) / 35
    assert image_distance.mmd(one, two) == pytest.approx(sum(within) - 2 * across, rel=1e-9)
    # unbiased: zero on average between samples of one distribution
    drawn = [image_distance.mmd(*rng.standard_normal((2, 12, 3))) for _ in range(400)]
    assert abs(np.mean(drawn)) < 4 * np.std(drawn) / 20
    assert min(drawn) < 0


def test_distances_grow_with_the_change_and_of_a_mixture_the_nearest_counts(tmp_path: Path) -> None:
    train = dataset(tmp_path, "train", blurred_noise(1, 1.0))
    same, near, far = (
        dataset(tmp_path, name, blurred_noise(seed, sigma))
        for name, seed, sigma in (("same", 2, 1.0), ("near", 3, 1.5), ("far", 4, 4.0))
    )
    for name in ("log_spectrum", "frechet", "mmd"):
        predictor = PREDICTORS[name].function
        values = [predictor(training_set(train), test) for test in (same, near, far)]
        assert values[0] < values[1] < values[2]
        assert predictor(training_set(train, far), far) == pytest.approx(predictor(training_set(far), far))
        assert predictor(training_set(far, train), near) == min(values[1], predictor(training_set(far), near))


def test_images_are_the_first_ones_standardised_one_by_one(tmp_path: Path) -> None:
    counts = np.random.default_rng(5).poisson(7, (MAX_IMAGES + 3, 6, 6)).astype(np.uint8)
    counts[2] = 9
    found = dataset(tmp_path, "d", counts).images
    assert found.shape == (MAX_IMAGES, 6, 6)
    np.testing.assert_allclose(np.delete(found, 2, axis=0).mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(np.delete(found, 2, axis=0).std(axis=(1, 2)), 1, rtol=1e-6)
    assert (found[2] == 0).all(), "a constant image"
    expected = (counts[4] - counts[4].mean()) / counts[4].std()
    np.testing.assert_allclose(found[4], expected, atol=1e-6)
    # neither gain nor offset of the counts matters
    scaled = dataset(tmp_path, "e", (3 * counts.astype(np.uint16) + 100)).images
    np.testing.assert_allclose(scaled, found, atol=1e-5)

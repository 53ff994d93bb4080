"""Resampling evaluates the band-limited image between the pixels, exactly, and leaves noise white."""

import numpy as np
import pytest
import scipy.fft

from hrtem_ood.learning.inference.resample import interpolate, resample, resampled_side, same_pixel

RATIOS = [0.73, 1.0309, 1.6, 2.0, 3.217]


def fringes(centres_A, period_A):
    """A wave packet, far from every edge: smooth, and band-limited to all digits that count."""
    y, x = centres_A[0][:, None], centres_A[1][None, :]
    packet = np.exp(-((y - 30) ** 2 + (x - 42) ** 2) / (2 * 6**2))
    return packet * np.cos(2 * np.pi * (0.6 * y + 0.8 * x) / period_A)


def centres(shape, pixel_size_A):
    return [(np.arange(side) + 0.5) * pixel_size_A for side in shape]


@pytest.mark.parametrize("ratio", RATIOS)
def test_fringes_are_those_of_the_new_grid(ratio):
    old, new = 0.2, 0.2 * ratio
    image = fringes(centres((300, 420), old), 3.1).astype(np.float32)
    found = resample(image, old, new)
    assert found.dtype == np.float32
    assert found.shape == (resampled_side(300, old, new), resampled_side(420, old, new))
    np.testing.assert_allclose(found, fringes(centres(found.shape, new), 3.1), atol=2e-6)


def test_fringes_beyond_the_new_band_vanish():
    image = fringes(centres((300, 420), 0.2), 0.9).astype(np.float32)
    assert np.abs(image).max() > 0.9
    assert np.abs(resample(image, 0.2, 0.7)).max() < 1e-4
    assert np.abs(resample(image, 0.2, 0.3)).max() > 0.9


@pytest.mark.parametrize("ratio", RATIOS[1:])
def test_white_noise_stays_white_at_the_level_of_larger_pixels(ratio):
    rng = np.random.default_rng(3)
    found = resample(rng.standard_normal((700, 900)).astype(np.float32), 1.0, ratio)[8:-8, 8:-8]
    scale = 1 / np.sqrt(found.size)
    # a pixel that is r times as wide gathers r² times the electrons: relative noise falls by r
    assert found.std() * ratio == pytest.approx(1, abs=4 * scale)
    for shift in (1, 2, 3):
        beside = (found[:, shift:] * found[:, :-shift]).mean() / found.var()
        assert abs(beside) < 4 * scale


def test_an_offset_and_a_slope_stay_to_the_edges():
    slope = np.add.outer(np.zeros(90), np.arange(120.0)).astype(np.float32) + 5000
    found = resample(slope, 0.3, 0.4)
    expected = (np.arange(90) + 0.5) * 4 / 3 - 0.5 + 5000
    assert np.abs(found - expected).max() < 0.5, "no edge rings with the step from the last column to the first"
    np.testing.assert_allclose(found[:, 5:-5], np.broadcast_to(expected[5:-5], (67, 80)), atol=0.02)


def test_the_same_pixel_gives_the_same_image():
    image = np.random.default_rng(0).poisson(40, (64, 50)).astype(np.float32)
    np.testing.assert_allclose(resample(image, 0.4, 0.4), image, atol=1e-4)


def test_a_whole_ratio_is_a_cropped_cosine_transform():
    image = np.random.default_rng(0).poisson(40, (64, 96)).astype(np.float32)
    cropped = scipy.fft.dctn(image.astype(float), norm="forward")[:32, :48]
    np.testing.assert_allclose(resample(image, 0.2, 0.4), scipy.fft.idctn(cropped, norm="forward"), atol=2e-5)


def test_rounding_loses_no_pixel():
    assert resampled_side(512, 0.2, 0.4) == 256
    assert resampled_side(300, 0.1 * 3, 0.3) == 300  # 0.1 · 3 is a little more than 0.3
    assert resampled_side(300, 0.3, 0.1 * 3) == 300
    assert same_pixel(0.1 * 3, 0.3)
    assert not same_pixel(0.4, 0.41)


def test_interpolation_is_linear_between_centres_and_bounded():
    """A ramp stays the ramp between the outermost centres; both grids begin at the same corner."""
    y, x = (np.indices((40, 50)) + 0.5) * 0.4
    for pixel, shape in ((0.31, (51, 64)), (0.63, (25, 31)), (0.4, (40, 50))):
        found = interpolate((2 * y + x).astype(np.float32), 0.4, pixel, shape)
        rows, columns = (
            np.clip((np.arange(side) + 0.5) * pixel, 0.2, end) for side, end in zip(shape, (15.8, 19.8), strict=True)
        )
        np.testing.assert_allclose(found, 2 * rows[:, None] + columns, atol=1e-4)
    probability = np.random.default_rng(1).random((300, 7), dtype=np.float32).round()
    found = interpolate(probability, 0.4, 0.1, (1200, 28))
    assert (found.min(), found.max()) == (0, 1)
    np.testing.assert_array_equal(interpolate(probability, 0.4, 0.4, (300, 7)), probability)

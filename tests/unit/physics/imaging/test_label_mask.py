"""Label masks."""

import itertools

import numpy as np
import pytest
import scipy.ndimage

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.imaging.label_mask import label_mask

CPU = array_module("cpu")


def disk(size, pixel_size_A, centre_A, radius_A, phase_rad=0.4):
    """A disk of constant phase, across periodic boundaries."""
    cell = size * pixel_size_A
    apart = [(np.arange(size) * pixel_size_A - c + cell / 2) % cell - cell / 2 for c in centre_A]
    return np.where(np.hypot(apart[0][:, None], apart[1][None, :]) < radius_A, phase_rad, 0).astype(np.float32)


def mask(phase, size, pixel_size_A, blur_A=1.0, mask_threshold=0.5, threshold=0.2):
    return label_mask(
        phase,
        size=size,
        pixel_size_A=pixel_size_A,
        phase_threshold_rad=threshold,
        blur_A=blur_A,
        mask_threshold=mask_threshold,
        am=CPU,
    )


def test_mask_of_a_disk_is_the_disk_on_the_image_grid():
    """Half covered: a blurred straight edge stays where it is, also across the cell's boundary."""
    found = mask(disk(172, 51.2 / 172, (3, 20), 12), 128, 0.4)
    expected = disk(128, 0.4, (3, 20), 12) > 0
    assert found.dtype == np.uint8
    assert (found != expected).mean() < 0.01 * expected.mean() + 0.002
    assert found[-10:].any()  # it wraps around


def test_threshold_comes_first_then_a_periodic_gaussian_of_that_standard_deviation():
    phase = np.random.default_rng(0).normal(size=(60, 60)).astype(np.float32)
    blurred = scipy.ndimage.gaussian_filter((phase > 0.3).astype(float), 1.5 / 0.5, mode="wrap", truncate=8)
    for level in np.quantile(blurred, [0.2, 0.5, 0.8]):
        found = mask(phase, 60, 0.5, blur_A=1.5, mask_threshold=float(level), threshold=0.3)
        assert (found != (blurred > level)).mean() < 2e-3


def test_blur_closes_gaps_between_columns():
    y, x = np.meshgrid(np.arange(100) * 0.3, np.arange(100) * 0.3, indexing="ij")
    lattice = 1 + np.cos(2 * np.pi * x / 3) * np.cos(2 * np.pi * y / 3)
    columns = (disk(100, 0.3, (15, 15), 10, 0.5) * lattice).astype(np.float32)
    inside = disk(100, 0.3, (15, 15), 8) > 0
    assert mask(columns, 100, 0.3, blur_A=0.0, threshold=0.8)[inside].mean() < 0.3
    assert mask(columns, 100, 0.3, blur_A=1.5, mask_threshold=0.06, threshold=0.8)[inside].all()


@pytest.mark.parametrize("shape", [(40, 40), (3, 40, 40)])
def test_higher_thresholds_and_coverages_mask_less(shape):
    phase = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    for key, values in (("threshold", (-9, 0, 0.3, 9)), ("mask_threshold", (-0.1, 0.4, 0.6, 1.1))):
        masks = [mask(phase, 30, 0.4, **{key: value}) for value in values]
        assert masks[0].shape == (*shape[:-2], 30, 30)
        assert masks[0].all()
        assert not masks[-1].any()
        assert all((more >= less).all() for more, less in itertools.pairwise(masks))

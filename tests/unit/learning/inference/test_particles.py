"""Sizes, shares and entropy are those of drawn discs."""

import io

import numpy as np
import pandas as pd
import pytest

from hrtem_ood.learning.inference.particles import measure_particles, threshold

PIXEL_A = 0.5


def discs(shape, *each):
    """Probability of discs (y, x, radius) [Å]."""
    y, x = (np.indices(shape) + 0.5) * PIXEL_A
    inside = np.any([np.hypot(y - cy, x - cx) < radius for cy, cx, radius in each], axis=0)
    return np.where(inside, 0.9, 0.02).astype(np.float32)


def test_discs_are_found_with_their_sizes_and_places():
    found = measure_particles(discs((240, 300), (30, 40, 12), (80, 110, 25), (119, 10, 20)), PIXEL_A)
    particles = found.particles
    assert particles.diameter_A.to_list()[::2] == pytest.approx([50, 24], rel=0.01)
    assert particles.area_A2[0] == pytest.approx(np.pi * 25**2, rel=0.01)
    assert particles.at_edge.to_list() == [False, True, False]
    assert (particles.y_A[0], particles.x_A[0]) == pytest.approx((80, 110), abs=0.05)
    assert (particles.y_A[2], particles.x_A[2]) == pytest.approx((30, 40), abs=0.05)
    assert found.covered == pytest.approx(particles.area_A2.sum() / (240 * 300 * PIXEL_A**2))


def test_entropy_is_its_definition():
    probability = np.random.default_rng(1).random((700, 30), dtype=np.float32)
    p = probability.astype(float)
    expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    assert measure_particles(probability, PIXEL_A).entropy == pytest.approx(expected, rel=1e-9)
    assert measure_particles(np.array([[0, 1]], np.float32), PIXEL_A).entropy == 0
    assert measure_particles(np.full((3, 3), 0.5, np.float32), PIXEL_A).entropy == pytest.approx(np.log(2))


@pytest.mark.parametrize(("value", "count"), [(0.02, 0), (0.5, 0), (0.9, 1)])
def test_nothing_and_everything(value, count):
    found = measure_particles(np.full((20, 30), value, np.float32), PIXEL_A)
    assert (found.covered, len(found.particles)) == (count, count)


def test_corners_do_not_connect():
    probability = np.full((9, 9), 0.1, np.float32)
    probability[2:4, 2:4] = probability[4:6, 4:6] = 0.9
    assert len(measure_particles(probability, PIXEL_A).particles) == 2


def test_a_tie_is_background():
    np.testing.assert_array_equal(threshold(np.array([0.49, 0.5, 0.51], np.float32)), np.array([0, 0, 1], np.uint8))


def test_the_table_can_be_read_again():
    found = measure_particles(discs((240, 300), (30, 40, 12), (80, 110, 25)), PIXEL_A)
    again = pd.read_csv(io.StringIO(found.csv()), index_col="particle")
    pd.testing.assert_frame_equal(again, found.particles, rtol=1e-5, check_names=False, check_dtype=False)

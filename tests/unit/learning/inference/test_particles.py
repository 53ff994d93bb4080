"""Sizes, shares and entropy are those of drawn discs."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, special

from hrtem_ood.learning.inference import particles as particles_module
from hrtem_ood.learning.inference.particle_labels import ParticleOptions, fill_holes
from hrtem_ood.learning.inference.particles import confidence_map, measure_particles, threshold

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
    assert particles.index.to_list() == [1, 2, 3]
    assert particles.area_A2[1] == pytest.approx(np.pi * 25**2, rel=0.01)
    assert particles.at_edge.to_list() == [False, True, False]
    assert (particles.y_A[1], particles.x_A[1]) == pytest.approx((80, 110), abs=0.05)
    assert (particles.y_A[3], particles.x_A[3]) == pytest.approx((30, 40), abs=0.05)
    assert (particles.y_px[3], particles.x_px[3]) == pytest.approx((30 / PIXEL_A - 0.5, 40 / PIXEL_A - 0.5), abs=0.1)
    for number, (y, x) in enumerate([(80, 110), (119, 10), (30, 40)], start=1):
        assert found.labels[int(y / PIXEL_A) - 1, int(x / PIXEL_A)] == number
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


def test_the_table_can_be_read_again(tmp_path):
    found = measure_particles(discs((240, 300), (30, 40, 12), (80, 110, 25)), PIXEL_A)
    found.write_csv(tmp_path / "a.csv")
    again = pd.read_csv(tmp_path / "a.csv", index_col="particle")
    pd.testing.assert_frame_equal(again, found.particles, rtol=1e-5, check_names=False, check_dtype=False)


def ellipse(shape, centre, axes, angle):
    """Probability of an ellipse of full axes [px], the first turned from x towards y by an angle."""
    y, x = np.indices(shape) - np.array(centre)[:, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (2 * along / axes[0]) ** 2 + (2 * across / axes[1]) ** 2 < 1
    return np.where(inside, 0.9, 0.02).astype(np.float32)


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 4, 2])
@pytest.mark.parametrize("axes", [(80, 80), (100, 50), (120, 30)])
def test_shapes_are_those_of_ellipses(axes, angle):
    (row,) = measure_particles(ellipse((160, 170), (80.3, 84.6), axes, angle), PIXEL_A).particles.itertuples()
    assert (row.major_A, row.minor_A) == pytest.approx((axes[0] * PIXEL_A, axes[1] * PIXEL_A), rel=0.01)
    assert row.aspect_ratio == pytest.approx(axes[0] / axes[1], rel=0.02)
    m = 1 - (axes[1] / axes[0]) ** 2
    perimeter = 2 * axes[0] * special.ellipe(m)
    expected = 4 * np.pi * (np.pi * axes[0] * axes[1] / 4) / perimeter**2
    assert row.circularity == pytest.approx(expected, rel=0.08)
    assert row.circularity <= 1


@pytest.mark.parametrize("rows", [4, 256])
def test_perimeters_cross_slabs_and_edges(monkeypatch, rows):
    monkeypatch.setattr(particles_module, "ROWS", rows)
    labels = np.zeros((24, 30), np.int32)
    labels[2:12, 3:23] = 1
    labels[12:24, 3:13] = 2  # touches the other and the edge
    expected = [np.pi / 8 * (2 * (h + w) + 2 * 2 * (h + w - 1) * np.sqrt(0.5)) for h, w in ((10, 20), (12, 10))]
    np.testing.assert_allclose(particles_module.perimeters_px(labels, 2), expected)


def test_confidence_is_its_definition():
    probability = np.array([[0, 1, 0.5, 0.9, 0.9]], np.float32)
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    sure = 1 - entropy / np.log(2)
    np.testing.assert_allclose(confidence_map(probability), [[1, 1, 0, sure, sure]], atol=1e-6)
    dead = np.array([[False, True, False, False, True]])
    np.testing.assert_allclose(confidence_map(probability, dead), [[1, 0, 0, sure, 0]], atol=1e-6)
    table = measure_particles(np.pad(probability, 1), PIXEL_A).particles
    assert table.confidence.to_list() == pytest.approx([sure, 1], abs=1e-6)


def test_intensity_is_relative_to_the_background():
    probability = discs((240, 300), (30, 40, 12), (80, 110, 25))
    image = np.full(probability.shape, 60, np.float32)
    image[:150, :150][probability[:150, :150] > 0.5] = 30
    table = measure_particles(probability, PIXEL_A, image=image, zero=10).particles
    assert table.intensity_ratio[2] == pytest.approx((30 - 10) / (60 - 10), rel=1e-6)
    assert np.isnan(measure_particles(probability, PIXEL_A).particles.intensity_ratio).all()
    assert np.isnan(
        measure_particles(np.ones((9, 9), np.float32), PIXEL_A, image=image[:9, :9]).particles.intensity_ratio[1]
    )


def test_small_particles_are_dropped_by_their_diameter():
    probability = discs((240, 300), (30, 40, 4.9), (80, 110, 5.2), (50, 20, 20))
    kept = measure_particles(probability, PIXEL_A, ParticleOptions(min_diameter_A=10.1))
    assert kept.particles.diameter_A.to_list() == pytest.approx([40, 10.4], rel=0.02)
    assert np.unique(kept.labels).tolist() == [0, 1, 2]
    assert kept.covered == pytest.approx(kept.particles.area_A2.sum() / (240 * 300 * PIXEL_A**2))
    none = measure_particles(probability, PIXEL_A, ParticleOptions(min_diameter_A=50))
    assert (len(none.particles), none.covered) == (0, 0)


def test_holes_are_filled_but_not_bays():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:15, 5:15] = mask[20:35, 20:35] = mask[25:30, :10] = 1
    mask[8:10, 8:10] = 0  # a hole
    mask[24:28, 24:28] = 0
    mask[26, 28:40] = 0  # open to the outside
    filled = fill_holes(mask)
    expected = mask.copy()
    expected[8:10, 8:10] = 1
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize(
    ("centres", "count"),
    [
        ([(40, 40, 20), (40, 75, 20)], 2),  # neck of 19 px, half of the diameter
        ([(40, 40, 20), (40, 60, 20)], 1),  # neck of 35 px, 87 %
        ([(40, 40, 25), (40, 74, 12)], 2),
        ([(40, 30, 18), (40, 62, 18), (70, 46, 18)], 3),
        ([(40, 40, 20)], 1),
        ([(40, 10, 18), (40, 44, 18)], 2),  # one is cut by the edge
    ],
)
def test_particles_that_touch_are_separated_at_narrow_necks(centres, count):
    y, x = np.indices((100, 110))
    inside = np.any([np.hypot(y - cy, x - cx) < radius for cy, cx, radius in centres], axis=0)
    probability = np.where(inside, 0.9, 0.1).astype(np.float32)
    assert len(measure_particles(probability, 1.0).particles) == 1
    found = measure_particles(probability, 1.0, ParticleOptions(split_touching=True))
    assert len(found.particles) == count
    np.testing.assert_array_equal(found.labels > 0, inside)
    if count > 1:
        for cy, cx, radius in centres:
            mine = found.labels[cy, cx]
            whole = np.hypot(y - cy, x - cx) < radius
            assert (found.labels[whole] == mine).mean() > 0.9
        assert len({int(found.labels[cy, cx]) for cy, cx, _ in centres}) == count


def test_rods_and_rough_outlines_stay_whole():
    y, x = np.indices((120, 200))
    rod = (np.abs(y - 30 - x / 20) < 9) & (x > 20) & (x < 180)
    noise = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=y.shape), 2)
    rough = np.hypot(y - 85, x - 100) < 25 + 25 * noise
    probability = np.where(rod | rough, 0.9, 0.1).astype(np.float32)
    options = ParticleOptions(min_diameter_A=8, split_touching=True)
    assert len(measure_particles(probability, 1.0, options).particles) == 2

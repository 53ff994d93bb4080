"""Repair of micrographs: images without defects stay, and what is repaired is as it was before the defect."""

import numpy as np
import pytest
from scipy import ndimage

from hrtem_ood.learning.repair import dead_pixels, fit_background, repair_image

SIDE = 96


def micrograph(dose=60.0, seed=0, side=SIDE, amplitude=0.3):
    """Poisson counts of a film with a darker disc of crossed fringes, as a crystal has."""
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(y - side / 2, x - side / 2) < side / 5
    fringes = np.cos(2 * np.pi * x / 6) * np.cos(2 * np.pi * y / 7)
    mean = dose * (1 + disc * (amplitude * fringes - 0.05))
    return np.random.default_rng(seed).poisson(mean).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("dose", [0.3, 1, 1.25, 3, 10, 60, 300])
def test_images_without_defects_stay(dose):
    """Noise is taken for dead pixels in one image of a thousand, by definition."""
    changed = []
    for seed in range(40):
        image = micrograph(dose, seed)
        repaired = repair_image(image)
        assert repaired.bright == 0
        assert (repaired.image != image).sum() <= 3 or repaired.dead.any() or repaired.slope > 0
        changed.append(repaired.dead.any() or repaired.slope > 0)
    assert sum(changed) <= 1


@pytest.mark.parametrize("blur", [1, 2, 4])
@pytest.mark.parametrize("levels", [10, 30, 255])
def test_smooth_images_of_few_grey_levels_have_no_dead_pixels(blur, levels):
    """Neighbours are equal more often than in noise, and follow each other."""
    image = ndimage.gaussian_filter(np.random.default_rng(0).poisson(60, (256, 256)).astype(float), blur)
    image = np.round((image - image.min()) / np.ptp(image) * levels).astype(np.float32)
    assert dead_pixels(image).mean() < 1e-3


@pytest.mark.parametrize("shape", [(1, 40), (2, 2), (16, 16), (20000, 16), (16, 20000)])
def test_images_of_any_shape_are_repaired(shape):
    image = np.random.default_rng(0).poisson(60, shape).astype(np.float32)
    repaired = repair_image(image)
    assert repaired.image.shape == shape
    assert np.isfinite(repaired.image).all()
    assert not repaired.dead.any()


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e6])
def test_the_unit_of_values_does_not_matter(unit):
    image = micrograph() * np.linspace(0.8, 1.2, SIDE, dtype=np.float32)
    image[3, 3] = 6000
    here, there = repair_image(image), repair_image(image * np.float32(unit))
    assert (there.spikes, there.slope) == (1, pytest.approx(here.slope, rel=1e-3))
    np.testing.assert_allclose(there.image / np.float32(unit), here.image, rtol=1e-3)


def test_few_live_pixels_among_dead_ones_are_no_error():
    image = np.zeros((512, 512), np.float32)
    image.flat[np.random.default_rng(0).choice(image.size, 100, replace=False)] = np.arange(1, 101)
    assert np.isfinite(repair_image(image).image).all()


def test_columns_of_a_crystal_are_no_spikes():
    image = micrograph(2000, amplitude=0.9)
    assert repair_image(image).spikes == 0


@pytest.mark.parametrize("factor", [10, 100])
def test_spikes_are_replaced(factor):
    image = micrograph()
    damaged = image.copy()
    places = np.random.default_rng(1).choice(image.size, 20, replace=False)
    damaged.flat[places] = factor * image.mean()
    repaired = repair_image(damaged)
    assert repaired.spikes == 20
    assert np.abs(repaired.image.flat[places] - image.mean()).max() < 5 * image.std()
    rest = np.ones(image.size, bool)
    rest[places] = False
    np.testing.assert_array_equal(repaired.image.ravel()[rest], image.ravel()[rest])


def lines(image):
    dead = np.zeros(image.shape, bool)
    dead[[10, 40, 41]] = True
    dead[:, 70] = True
    return dead


def border(image):
    dead = np.ones(image.shape, bool)
    dead[4:-4, 4:-4] = False
    return dead


def stop(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.hypot(y - SIDE / 2, x) < SIDE / 3


@pytest.mark.parametrize("shape", [lines, border, stop])
@pytest.mark.parametrize("value", [0, 255])
def test_dead_pixels_are_found(shape, value):
    image = micrograph()
    dead = shape(image)
    image[dead] = value
    found = dead_pixels(image)
    assert (found & ~dead).sum() <= 2  # a live neighbour may have the value by chance
    assert (dead & ~found).sum() <= 0.01 * dead.sum()  # corners of a disc
    repaired = repair_image(image)
    assert repaired.image[dead].mean() == pytest.approx(image[~dead].mean(), rel=0.05)
    assert repaired.image[dead].std() == pytest.approx(image[~dead].std(), rel=0.2)


@pytest.mark.parametrize("relative", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("zero", [0, -500])
def test_slopes_are_divided_out(relative, zero):
    """The right value is the field that the image was multiplied by. An offset of the file changes nothing."""
    image = micrograph(400)
    field = (1 + relative * np.linspace(-1, 1, SIDE, dtype=np.float32))[None, :] * np.ones((SIDE, 1), np.float32)
    repaired = repair_image(image * field + zero, zero=zero)
    assert repaired.slope == pytest.approx(2 * relative, rel=0.15, abs=0.02)
    assert np.std((repaired.image - zero) / image) < 0.02


def test_backgrounds_are_those_of_the_film():
    """A large dark crystal is not taken for the background."""
    image = micrograph(400, amplitude=0.5)
    y, x = np.mgrid[:SIDE, :SIDE]
    crystal = np.hypot(y - SIDE / 2, x - SIDE / 2) < SIDE / 5
    image[crystal] *= 0.7
    background, bright = fit_background(image, np.ones(image.shape, bool))
    assert bright == 0
    assert background == pytest.approx(np.full(image.shape, 400), rel=0.06)


def test_holes_in_the_film_are_scaled_to_it():
    image = micrograph(200)
    y, x = np.mgrid[:SIDE, :SIDE]
    hole = np.hypot(y - 14, x - 14) < 19
    repaired = repair_image(np.where(hole, 1.6 * image, image).astype(np.float32))
    assert repaired.bright == pytest.approx(hole.mean(), rel=0.2)
    assert repaired.image[hole].mean() == pytest.approx(repaired.image[~hole].mean(), rel=0.08)


def test_images_of_hardly_an_electron_stay():
    """Where nearly all pixels are equal, nothing tells dead ones from those without an electron."""
    image = np.zeros((32, 32), np.float32)
    image[3, 3] = 5
    repaired = repair_image(image)
    np.testing.assert_array_equal(repaired.image, image)
    assert not repaired.dead.any()

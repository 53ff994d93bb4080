"""A wrong pixel size suspected from lattice spacings: reflections by closed forms, hits, and what keeps a right one from it."""

import numpy as np
import pytest

from hrtem_ood.cli.render.image_estimates import pixel_lines
from hrtem_ood.learning.inference.image_estimates.pixel_size import PixelSuspicion, metals, reflections, suspect_pixel
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Spacing, Unknown
from hrtem_ood.physics.structures.parameters import Material

GOLD_A = 4.0782
GOLD = reflections(Material(formula="Au", structure="fcc", a_A=GOLD_A))
CDSE = reflections(Material(formula="CdSe", structure="wurtzite", a_A=4.2985, c_A=7.0152))
METALS = list(metals().values())


def seen(spacings_A, relative=0.01):
    return tuple(Spacing(Estimate(each, relative * each), 0.3 * place, 20.0) for place, each in enumerate(spacings_A))


def suspect_pixel_of_one(spacings, *crystals):
    return suspect_pixel([spacings], *crystals)


def gold(*planes):
    return np.array([GOLD_A / np.linalg.norm(plane) for plane in planes])


def test_reflections_of_gold_are_those_of_a_face_centred_cube():
    allowed = {round(GOLD_A / np.sqrt(h * h + k * k + l * l), 4)
               for h in range(6) for k in range(6) for l in range(6)  # noqa: E741
               if h % 2 == k % 2 == l % 2 and h + k + l > 0}  # fmt: skip
    assert set(GOLD.spacing_A) <= allowed
    assert GOLD.spacing_A[GOLD.share.argmax()] == pytest.approx(GOLD_A / np.sqrt(3), abs=1e-4)
    assert GOLD.share.sum() == pytest.approx(1)


def test_reflections_of_wurtzite():
    for expected in (4.2985 * np.sqrt(3) / 2, 7.0152 / 2, 4.2985 / 2):  # 100, 002, 110
        assert np.abs(CDSE.spacing_A - expected).min() < 1e-4
    assert np.abs(CDSE.spacing_A - 7.0152).min() > 1  # 001 is extinct


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_wrong_pixel_is_suspected_with_its_factor(factor):
    spacings = factor * np.array([3.7226, 3.5076, 3.288, 2.5520, 2.1493, 1.9794])
    found = suspect_pixel_of_one(seen(spacings), {"CdSe": CDSE}, METALS)
    assert found.material == "CdSe"
    assert found.factor * factor == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("strain", [0.985, 1.0, 1.015])
def test_a_right_pixel_is_not(strain):
    spacings = strain * gold((1, 1, 1), (-1, 1, 1), (2, 0, 0), (2, 2, 0))
    assert suspect_pixel_of_one(seen(spacings), {"Au": GOLD}, METALS) is None
    assert suspect_pixel_of_one(seen(strain * np.array([3.7226, 3.5076, 2.1493])), {"CdSe": CDSE}, METALS) is None


def test_particles_of_another_known_crystal_explain_spacings():
    """Gold seen by a network that was trained on CdSe is no reason to doubt the pixel."""
    spacings = gold((1, 1, 1), (-1, 1, 1), (2, 0, 0), (2, 2, 0))
    assert suspect_pixel_of_one(seen(spacings), {"CdSe": CDSE}, METALS) is None


@pytest.mark.parametrize("spacings", [Unknown("none"), seen([2.8, 2.45]), seen([0.9, 0.95, 1.0, 1.1])])
def test_too_few_spacings_tell_nothing(spacings):
    assert suspect_pixel_of_one(spacings, {"Au": GOLD}, METALS) is None


def test_images_of_one_pixel_tell_together_what_none_tells_alone():
    """Two peaks per image, as wide as those of crystals of 25 Å."""
    rng = np.random.default_rng(3)
    planes = gold((1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1))
    images = [seen(0.8 * rng.choice(planes, 2, replace=False) * rng.normal(1, 0.02, 2), 0.02) for _ in range(16)]
    assert all(suspect_pixel([each], {"Au": GOLD}) is None for each in images)
    found = suspect_pixel([*images, Unknown("no peaks")], {"Au": GOLD})
    assert found.factor == pytest.approx(1 / 0.8, rel=0.03)
    right = [seen(np.array([each.spacing_A.value for each in one]) / 0.8, 0.02) for one in images]
    assert suspect_pixel(right, {"Au": GOLD}) is None


def test_one_family_alone_tells_nothing():
    """Which of the families it is cannot be told."""
    assert suspect_pixel_of_one(seen(1.1 * gold((1, 1, 1), (-1, 1, 1), (1, -1, 1))), {"Au": GOLD}) is None


def test_spacings_of_no_crystal_are_no_suspicion():
    rng = np.random.default_rng(1)
    found = [
        suspect_pixel_of_one(seen(np.exp(rng.uniform(np.log(1.2), np.log(4), 5))), {"Au": GOLD}, METALS)
        for _ in range(200)
    ]
    assert sum(each is not None for each in found) <= 6


def test_the_note_tells_the_pixel_that_would_fit():
    (line,) = pixel_lines(PixelSuspicion("Au", 0.9, 8.0), 0.5)
    assert "with a pixel of about 0.45 Å (-10 %)" in line
    assert "those of Au" in line
    assert list(pixel_lines(None, 0.5)) == []

"""Naive predictors by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet, unit_cube_coordinates
from hrtem_ood.transfer.predictors.registry import PREDICTORS

OBJECTS = ObjectSpectrum(*(np.zeros(2),) * 3, covered=0.1)


def pair(trained: list[Condition], tested: Condition) -> tuple[TrainingSet, Dataset]:
    """Describe datasets by their conditions alone."""
    places = unit_cube_coordinates(list(dict.fromkeys([*trained, tested])))
    *parts, test = (
        Dataset(str(number), each, "set", 0.4, OBJECTS, None, places[each], Path("none"))  # type: ignore[arg-type]
        for number, each in enumerate([*trained, tested])
    )
    return TrainingSet("t", tuple(parts), (1,) * len(parts)), test


def chi(defocus_A: float, dose: float = 400, **others: float | None) -> Condition:
    return Condition(defocus_A=defocus_A, dose_e_per_A2=dose, **others)


@pytest.mark.parametrize(
    ("trained", "tested", "signed", "unsigned"),
    [([-100], 80, 180, 20), ([-100, 60], 80, 20, 20), ([-90, 50], 80, 30, 10), ([80], 80, 0, 0)],
)
def test_defocus(trained: list[float], tested: float, signed: float, unsigned: float) -> None:
    given = pair([chi(each) for each in trained], chi(tested))
    assert PREDICTORS["abs_delta_defocus_A"].function(*given) == signed
    assert PREDICTORS["delta_abs_defocus_A"].function(*given) == unsigned


def test_dose_counts_by_its_logarithm_in_either_direction() -> None:
    difference, of_test = (PREDICTORS[name].function for name in ("delta_log_dose", "test_log_dose"))
    assert difference(*pair([chi(0, 100)], chi(0, 400))) == pytest.approx(math.log(4))
    assert difference(*pair([chi(0, 400)], chi(0, 100))) == pytest.approx(math.log(4))
    assert difference(*pair([chi(0, 100), chi(0, 800)], chi(0, 400))) == pytest.approx(math.log(2))
    assert of_test(*pair([chi(0, 100)], chi(0, 400))) == pytest.approx(math.log(400))


def test_parameter_distance_in_the_unit_cube() -> None:
    """Defocus spans 200 Å, dose a factor of 16, the aperture runs from none to 10 mrad; all else is the same."""
    trained = [chi(-100, 100), chi(100, 1600)]
    given = pair(trained, chi(0, 400, aperture_mrad=10))
    assert len(given[1].coordinates) == 3
    # half of the defocus, half of the logarithm of the dose, all of the inverse aperture
    assert PREDICTORS["parameter_distance"].function(*given) == pytest.approx(math.sqrt(0.25 + 0.25 + 1))
    given = pair(trained, chi(50, 1600))
    assert PREDICTORS["parameter_distance"].function(*given) == pytest.approx(0.25)


def test_the_direction_of_every_naive_predictor_is_that_of_a_distance() -> None:
    naive = {name: each for name, each in PREDICTORS.items() if each.family == "naive"}
    near, far = pair([chi(-100, 100)], chi(-90, 120)), pair([chi(-100, 100)], chi(300, 1600))
    assert naive
    for name, predictor in naive.items():
        if name != "test_log_dose":  # the test's own dose, whatever the training
            assert predictor.direction == "smaller"
            assert predictor.function(*near) <= predictor.function(*far)
    assert naive["test_log_dose"].direction == "larger"

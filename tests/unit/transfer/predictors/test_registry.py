"""The registry of predictors: rows, the functions of their modules, and the page that lists them."""

import inspect
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from hrtem_ood.errors import HrtemOodError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer import ctf_overlap, information, texture_detector
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors import condition_distance, image_distance, mixtures, reference_table
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet
from hrtem_ood.transfer.predictors.reference_table import page_with_table, table
from hrtem_ood.transfer.predictors.registry import PREDICTORS, ROWS, SPECTRAL_PREDICTORS, Predictor

MODULES = (ctf_overlap, information, texture_detector, condition_distance, image_distance, mixtures)
ARGUMENTS = {
    "spectra": (ImageSpectra, ImageSpectra),
    "mixture": (ImageSpectra, ImageSpectra),
    "conditions": (Condition, Condition),
    "datasets": (Dataset, Dataset),
    "training set": (TrainingSet, Dataset),
}
PAGE = (Path(__file__).parents[4] / "docs/predictors.md").read_text()


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []
    assert len(PREDICTORS) == len(ROWS)


def test_every_function_of_training_and_test_has_a_row_and_each_row_another_function() -> None:
    functions = {
        function
        for module in MODULES
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and list(inspect.signature(function).parameters) == ["train", "test"]
        and get_type_hints(function).get("return") is float
    }
    assert functions == {row.measure for row in ROWS}
    of_mixture = Counter((row.measure, row.arguments == "mixture") for row in ROWS)
    assert set(of_mixture.values()) == {1}, "a measure has one row, and at most one more for the mixture as a whole"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_measure_takes_the_arguments_of_its_row(row: Predictor) -> None:
    hints = get_type_hints(row.measure)
    assert (hints["train"], hints["test"]) == ARGUMENTS[row.arguments]


def test_the_page_lists_the_rows_as_they_are() -> None:
    assert page_with_table(PAGE) == PAGE, "run `make docs`"


def test_a_row_of_the_page_says_what_the_predictor_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def toy(_train: ImageSpectra, _test: ImageSpectra) -> float:
        """Difference |a − a′| of toys [Å]."""
        return 0.0

    rows = [
        Predictor("toy", toy, "smaller", "|Δa|", "Å", "naive"),
        Predictor("all", toy, "larger", "a", arguments="mixture"),
    ]
    monkeypatch.setattr(reference_table, "ROWS", rows)
    _, _, one, other = table().splitlines()
    assert one == r"| `toy` | \|Δa\| | Å | naive | smaller is nearer | Difference \|a − a′\| of toys. |"
    assert other.endswith("| larger is nearer | Of the mixture as a whole. Difference \\|a − a′\\| of toys [Å]. |")
    with pytest.raises(HrtemOodError, match="must have the lines"):
        page_with_table("# A page without a table")


def test_configurations_are_checked_without_heavy_packages() -> None:
    """The registry is imported for every check of a configuration."""
    code = "import sys, hrtem_ood.transfer.predictors.user_predictor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "abtem", "xarray", "zarr", "pandas", "numba", "scipy.stats", "scipy.special", "scipy.ndimage"}
    assert heavy & set(done.stdout.split()) == set()


def test_predictors_that_need_no_objects_are_those_that_ignore_them() -> None:
    grid, q = polar_grid(Transfer(radial_points=64), pixel_size_A=0.4), np.linspace(0, 2, 50)
    values = []
    for power in (np.ones(50), np.exp(-q)):
        objects = ObjectSpectrum(q, power, power / 3, 0.2)
        train, test = (
            image_spectra(
                Condition(defocus_A=defocus, dose_e_per_A2=400 - defocus),
                objects,
                grid,
                wavelength_A=electron_wavelength_A(300e3),
                pixel_size_A=0.4,
            )
            for defocus in (100.0, -30.0)
        )
        values.append({name: row.measure(train, test) for name, row in SPECTRAL_PREDICTORS.items()})
    for name, row in SPECTRAL_PREDICTORS.items():
        same = values[0][name] == pytest.approx(values[1][name], rel=1e-9)
        assert same != row.needs_objects, name

"""The registry of predictors: rows, the functions of their modules, and the page that lists them."""

import inspect
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer import ctf_overlap, information, texture_detector
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors import condition_distance, image_distance, mixtures
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet
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


def cells(row: Predictor) -> list[str]:
    """Return the line of a row in the table of the page."""
    (summary, *_) = inspect.cleandoc(row.measure.__doc__ or "").splitlines()
    summary = summary.replace(f" [{row.unit}]", "")
    nearer = {"larger": "larger is nearer", "smaller": "smaller is nearer"}[row.direction]
    union = "Of the mixture as a whole. " if row.arguments == "mixture" else ""
    return [f"`{row.name}`", row.symbol, row.unit, nearer, union + summary]


def test_the_page_lists_exactly_the_rows() -> None:
    """To mend it, put the lines of the message in place of the page's."""
    expected = ["| " + " | ".join(each.replace("|", "\\|") for each in cells(row)) + " |" for row in ROWS]
    section = PAGE.partition("## Built-in predictors")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `.*$", section, re.MULTILINE) == expected, "\n".join(expected)


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

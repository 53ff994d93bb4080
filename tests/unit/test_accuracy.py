"""Warnings about sampling, slices and phonons that put images past the stated errors."""

import math
import re
from pathlib import Path

import pytest

from hrtem_ood.campaign import accuracy
from hrtem_ood.campaign.config import Simulation

METHODS = Path(__file__).parents[2] / "docs" / "methods.md"


def told(**changes):
    values = {"sampling_A": 0.1, "slice_thickness_A": 1, "phonons": 8} | changes
    return list(accuracy.warnings(Simulation(**values)))


def test_accurate_settings_give_no_warning():
    assert told() == told(sampling_A=0.2, slice_thickness_A=2, phonons=2) == []
    assert told(phonons=1, phonon_sigma_A=0) == []


def test_each_warning_names_its_key_the_error_and_what_would_do():
    (sampling,) = told(sampling_A=0.4)
    assert sampling.startswith("simulation.sampling_A: 0.4 Å puts images off by up to ")
    assert "; 0.2 Å keeps 5 %" in sampling
    (slices,) = told(slice_thickness_A=4)
    assert slices.startswith("simulation.slice_thickness_A: 4 Å puts images off by up to 6.2 %")
    assert "; 3 Å keeps 5 %" in slices
    (phonons,) = told(phonons=1)
    assert phonons.startswith("simulation.phonons: the mean of 1 puts images off by up to 59 %")
    assert f"; {math.ceil((accuracy.ONE_PHONON / 50) ** 2)} keep 50 %" in phonons


def test_an_engine_counts_by_its_own_errors():
    assert told(sampling_A=0.16) == []
    (warning,) = told(sampling_A=0.16, engine="abtem")
    assert "8.1 %" in warning
    assert "`engine: fast` is off by less" in warning


@pytest.mark.parametrize("table", [*accuracy.SAMPLING.values(), accuracy.THICKNESS])
def test_errors_grow_and_are_those_of_the_table(table):
    points = sorted([*table, *(0.5 * point for point in table), *(1.3 * point for point in table)])
    found = [accuracy.error(table, point) for point in points]
    assert found == sorted(found)
    assert all(accuracy.error(table, point) == pytest.approx(off) for point, off in table.items())


def test_the_documented_table_is_the_one_that_warns():
    rows = {
        cells[1].strip(): [float(cell) for cell in re.findall(r"\d[\d.]*", "|".join(cells[2:]))]
        for line in METHODS.read_text().splitlines()
        if (cells := line.split("|"))[0] == "" and len(cells) > 3
    }
    assert rows["`sampling_A`"] == list(accuracy.SAMPLING["fast"])
    assert rows["error, `engine: fast` [%]"] == list(accuracy.SAMPLING["fast"].values())
    assert rows["error, `engine: abtem` [%]"] == list(accuracy.SAMPLING["abtem"].values())
    assert rows["`slice_thickness_A`"] == list(accuracy.THICKNESS)
    assert rows["error, slices [%]"] == list(accuracy.THICKNESS.values())

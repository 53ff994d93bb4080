"""What a campaign is told of the errors of its simulation."""

from itertools import pairwise
from pathlib import Path

import pytest

from hrtem_ood.campaign import accuracy
from hrtem_ood.campaign.config import Simulation

METHODS = (Path(__file__).parents[2] / "docs/methods.md").read_text()


def said(**changes):
    settings = {"sampling_A": 0.1, "slice_thickness_A": 1, "phonons": 8}
    return [text.partition(":")[0] for text in accuracy.warnings(Simulation.model_validate(settings | changes))]


def test_what_is_good_is_not_warned_of():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"sampling_A": 0.3}, ["simulation.sampling_A"]),
        ({"engine": "abtem", "sampling_A": 0.128}, ["simulation.sampling_A"]),
        ({"slice_thickness_A": 5}, ["simulation.slice_thickness_A"]),
        ({"phonons": 1}, ["simulation.phonons"]),
        ({"phonons": 1, "phonon_sigma_A": 0}, []),
        (
            {"sampling_A": 0.4, "slice_thickness_A": 4, "phonons": 1},
            ["simulation.sampling_A", "simulation.slice_thickness_A", "simulation.phonons"],
        ),
    ],
)
def test_each_key_is_named_that_puts_images_off(changes, keys):
    assert said(**changes) == keys


def test_what_would_be_better_is_told():
    (text,) = accuracy.warnings(Simulation(engine="abtem", sampling_A=0.16, slice_thickness_A=1, phonons=8))
    assert "0.1 Å keeps 5 %" in text
    assert text.endswith("`engine: fast` is off by less.")


@pytest.mark.parametrize("table", [*accuracy.SAMPLING.values(), accuracy.THICKNESS])
def test_errors_are_those_of_the_table_and_grow_between(table):
    assert [accuracy.error(table, at) for at in table] == pytest.approx(list(table.values()))
    assert accuracy.error(table, 0) == 0
    points = [0.01 * i for i in range(1, 800)]
    assert all(low < high for low, high in pairwise(accuracy.error(table, at) for at in points))


def test_the_methods_page_holds_the_table():
    for table in (*accuracy.SAMPLING.values(), accuracy.THICKNESS):
        assert " | ".join(f"{off:g} %" for off in table.values()) in METHODS
    assert f"{accuracy.ONE_PHONON:g} %" in METHODS

"""What a campaign is told of the errors of its simulation."""

from itertools import pairwise
from pathlib import Path

import pytest

from hrtem_ood.campaign import simulation_accuracy
from hrtem_ood.campaign.config_warnings import config_warnings
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.physics.simulation.parameters import Simulation

METHODS = (Path(__file__).parents[3] / "docs/methods.md").read_text()


def said(**changes):
    settings = {"sampling_A": 0.1, "slice_thickness_A": 1, "n_frozen_phonons": 8}
    return [
        text.partition(":")[0]
        for text in simulation_accuracy.warnings(Simulation.model_validate(settings | changes), "random")
    ]


def test_what_is_good_is_not_warned_of():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"sampling_A": 0.3}, ["simulation.sampling_A"]),
        ({"engine": "abtem", "sampling_A": 0.128}, ["simulation.sampling_A"]),
        ({"slice_thickness_A": 5}, ["simulation.slice_thickness_A"]),
        ({"n_frozen_phonons": 1}, ["simulation.n_frozen_phonons"]),
        ({"n_frozen_phonons": 1, "phonon_sigma_A": 0}, []),
        (
            {"sampling_A": 0.4, "slice_thickness_A": 4, "n_frozen_phonons": 1},
            ["simulation.sampling_A", "simulation.slice_thickness_A", "simulation.n_frozen_phonons"],
        ),
    ],
)
def test_each_key_is_named_that_puts_images_off(changes, keys):
    assert said(**changes) == keys


def test_what_would_be_better_is_told():
    (text,) = simulation_accuracy.warnings(
        Simulation(engine="abtem", sampling_A=0.16, slice_thickness_A=1, n_frozen_phonons=8), "random"
    )
    assert "0.12 Å keeps 5 %" in text
    assert text.endswith("`engine: builtin` is off by less.")


def test_columns_of_atoms_are_warned_of_sooner(raw):
    simulation = Simulation(sampling_A=0.16, slice_thickness_A=1, n_frozen_phonons=8)
    assert not list(simulation_accuracy.warnings(simulation, "random"))
    (text,) = simulation_accuracy.warnings(simulation, "zone axis")
    assert "columns" in text
    assert "0.14 Å keeps" in text
    raw["simulation"] |= {"sampling_A": 0.16, "slice_thickness_A": 1}
    raw["imaging"]["pixel_size_A"] = 0.4
    assert not [text for text in config_warnings(load_campaign(raw)) if "sampling_A" in text]
    for each in raw["structure_sets"].values():
        each["particles"]["zone_axis"] = [0, 0, 1]
    assert [text for text in config_warnings(load_campaign(raw)) if "sampling_A" in text]


def test_envelopes_are_warned_of_by_the_largest_spread(raw):
    def told():
        return [text for text in config_warnings(load_campaign(raw)) if text.startswith("imaging.temporal_coherence")]

    for each in raw["conditions"].values():
        each.pop("focal_spread_A", None)
    assert not told()
    next(iter(raw["conditions"].values()))["focal_spread_A"] = [10, 40]
    (text,) = told()
    assert "40 Å" in text
    assert "14 %" in text
    assert "18 Å keep 5 %" in text
    raw["imaging"]["temporal_coherence"] = "focal_integration"
    assert not told()


TABLES = [
    *(table for engines in simulation_accuracy.SAMPLING.values() for table in engines.values()),
    simulation_accuracy.THICKNESS,
    *simulation_accuracy.ENVELOPE.values(),
]


@pytest.mark.parametrize("table", TABLES)
def test_what_keeps_the_limit_is_off_by_it(table):
    assert simulation_accuracy.interpolate_error(
        table, simulation_accuracy.largest_within_tolerance(table)
    ) == pytest.approx(simulation_accuracy.SYSTEMATIC_LIMIT)


@pytest.mark.parametrize("table", TABLES)
def test_errors_are_those_of_the_table_and_grow_between(table):
    assert [simulation_accuracy.interpolate_error(table, at) for at in table] == pytest.approx(list(table.values()))
    assert simulation_accuracy.interpolate_error(table, 0) == 0
    points = [0.01 * i for i in range(1, 800)]
    assert all(low < high for low, high in pairwise(simulation_accuracy.interpolate_error(table, at) for at in points))


def test_the_methods_page_holds_the_table():
    for table in TABLES:
        assert " | ".join(f"{off:g} %" for off in table.values()) in METHODS
    assert f"{simulation_accuracy.ONE_PHONON:g} %" in METHODS

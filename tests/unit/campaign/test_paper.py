"""The campaign at full size asks for what docs/paper.md says, and for nothing of the laptop campaign."""

import math
import re
from pathlib import Path

import pytest

from hrtem_ood.campaign.config_warnings import config_warnings
from hrtem_ood.campaign.load import load_campaign, merge, read_yaml
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.physics.optics.condition import Condition

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "config/paper.yaml"
AXES = ("C30", "C12", "C23", "C21")
PERIOD = {"phi12": math.pi, "phi23": 2 * math.pi / 3, "phi21": 2 * math.pi}


@pytest.fixture(scope="module")
def campaign():
    return load_campaign(merge(read_yaml(ROOT / "config/config.yaml"), read_yaml(PAPER)))


@pytest.fixture(scope="module")
def trained(campaign):
    """(structure set, condition) of every dataset that some network trains on."""
    sets = [campaign.training_set_by_id[network.training_set] for network in campaign.networks.values()]
    used = {id_ for training_set in sets for id_ in training_set.datasets}
    return {(campaign.structure_set_of_dataset[id_], campaign.datasets[id_].condition) for id_ in used}


def of_suite(campaign, name):
    """(structure set, condition) of every dataset of a suite."""
    return {
        (campaign.structure_set_of_dataset[id_], campaign.datasets[id_].condition)
        for id_ in campaign.suite_of[name].datasets
    }


def values(conditions, key):
    return sorted({getattr(condition, key) for condition in conditions})


def inherited(base, override, where=""):
    """Keys of a configuration that one merged on it neither sets nor removes."""
    for key, value in base.items():
        if key not in override:
            yield where + key
        elif isinstance(value, dict) and isinstance(override[key], dict):
            yield from inherited(value, override[key], f"{where}{key}.")


def test_nothing_comes_from_the_laptop_campaign(campaign):
    assert not list(inherited(read_yaml(ROOT / "config/config.yaml"), read_yaml(PAPER)))
    assert load_campaign(read_yaml(PAPER)).config == campaign.config


def test_it_has_the_size_of_the_study(campaign):
    networks = [network.hyperparameters for network in campaign.networks.values()]
    assert 12_000 <= len(networks) <= 13_000
    assert {each.architecture.name for each in networks} == {"unet", "resnet_unet"}
    for name in ("unet", "resnet_unet"):
        chosen = [each for each in networks if each.architecture.name == name]
        assert len({each.seed for each in chosen}) >= 3
        assert len({each.learning_rate for each in chosen}) >= 3
    # every training set meets every choice of the grid
    per_set = dict.fromkeys(campaign.training_set_by_id, 0)
    for network in campaign.networks.values():
        per_set[network.training_set] += 1
    assert len(set(per_set.values())) == 1


def test_scenes_and_images_are_those_of_the_study(campaign):
    sets, simulation = campaign.config.structure_sets, campaign.config.simulation
    assert {each.cell_A for each in sets.values()} == {128}
    assert all(each.substrate for each in sets.values())
    assert set(campaign.used_structure_sets) == set(sets)
    assert {each.material for each in sets.values()} == set(campaign.config.materials)
    assert (simulation.energy_eV, simulation.sampling_A, simulation.slice_thickness_A) == (300e3, 0.1, 1)
    assert simulation.n_frozen_phonons == 8
    assert round(128 / campaign.config.imaging.pixel_size_A) == 640


def test_conditions(trained):
    conditions = {condition for _, condition in trained}
    assert len(conditions) >= 120
    doses = values(conditions, "dose_e_per_A2")
    assert (doses[0], doses[-1]) == (30, 600)
    plain = Condition(defocus_A=0, focal_spread_A=30, dose_e_per_A2=400)
    series = [each for each in conditions if each == plain.model_copy(update={"defocus_A": each.defocus_A})]
    assert values(series, "defocus_A") == list(range(-250, 251, 25))
    assert len(values(conditions, "focal_spread_A")) >= 3
    for axis in AXES:
        crossed = [condition for condition in conditions if getattr(condition, axis)]
        assert len(values(crossed, axis)) >= 3
        assert min(values(crossed, "defocus_A")) < 0 < max(values(crossed, "defocus_A"))
    for dose in doses[:-1]:
        under = [condition for condition in conditions if condition.dose_e_per_A2 == dose]
        assert len(values(under, "defocus_A")) >= 3


@pytest.mark.parametrize(("size", "azimuth"), [("C12", "phi12"), ("C23", "phi23"), ("C21", "phi21")])
def test_no_turn_or_mirror_of_the_augmentation_joins_azimuths(campaign, trained, size, azimuth):
    assert {network.hyperparameters.augmentation for network in campaign.networks.values()} == {"dihedral"}
    first, second = values([condition for _, condition in trained if getattr(condition, size)], azimuth)
    turned = [sign * first + quarter * math.pi / 2 for sign in (1, -1) for quarter in range(4)]
    period = PERIOD[azimuth]
    apart = [abs((angle - second + period / 2) % period - period / 2) for angle in turned]
    assert min(apart) > math.radians(10)


def test_training_sets_are_single_and_mixed(campaign):
    sizes = {name: [len(each.datasets) for each in group] for name, group in campaign.training_sets.items()}
    assert set(sizes["single"]) == {1}
    assert len(sizes["single"]) >= 120
    assert sizes["mixed_all"] == [len(sizes["single"])]
    assert sizes["mixed_defocus"] > sizes["mixed_coarse"] > [1]
    uneven = [
        each
        for group in campaign.training_sets.values()
        for each in group
        if max(each.n_images) > 2 * min(each.n_images)
    ]
    assert len(uneven) >= 2
    assert {sum(each.n_images) for each in campaign.training_set_by_id.values()} == {512}


def test_every_training_condition_is_tested_in_domain(campaign, trained):
    suites = {name: of_suite(campaign, name) for name in campaign.suite_of}
    material = {name: each.material for name, each in campaign.config.structure_sets.items()}
    in_domain = {(material[name], condition) for suite in suites.values() for name, condition in suite}
    assert {(material[name], condition) for name, condition in trained} <= in_domain
    assert [text.partition(":")[0] for text in config_warnings(campaign)] == ["imaging.temporal_coherence"]


def test_suites_test_defocus_aberrations_dose_and_structures(campaign):
    conditions = {name: {condition for _, condition in of_suite(campaign, name)} for name in campaign.suite_of}
    assert len(values(conditions["defocus"], "defocus_A")) == 21
    assert all(any(getattr(condition, axis) for condition in conditions["aberrations"]) for axis in AXES)
    assert values(conditions["dose"], "dose_e_per_A2")[0] == 30
    shifted = {
        suite.structure_set: conditions[name]
        for name, suite in campaign.config.test_suites.items()
        if suite.structure_set != "test"
    }
    assert set(shifted) == {name for name in campaign.used_structure_sets if name.startswith("test_")}
    assert len(shifted) >= 4
    for each in shifted.values():
        assert min(values(each, "defocus_A")) < 0 < max(values(each, "defocus_A"))
        assert len(values(each, "dose_e_per_A2")) >= 3
        assert each <= conditions["defocus"] | conditions["dose"]  # comparable with no structure shift


def test_jobs_are_neither_tiny_nor_endless(campaign):
    assert 32 <= campaign.config.execution.structures_per_shard <= 64
    sizes = [len(pack.networks) for pack in campaign.packs.values()]
    assert max(sizes) <= 96  # of all of them 239 hours on a GPU, as `plan` says: less than two in a job
    assert sum(sizes) / len(sizes) > 32
    assert all(90 <= len(job.networks) <= 512 for job in campaign.evaluations.values())


def test_the_page_tells_the_figures(campaign):
    page = " ".join((ROOT / "docs/paper.md").read_text().split())  # wherever its lines break
    counts = {
        "networks": len(campaign.networks),
        "conditions": len(campaign.transfer.conditions),
        "training sets": len(campaign.training_set_by_id),
        "datasets": len(campaign.datasets),
        "structures": sum(campaign.config.structure_sets[name].n_structures for name in campaign.used_structure_sets),
    }
    for what, count in counts.items():
        assert re.search(rf"\b{count:,} {what}\b", page), f"docs/paper.md does not say {count:,} {what}"
    weights = [
        sum(each.numel() for each in build(grid.architecture[0]).parameters())
        for grid in campaign.config.networks.values()
    ]
    stored = sum(weights) * len(campaign.networks) / 2 * 2 / 1e9  # half of the networks each, two bytes a weight
    assert f"{stored:.0f} GB" in page

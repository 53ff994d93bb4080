"""A small valid configuration that tests vary."""

import copy
import signal
from collections.abc import Iterator

import pytest
from tests.unit.pretended import pretend

from hrtem_ood.campaign.load import load_campaign, merge

CONFIG = {
    "campaign": "small",
    "materials": {"CdSe": {"formula": "CdSe", "structure": "wurtzite", "a_A": 4.2985, "c_A": 7.0152}},
    "structure_sets": {
        "train": {
            "n_structures": 20,
            "seed": 1,
            "material": "CdSe",
            "cell_A": 51.2,
            "particles": {"radius_A": [8, 12]},
        },
        "test": {"n_structures": 6, "seed": 2, "material": "CdSe", "cell_A": 51.2, "particles": {"radius_A": [8, 12]}},
    },
    "simulation": {"sampling_A": 0.2, "n_frozen_phonons": 2},
    "imaging": {"pixel_size_A": 0.4},
    "conditions": {
        "defocus": {"defocus_A": [-100, 0, 100], "dose_e_per_A2": 400},
        "dose": {"defocus_A": 100, "dose_e_per_A2": [100, 400]},
    },
    "training_sets": {
        "single": {"structure_set": "train", "conditions": "defocus", "n_images": 16, "n_validation_structures": 4},
        "mixed": {
            "structure_set": "train",
            "conditions": ["defocus", "dose"],
            "mixture": True,
            "n_images": 16,
            "n_validation_structures": 4,
        },
    },
    "networks": {"unet": {"training_sets": ["single", "mixed"], "epochs": 1, "seed": [0, 1]}},
    "test_suites": {"test": {"structure_set": "test", "conditions": ["defocus", "dose"]}},
    "execution": {"structures_per_shard": 8},
}


@pytest.fixture
def raw():
    return copy.deepcopy(CONFIG)


@pytest.fixture
def small(raw):
    return load_campaign(raw)


@pytest.fixture
def changed(raw):
    """Return the campaign with a change merged on its configuration."""
    return lambda change: load_campaign(merge(raw, change))


@pytest.fixture(scope="session")
def lived(tmp_path_factory):
    """Return the results folder of the small campaign, run; tests change nothing in it."""
    folder = tmp_path_factory.mktemp("small") / "results"
    pretend(load_campaign(CONFIG), folder)
    return folder


@pytest.fixture
def hearing_hangups() -> Iterator[None]:
    """Take SIGHUP as from a terminal, also where ``nohup`` runs the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)

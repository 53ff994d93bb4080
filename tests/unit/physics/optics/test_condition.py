"""Conditions: lists of them, what varies from image to image, and mistakes."""

import numpy as np
import pytest

from hrtem_ood.base_model import identity_parameters
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.inference.condition_option import parse_condition
from hrtem_ood.physics.optics.condition import ABERRATIONS, JITTER_FIELDS, Condition


def test_a_list_of_mappings_is_a_list_of_conditions(raw):
    listed = [
        {"defocus_A": -30, "dose_e_per_A2": 400},
        {"defocus_A": 80, "dose_e_per_A2": 90, "C30": 1e5},
        {"defocus_A": [10, 20], "dose_e_per_A2": 400},
        {"defocus_A": [20, 30], "dose_e_per_A2": 400},
    ]
    raw["conditions"]["dose"] = listed
    found = load_campaign(raw).conditions["dose"]
    assert [(each.defocus_A, each.dose_e_per_A2, each.C30) for each in found] == [
        (-30, 400, 0),
        (80, 90, 1e5),
        (10, 400, 0),
        (20, 400, 0),
        (30, 400, 0),
    ]


def test_one_mapping_and_a_list_of_one_are_the_same(raw):
    one = load_campaign(raw)
    raw["conditions"]["dose"] = [raw["conditions"]["dose"]]
    assert set(load_campaign(raw).datasets) == set(one.datasets)


def test_every_parameter_has_a_deviation():
    assert set(JITTER_FIELDS) | set(JITTER_FIELDS.values()) == set(Condition.model_fields)
    assert len(ABERRATIONS) == 24


def test_a_deviation_of_nothing_leaves_the_identity():
    """Keys that came later are no part of what does not use them."""
    told = identity_parameters(Condition(defocus_A=1, dose_e_per_A2=2))
    assert set(told) == {"defocus_A", "dose_e_per_A2"}
    assert Condition(defocus_A=1, dose_e_per_A2=2, C12_sd=3).model_dump()["C12_sd"] == 3


def test_images_are_off_by_the_deviations():
    condition = Condition(defocus_A=50, defocus_sd_A=10, dose_e_per_A2=400, C12_sd=3, phi12_sd=0.5, aperture_mrad=20)
    assert condition.jitter == {"defocus_A": 10, "C12": 3, "phi12": 0.5}
    deviations = dict.fromkeys(JITTER_FIELDS, 1.0) | {"C12": -2.0, "phi12": 0.1}
    image = condition.with_jitter(list(deviations.values()))
    assert image == Condition(defocus_A=60, dose_e_per_A2=400, C12=-6, phi12=0.05, aperture_mrad=20)
    assert not image.jitter


def test_an_azimuth_counts_where_its_aberration_varies():
    assert Condition(defocus_A=0, dose_e_per_A2=1, phi12=1, phi12_sd=1) == Condition(defocus_A=0, dose_e_per_A2=1)
    varied = Condition(defocus_A=0, dose_e_per_A2=1, C12_sd=5, phi12=1, phi12_sd=1)
    assert (varied.phi12, varied.phi12_sd) == (1, 1)
    assert np.isclose(varied.with_jitter([1.0] * len(JITTER_FIELDS)).phi12, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dose_sd_e_per_A2": 200}, "conditions.dose: `dose_sd_e_per_A2` must be at most a third of `dose_e_per_A2`"),
        ({"aperture_sd_mrad": 1}, "conditions.dose: `aperture_sd_mrad` .* set `aperture_mrad`"),
        (
            {"angular_spread_mrad": 0.0005},
            "angular_spread_mrad: must be 0, or 0.002 mrad and more; 0.0005 may be meant",
        ),
        ({"aperture_mrad": 0.02}, "aperture_mrad: must be greater than or equal to 0.5, not 0.02"),
        ({"C12": 5, "phi12": 30}, "phi12: must be less than or equal to 3.1416, not 30"),
        ({"C12_sd": -5}, "C12_sd: must be greater than or equal to 0, not -5"),
    ],
)
def test_mistakes_are_named(raw, fields, message):
    raw["conditions"]["dose"] = {"defocus_A": 0, "dose_e_per_A2": 400} | fields
    with pytest.raises(ConfigError, match=message):
        load_campaign(raw)


def test_stated_conditions_tell_what_does_not_go_together():
    with pytest.raises(ConfigError, match="`dose_sd_e_per_A2` must be at most a third"):
        parse_condition("defocus_A=0,dose_e_per_A2=9,dose_sd_e_per_A2=8")

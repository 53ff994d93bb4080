"""What a campaign is told of its lenses."""

import numpy as np
import pytest

from hrtem_ood.campaign.config_warnings import config_warnings
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.optics_warnings import delocalisation_A
from hrtem_ood.physics.optics.condition import Condition

WAVELENGTH_A, Q_PER_A = 0.0197, 1.25


def spread_A(**parameters: float) -> float:
    return delocalisation_A(Condition(**{"defocus_A": 0, "dose_e_per_A2": 100} | parameters), WAVELENGTH_A, Q_PER_A)


def test_delocalisation_of_single_aberrations():
    assert spread_A() == 0
    assert spread_A(defocus_A=-300) == pytest.approx(300 * WAVELENGTH_A * Q_PER_A)
    assert spread_A(C30=1e6) == pytest.approx(1e6 * (WAVELENGTH_A * Q_PER_A) ** 3)
    # a ring, as both parts of the gradient of r² cos 2φ are of one size
    assert spread_A(C12=100, phi12=0.3) == pytest.approx(100 * WAVELENGTH_A * Q_PER_A)


def test_what_does_not_pass_spreads_nothing():
    # an aperture, at 10 mrad
    assert spread_A(defocus_A=300, aperture_mrad=10) == pytest.approx(300 * 0.01, rel=0.01)
    # a focal spread, where exp[−(π λ Δ q² / 2)²] is a tenth
    q = (2 * np.sqrt(np.log(10)) / (np.pi * WAVELENGTH_A * 100)) ** 0.5
    assert spread_A(defocus_A=300, focal_spread_A=100) == pytest.approx(300 * WAVELENGTH_A * q, rel=0.01)
    # Lichte's optimum: the defocus that balances C30 brings the largest slope to a quarter
    alone = spread_A(C30=1e7)
    assert spread_A(C30=1e7, defocus_A=0.75 * 1e7 * (WAVELENGTH_A * Q_PER_A) ** 2) == pytest.approx(alone / 4, rel=0.01)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ({"defocus_A": 50_000}, ["conditions.one: ", "spreads details over", "less defocus_A, or"]),
        ({"C30": 1.2}, ["C30 = 1.2 Å", "is it in Å?"]),
        ({"C30": 1e8}, ["conditions.one: ", "spreads details over", "larger cell_A, less C30, or"]),
        (
            {"C30": 1.2e7, "defocus_A": 670},
            ["conditions.one: Δf +670 Å", "more than half of cell_A = 51.2 Å", "less C30"],
        ),
        ({"C30": 1e5, "C30_sd": 1e7}, ["spreads details over", "less C30"]),
        ({"defocus_A": 0.0012, "C12": 30}, ["defocus_A = 0.0012 Å"]),
        ({"C30": 1e5, "C12": 30}, []),
    ],
)
def test_aberrations_in_another_unit_are_told_of(raw, condition, told):
    raw["conditions"] = {"one": {"defocus_A": 100, "dose_e_per_A2": 400} | condition}
    for users in (raw["training_sets"], raw["test_suites"]):
        for user in users.values():
            user["conditions"] = ["one"]
    found = [text for text in config_warnings(load_campaign(raw)) if text.startswith("conditions")]
    assert len(found) == bool(told)
    assert all(part in found[0] for part in told)

"""Sampled conditions, and the study's own."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from scipy.stats import spearmanr

from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.cli import main
from hrtem_ood.design.sobol import parse_range, sample
from hrtem_ood.design.utility import predictor_matrix

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "config/experiments/transfer.yaml"
OF_THE_STUDY = (
    "defocus_A=-250:250 C30=0:1e6 C12=0:120 phi12=-1.57:1.57 focal_spread_A=10:60 dose_e_per_A2=50:1600:log "
    "--number 32 --seed 1"
)


@pytest.fixture
def study(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load_campaign_from_files([STUDY])


def test_samples_fill_ranges_evenly():
    found = sample([parse_range("defocus_A=-100:300"), parse_range("dose_e_per_A2=10:1000:log")], 16, 5)
    for shares in (
        [(each.defocus_A + 100) / 400 for each in found],
        [np.log(each.dose_e_per_A2 / 10) / np.log(100) for each in found],
    ):
        # a Sobol sequence has one point in each of as many equal parts; rounding to three digits moves none by a part
        assert sorted(np.floor(np.array(shares) * 16 + 1e-9).astype(int)) == list(range(16))


def test_a_sample_needs_no_power_of_two_and_keeps_its_beginning():
    ranges = [parse_range("defocus_A=-100:300"), parse_range("dose_e_per_A2=400")]
    assert sample(ranges, 8, 2)[:5] == sample(ranges, 5, 2)
    assert {each.dose_e_per_A2 for each in sample(ranges, 5, 2)} == {400}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("defocus=1:2", "defocus=1:2: conditions have no key `defocus`; did you mean `defocus_A`?"),
        ("defocus_A=1:x", "write defocus_A=low:high, defocus_A=low:high:log or defocus_A=value, with numbers"),
        ("defocus_A", "write defocus_A=low:high"),
        ("defocus_A=1:2:lag", "write defocus_A=low:high"),
        ("defocus_A=1:2:log:3", "write defocus_A=low:high"),
        ("defocus_A=inf", "write defocus_A=low:high"),
        ("defocus_A=2:1", "try defocus_A=1:2"),
        ("dose_e_per_A2=0:1:log", "a logarithmic range lies above 0"),
        ("dose_e_per_A2=-3", "dose_e_per_A2: Input should be greater than or equal to 0.01"),
        ("C12=3", "dose_e_per_A2: Field required"),
    ],
)
def test_mistakes_are_told(text, told):
    done = CliRunner().invoke(main, ["sample", "defocus_A=5", text, "--number", "4", "--seed", "1"])
    assert done.exit_code == 2
    assert told in done.output


def test_a_parameter_that_is_given_twice_is_told():
    done = CliRunner().invoke(main, ["sample", "C12=5", "C12=6", "--number", "4", "--seed", "1"])
    assert (done.exit_code, "C12: is given twice; keep one" in done.output) == (2, True)


def test_the_study_s_conditions_are_those_of_the_command_beside_them():
    text = STUDY.read_text().replace("\\\n  #", "")
    assert " ".join(f"hrtem-ood sample {OF_THE_STUDY}".split()) in " ".join(text.split())
    done = CliRunner().invoke(main, ["sample", *OF_THE_STUDY.split()])
    written = yaml.safe_load(STUDY.read_text())["conditions"]
    assert yaml.safe_load(done.output) == written["varied"]
    assert written["shared"] == written["varied"][:4]


def test_what_is_to_be_told_apart_is_unrelated_in_the_study(study):
    conditions = study.conditions["varied"]
    sigma = predictor_matrix(
        study,
        Path("none"),
        "sigma",
        candidates=conditions,
        target_conditions=conditions,
        structure_sets=("train", "test"),
    )
    defocus, dose = (np.array([getattr(c, name) for c in conditions]) for name in ("defocus_A", "dose_e_per_A2"))
    pairs = ~np.eye(len(conditions), dtype=bool)
    change, fold = (np.abs(x[:, None] - x[None, :])[pairs] for x in (defocus, np.log(dose)))
    related = spearmanr(np.column_stack([change, fold, sigma[pairs]])).statistic
    assert np.abs(related - np.eye(3)).max() < 0.1

"""The page of a study: its sentences follow from the numbers, with either result."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from hrtem_ood.analysis.results import analyse_campaign
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, read_configs
from hrtem_ood.campaign.report_files import REPORT, figure_names
from hrtem_ood.cli import main
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.errors import ConfigError
from hrtem_ood.report import study_page
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.study_claims import Difference
from hrtem_ood.report.study_page import page_text
from hrtem_ood.stages.metrics import metrics

ROOT = Path(__file__).parents[3]


@pytest.fixture
def two_materials(config: dict[str, Any]) -> dict[str, Any]:
    """Make a small study: six conditions, choices of two of them, and a second material under two."""
    values = [(-150, 90, 10), (-90, 900, 40), (-20, 300, 20), (40, 1000, 15), (110, 60, 30), (170, 400, 45)]
    keys = ("defocus_A", "dose_e_per_A2", "focal_spread_A")
    conditions = [dict(zip(keys, each, strict=True)) for each in values]
    sets = config["structure_sets"]
    config["materials"]["Au"] = {"formula": "Au", "structure": "fcc", "a_A": 4.078}
    sets["gold"] = sets["train"] | {"material": "Au", "seed": 5}
    sets["gold_test"] = sets["test"] | {"material": "Au", "seed": 6}
    config["conditions"] = {"varied": conditions, "shared": conditions[:2], "designed": conditions[1:3]}
    config["conditions"] |= {"uniform": conditions[3:5], "random_1": conditions[4:]}
    choice = {"structure_set": "train", "mixture": True, "n_images": 4, "n_validation_structures": 1}
    config["training_sets"] = {
        "single": {"structure_set": "train", "conditions": "varied", "n_images": 4, "n_validation_structures": 1},
        "gold": {"structure_set": "gold", "conditions": "shared", "n_images": 4, "n_validation_structures": 1},
    } | {name: choice | {"conditions": name} for name in ("designed", "uniform", "random_1")}
    config["networks"] = {
        "unet": {"training_sets": ["single", "gold"], "epochs": 2, "seed": [0, 1]},
        "design": {"training_sets": ["designed", "uniform", "random_1"], "epochs": 2, "seed": [0, 1, 2]},
    }
    config["test_suites"] = {
        "test": {"structure_set": "test", "conditions": "varied"},
        "gold": {"structure_set": "gold_test", "conditions": "shared"},
    }
    naive = ["abs_delta_defocus_A", "sigma", "delta_log_dose"]
    claims = [{"outcome": name, "predictor": f"texture_{name}", "better_than": naive} for name in ("gap", "regret")]
    config["analysis"] = {"compare_training_sets": ["designed", "uniform", "random_1"], "bootstrap_resamples": 200}
    config["analysis"] |= {"claims": claims}
    return config


def write(written: Any, tmp_path: Path, *options: str) -> str:
    metrics(written.campaign, written.results)
    # the report's figures, which have tests of their own, are copied as they are
    for name in figure_names(written.campaign):
        store.write_bytes(written.folder / f"figures/{name}.png", b"\x89PNG" + name.encode())
    store.write_text(written.folder / REPORT, "")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(written.config))
    page, figures = tmp_path / "docs/results.md", tmp_path / "docs/figures"
    words = ["study-page", str(path), "--results", str(written.results), "--page", str(page), "--figures", str(figures)]
    done = CliRunner().invoke(main, [*words, *options])
    assert done.exit_code == 0, done.output
    return page.read_text()


def rule_of(written_config: dict[str, Any], by: Callable[[Any, Any], float]) -> Callable[..., float]:
    """F1 by a function of a training and a test condition, the best of a mixture; 0.1 less on other materials."""
    made = Campaign(CampaignConfig.model_validate(written_config))

    def rule(network: Any, dataset: Any, image: int) -> float:
        known = [made.datasets[id_] for id_ in made.training_set_by_id[network.training_set].datasets]
        same = made.recipe_id(made.structure_set_of_dataset[known[0].id]) == made.recipe_id(
            made.structure_set_of_dataset[dataset.id]
        )
        best = max(by(each.condition, dataset.condition) for each in known)
        return best - 0.1 * (not same) + 0.001 * image - 0.0005 * network.hyperparameters.seed

    return rule


@pytest.mark.slow
def test_scores_that_follow_the_change_of_defocus_refute_the_claim(two_materials, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there is no laptop campaign to merge with
    rule = rule_of(two_materials, lambda one, other: 0.9 - abs(one.defocus_A - other.defocus_A) / 500)
    written = make(two_materials, rule=rule)
    written.config = two_materials
    text = write(written, tmp_path)
    assert "- **Shown**: `texture_gap`" not in text
    assert "- **Refuted**: `texture_gap` ranks gaps better than `abs_delta_defocus_A`" in text
    assert "| 1 | `abs_delta_defocus_A`" in text
    assert "- First of all is `abs_delta_defocus_A`, which was not claimed: ahead of `texture_gap` by" in text
    # every figure is there, beside the page
    links = re.findall(r"!\[\w+\]\((.+?)\)", text)
    assert len(links) == 6
    assert all((tmp_path / "docs" / link).read_bytes().startswith(b"\x89PNG") for link in links)
    # structures: 0.1 less on the other material, under conditions known
    assert "| trained on | tested on gold_test | tested on test |" in text
    assert re.search(r"\| train \| 0\.80 \(\d+\) \| \*\*0\.90\*\* \(\d+\) \|", text)
    assert "25 networks of 11 training sets" in text
    assert "Networks of one architecture" in text
    assert "2 materials (Au, CdSe)" in text
    # the same scores without a claim: a description
    del two_materials["analysis"]["claims"]
    campaign = Campaign(CampaignConfig.model_validate(two_materials))
    data = ReportData(campaign, written.results, analyse_campaign(campaign, written.results))
    plain = page_text(data, {}, "command")
    assert "| 1 | `abs_delta_defocus_A`" in plain
    assert "Nothing is claimed." in plain
    assert not re.search("Refuted|claimed predictor|The claim is|First of all", plain)
    # what artifacts of others tell of themselves stays text
    hostile = "<script>alert(1)</script> a|b [x](javascript:y)\n# \x1b[2J"
    stages, software = study_page.campaign_provenance(campaign, written.results)
    stages = [dataclasses.replace(stage, revisions=[hostile]) for stage in stages]
    monkeypatch.setattr(study_page, "campaign_provenance", lambda *_: (stages, {**software, "torch": hostile}))
    page = page_text(data, {}, "command")
    escaped = r"&lt;script>alert(1)&lt;/script> a\|b [x]\(javascript:y) # \x1b[2J"
    assert f"git revision {escaped}; torch {escaped}," in page
    assert "<" not in page.replace("&lt;", "")


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ([("gap", "sigma", ["sigma"])], "names the predictor itself, sigma"),
        ([("gap", "sigma", ["epsilon"]), ("gap", "coverage", ["mmd"])], "gap has several"),
        ([("regret", "sigm", ["mmd"])], r"analysis\.claims\.regret: there is no `sigm` .*did you mean `sigma`"),
        ([("regret", "sigma", ["mmdd"])], r"analysis\.claims\.regret: there is no `mmdd`"),
    ],
)
def test_claims_that_cannot_be_answered_are_refused(config, claims, message):
    keys = ("outcome", "predictor", "better_than")
    config["analysis"]["claims"] = [dict(zip(keys, claim, strict=True)) for claim in claims]
    with pytest.raises(ConfigError, match=message):
        load_campaign(config)


def test_the_study_has_the_claims_that_its_comments_state():
    claims = load_campaign(read_configs([ROOT / "config/experiments/transfer.yaml"])).config.analysis.claims
    assert [(claim.outcome, claim.predictor) for claim in claims] == [
        ("gap", "texture_gap"),
        ("regret", "texture_regret"),
    ]
    assert all(claim.better_than == ("abs_delta_defocus_A", "sigma", "delta_log_dose") for claim in claims)


@pytest.mark.slow
def test_scores_that_follow_the_texture_gap_show_the_claim(two_materials, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = make(two_materials)  # for its predictors
    with store.open_zarr(written.path("predictors", written.campaign.predictors_id)) as found:
        known = found.texture_gap.load()

    def rule(network: Any, dataset: Any, image: int) -> float:
        gap = float(known.sel(training_set=network.training_set, condition=dataset.id))
        return 0.6 + gap + 0.001 * image

    written = make(two_materials, rule=rule)
    written.config = two_materials
    text = write(written, tmp_path)
    for other in ("abs_delta_defocus_A", "sigma", "delta_log_dose"):
        assert f"- **Shown**: `texture_gap` ranks gaps better than `{other}`" in text
    assert "- The claimed predictor has the first place of" in text
    assert "ρ = +1.00 [+1.00, +1.00], place 1 of" in text


def test_a_broken_or_unfinished_campaign_is_told(two_materials, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(yaml.safe_dump(two_materials))
    done = CliRunner().invoke(main, ["study-page", "config.yaml", "--page", "page.md", "--figures", "figures"])
    assert done.exit_code == 1
    assert "the campaign is not finished" in done.output
    assert not Path("page.md").exists()


@pytest.mark.slow
def test_the_law_of_mixtures_stands_beside_that_of_published_cells(config, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["conditions"] = {
        "many": {"defocus_A": [-100, -50, 50, 100, 150], "dose_e_per_A2": 400, "focal_spread_A": 20}
    }
    common = {"structure_set": "train", "conditions": "many", "n_images": 4, "n_validation_structures": 1}
    drawn = {"mixture": True, "drawn": {"n_conditions": [2, 3], "number": 3}}
    config["training_sets"] = {"single": common, "drawn": common | drawn}
    config["networks"]["unet"] |= {"training_sets": ["single", "drawn"], "seed": 0, "epochs": 2}
    config["test_suites"] = {"test": {"structure_set": "test", "conditions": "many"}}
    config["analysis"] = {"bootstrap_resamples": 100}
    written = make(config, rule=rule_of(config, lambda one, other: 0.9 - abs(one.defocus_A - other.defocus_A) / 500))
    written.config = config
    other = ROOT / "docs/data/confirm_cells.csv.gz"
    text = write(written, tmp_path, "--beside", str(other))
    assert "--beside" in text.split("by\n", 1)[1].splitlines()[1]
    own, beside = text.split("## The law of mixtures")[1].split("**Beside the campaign `confirm`**")
    assert [line[:8] for line in own.splitlines() if line.startswith("| ")] == ["| k | mi", "| 2 | 3 ", "| 3 | 3 "]
    rows = [line for line in beside.splitlines() if re.match(r"\| \d", line)]
    assert [line[:9] for line in rows] == ["| 2 | 22 ", "| 4 | 25 ", "| 8 | 25 "]
    assert re.search(r"Intervals of `\w+` are \d+\.\d\d to \d+\.\d\d times as wide as those of `confirm`", beside)
    assert (tmp_path / "docs" / re.search(r"\[its cells\]\((.+?)\)", beside)[1]).resolve() == other


@pytest.mark.slow
def test_without_a_law_of_mixtures_none_stands_beside(two_materials, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = make(two_materials)
    written.config = two_materials
    with pytest.raises(AssertionError, match="has no law of mixtures, beside which"):
        write(written, tmp_path, "--beside", str(ROOT / "docs/data/confirm_cells.csv.gz"))
    with pytest.raises(AssertionError, match=r"none.csv: is no table of cells that can be read"):
        write(written, tmp_path, "--beside", "none.csv")
    with pytest.raises(AssertionError, match=r"transfer_cells.csv.gz: is not a table of cells"):
        write(written, tmp_path, "--beside", str(ROOT / "docs/data/transfer_cells.csv.gz"))
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "shown"), (-0.2, -0.01, "refuted"), (-0.1, 0.1, "open"), (np.nan, np.nan, "open"), (0.0, 0.1, "open")],
)
def test_differences_are_read_by_their_intervals(low, high, verdict):
    assert Difference("x", 0.0, low, high).verdict == verdict

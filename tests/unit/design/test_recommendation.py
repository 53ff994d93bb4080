"""Designed training conditions: the command's output, and the experiment that it writes."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hrtem_ood.campaign.load import load_campaign, load_campaign_from_files, merge
from hrtem_ood.cli import main
from hrtem_ood.cli.render.design import design_summary
from hrtem_ood.design.recommendation import DesignRequest, design_training_conditions
from hrtem_ood.transfer.object_spectrum import UNIT_OBJECTS

ROOT = Path(__file__).parents[3]
WIDE = ("--target-conditions", "wide", "--n-conditions")


@pytest.fixture
def design(raw, tmp_path, monkeypatch):
    """Run the verb on the small campaign, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    raw["conditions"]["wide"] = {
        "defocus_A": [-200, -100, 0, 100, 200],
        "focal_spread_A": [10, 40],
        "dose_e_per_A2": 400,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw))

    def run(*words, predictor="sigma"):
        words = ("config.yaml", "--images", "16", "--predictor", predictor, *words)
        return CliRunner().invoke(main, ["design", *words])

    return run


def test_the_experiment_is_valid_on_top_of_its_campaign_and_asks_for_nothing_else(design):
    done = design(*WIDE, "2", "--output", "advice.yaml", "--random", "2", "--network-seeds", "2")
    assert done.exit_code == 0, done.output
    assert "Proved: no other 2 of 10 candidates have a better predicted mean." in done.output
    campaign = load_campaign_from_files([Path("config.yaml"), Path("advice.yaml")])
    names = ["designed", "uniform", "random_1", "random_2"]
    assert list(campaign.config.training_sets) == names
    assert campaign.config.analysis.compare_training_sets == tuple(names)
    assert len(campaign.networks) == 8
    for name in names:
        (only,) = campaign.training_sets[name]
        assert (len(only.datasets), only.n_images, only.n_structures) == (2, (8, 8), 20)
        assert set(campaign.conditions[name]) < set(campaign.conditions["wide"])
    assert {campaign.datasets[id_].condition for id_ in campaign.test_dataset_ids} == set(campaign.conditions["wide"])
    own = load_campaign(yaml.safe_load(Path("config.yaml").read_text()))
    assert {each.hyperparameters for each in campaign.networks.values()} == {
        each.hyperparameters for each in own.networks.values()
    }


def test_the_command_in_the_experiment_s_head_makes_it_again(design):
    design(*WIDE, "2", "--output", "advice.yaml")
    text = Path("advice.yaml").read_text()
    command = next(line for line in text.splitlines() if "hrtem-ood design config.yaml" in line)
    again = CliRunner().invoke(main, [*command.split()[2:], "--output", "again.yaml"])
    assert again.exit_code == 0, again.output
    assert Path("again.yaml").read_text().replace("again.yaml", "advice.yaml") == text


@pytest.mark.parametrize(("predictor", "unserved"), [("sigma", True), ("log_cnr_difference", False)])
def test_targets_that_no_candidate_serves_are_named(raw, monkeypatch, predictor, unserved):
    """A σ of 0 is nothing; a distance of 0 is the condition itself."""
    spectra = "hrtem_ood.design.utility.object_spectra"
    monkeypatch.setattr(spectra, lambda _campaign, _results, names: dict.fromkeys(names, UNIT_OBJECTS))
    monkeypatch.setattr("hrtem_ood.design.utility.check_exit_waves", lambda *_: None)
    raw["conditions"]["wide"] = {"defocus_A": [0, 100, 200], "dose_e_per_A2": 400}
    request = DesignRequest(("wide",), ("wide",), 1, "mean", predictor, ("train", "test"))
    lines = design_summary(design_training_conditions(load_campaign(raw), Path(), request))
    assert any("No candidate serves these" in line and "Δf 0 Å" in line for line in lines) == unserved


def test_target_conditions_are_not_replaced(design, raw):
    raw["conditions"]["uniform"] = raw["conditions"].pop("wide")
    Path("config.yaml").write_text(yaml.safe_dump(raw))
    done = design("--target-conditions", "uniform", "--n-conditions", "2", "--output", "advice.yaml")
    assert done.exit_code == 2
    assert "--target-conditions: the experiment defines conditions named `uniform` itself" in done.output


def test_hyperparameters_of_an_entry_of_the_same_name_do_not_leak(design, raw):
    raw["networks"]["design"] = raw["networks"]["unet"] | {"weight_decay": 0.5}
    Path("config.yaml").write_text(yaml.safe_dump(raw))
    design(*WIDE, "2", "--networks", "unet", "--output", "advice.yaml")
    campaign = load_campaign(merge(raw, yaml.safe_load(Path("advice.yaml").read_text())))
    assert 0.5 not in {each.hyperparameters.weight_decay for each in campaign.networks.values()}


def test_choices_are_all_different(design):
    done = design(*WIDE, "9", "--random", "20", "--output", "advice.yaml")
    written = yaml.safe_load(Path("advice.yaml").read_text())["conditions"]
    assert len({str(sorted(map(str, each))) for each in written.values()}) == len(written) <= 10
    assert "There are no more than" in done.output


def test_the_order_in_which_conditions_are_listed_means_nothing(design, raw):
    design(*WIDE, "3", "--goal", "worst", "--output", "advice.yaml")
    raw["conditions"]["wide"]["defocus_A"].reverse()
    Path("config.yaml").write_text(yaml.safe_dump(raw))
    design(*WIDE, "3", "--goal", "worst", "--output", "again.yaml")
    one, two = (yaml.safe_load(Path(name).read_text()) for name in ("advice.yaml", "again.yaml"))
    assert one == two


def test_an_existing_file_is_not_overwritten(design):
    Path("advice.yaml").write_text("mine")
    done = design(*WIDE, "2", "--output", "advice.yaml")
    assert (done.exit_code, Path("advice.yaml").read_text()) == (1, "mine")
    assert "advice.yaml exists and is not overwritten" in done.output


@pytest.mark.parametrize("target", ["nowhere.yaml", "advice.yaml"])
def test_a_link_is_not_replaced_wherever_it_leads(design, target):
    Path("advice.yaml").symlink_to(target)
    done = design(*WIDE, "2", "--output", "advice.yaml")
    assert done.exit_code == 1
    assert "advice.yaml exists and is not overwritten" in done.output
    assert str(Path("advice.yaml").readlink()) == target


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--target-conditions", "wise", "--n-conditions", "2"],
            "--target-conditions: there is no `wise`; did you mean `wide`?",
        ),
        (
            [*WIDE, "2", "--candidates", "x"],
            "--candidates: there is no `x`; Valid: defocus",
        ),
        (
            [*WIDE, "11"],
            "--n-conditions: 11 of 10 candidates leave nothing to choose",
        ),
        (
            [*WIDE, "2", "--images", "1"],
            "--images: 1 are too few for 2 conditions",
        ),
        (
            [*WIDE, "2", "--predictor", "sigmo"],
            "--predictor: there is no `sigmo`; did you mean `sigma`?",
        ),
        (
            [*WIDE, "2", "--networks", "x"],
            "--networks: there is no `x`; Valid: unet.",
        ),
        (
            [*WIDE, "2", "--suite", "x"],
            "--suite: there is no `x`; Valid: test.",
        ),
        (
            [*WIDE, "2", "--images", "999"],
            "--images: 999 are more than the 16 structures of `train` that train",
        ),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(design, words, message):
    done = design(*words, "--output", "advice.yaml")
    assert done.exit_code == 2
    assert message in done.output
    assert not Path("advice.yaml").exists()


def test_without_exit_waves_it_tells_what_to_run(design):
    done = design(*WIDE, "2", predictor="texture_accuracy")
    assert done.exit_code == 1
    assert "texture_accuracy needs exit waves" in done.output
    campaign = load_campaign(yaml.safe_load(Path("config.yaml").read_text()))
    ((shards, _),) = campaign.exit_waves_for_recipe.values()
    assert f"snakemake results/exit_waves/{shards[0].id}.zarr.zip" in done.output


def test_each_target_is_served_by_the_nearest_chosen_candidate(raw):
    campaign = load_campaign(merge(raw, {"conditions": {"wide": {"defocus_A": [-150, 0, 90], "dose_e_per_A2": 400}}}))
    request = DesignRequest(("wide",), ("wide",), 2, "worst", "sigma", ("train", "test"))
    design = design_training_conditions(campaign, Path("none"), request)
    serving = design.serving_candidates("designed")
    assert set(serving) <= set(design.choice.indices)
    for target, index in enumerate(serving):
        best = design.predictor_values[list(design.choice.indices), target].max()
        assert design.predictor_values[index, target] == best
    assert design.predicted("designed")["worst"] == pytest.approx(design.choice.value)
    assert design.predicted("designed")["worst"] >= design.predicted("uniform")["worst"]


@pytest.mark.slow
def test_the_command_in_the_study_s_comment_writes_such_sets(tmp_path, monkeypatch):
    """From the exit waves that the study reads, in shards of their own.

    The study's own sets are those of its run: with other random structures, other conditions are chosen.
    """
    monkeypatch.chdir(ROOT)
    study, shards = "config/experiments/transfer.yaml", tmp_path / "shards.yaml"
    shards.write_text("execution: {structures_per_shard: 16}")
    campaign = load_campaign_from_files([Path(study), shards])
    (shard,) = campaign.exit_waves_for_recipe[campaign.recipe_id("train")][0]
    files = [study, str(shards)]
    for verb, id_ in (("build", campaign.structures_of[shard.id].id), ("simulate", shard.id)):
        options = [word for file in files for word in ("--config", file)]
        done = CliRunner().invoke(main, ["stage", verb, id_, *options, "--results", str(tmp_path)])
        assert done.exit_code == 0, done.output
    words = "--target-conditions varied --n-conditions 4 --images 160"
    assert f"hrtem-ood design {study} {words}\n" in (ROOT / study).read_text()
    output = tmp_path / "advice.yaml"
    done = CliRunner().invoke(
        main, ["design", *files, *words.split(), "--results", str(tmp_path), "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    made, written = (yaml.safe_load(path.read_text()) for path in (output, ROOT / study))
    for name in ("designed", "uniform", "random_1", "random_2", "random_3"):
        for chosen in (made["conditions"][name], written["conditions"][name]):
            assert len(chosen) == 4
            assert all(condition in written["conditions"]["varied"] for condition in chosen)
    assert made["conditions"]["uniform"] == written["conditions"]["uniform"]
    assert made["analysis"]["compare_training_sets"] == written["analysis"]["compare_training_sets"]

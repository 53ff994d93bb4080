"""Every row of docs/reexecution.md, asked of Snakemake on real artifacts, and run where networks are trained or scored."""

import os
import re
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs/reexecution.md"

CHANGES = {
    "add a condition to training and suite": {
        "conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 1000}},
        "training_sets": {"single": {"conditions": ["over", "under", "far"]}},
        "test_suites": {"test": {"conditions": ["over", "under", "far"]}},
    },
    "remove a condition from training": {"training_sets": {"single": {"conditions": "over"}}},
    "remove a condition from the suite": {"test_suites": {"test": {"conditions": "over"}}},
    "reorder conditions and seeds": {
        "test_suites": {"test": {"conditions": ["under", "over"]}},
        "training_sets": {"mixed": {"conditions": ["under", "over"]}},
        "networks": {"unet": {"seed": [1, 0]}},
    },
    "change one condition's dose": {"conditions": {"over": {"dose_e_per_A2": 500}}},
    "change it back": {},
    "change the learning rate": {"networks": {"unet": {"learning_rate": 0.001}}},
    "add a seed": {"networks": {"unet": {"seed": [0, 1, 2]}}},
    "add a value of a hyperparameter": {"networks": {"unet": {"batch_size": [2, 4]}}},
    "add a test condition to the suite": {
        "conditions": {"near": {"defocus_A": 50, "dose_e_per_A2": 1000}},
        "test_suites": {"test": {"conditions": ["over", "under", "near"]}},
    },
    "add a suite": {"test_suites": {"second": {"structure_set": "test", "conditions": "under"}}},
    "add structures to the test set": {"structure_sets": {"test": {"n_structures": 5}}},
    "add structures to the training set": {"structure_sets": {"train": {"n_structures": 8}}},
    "change the label blur": {"labels": {"blur_A": 1.2}},
    "change the weight of the transfer measures": {"transfer": {"weighting": "per_q"}},
    "change a figure's style": {"report": {"dpi": 70}},
    "change the device": {"execution": {"device": "auto"}},
    "change the pack size": {"execution": {"networks_per_job": 1}},
    "change the shard size": {"execution": {"structures_per_shard": 2}},
    "change the size of evaluations": {"execution": {"networks_per_evaluation": 1}},
    "run another campaign with the same networks": {"campaign": "other"},
}
"""What is merged on the configuration; rows that need more than that have a test of their own."""

UPSTREAM = ("structures", "exit_waves", "datasets", "transfer", "metrics")
SCORED = ("evaluations", "networks")
"""Stages with a version; those of which a raised one is run."""

OWN_TESTS = {
    "change comments, the order of keys, 1 for 1.0",
    "change resources or profile",
    "delete exit waves and datasets by hand",
    "delete the report by hand",
    "delete the metrics by hand",
    "touch artifacts",
    "damage a dataset",
    *(f"raise the version of `{stage}`" for stage in (*UPSTREAM, *SCORED)),
}


def table():
    """Jobs by rule and number of networks trained, by change, as the page has them."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (\d+)[^|]*\|$", PAGE.read_text(), re.MULTILINE)
    return {change: (dict(_job(text) for text in jobs.split(", ") if text != "nothing"), int(trained))
            for change, jobs, trained in rows}  # fmt: skip


def _job(text):
    rule, count = text.split()
    return rule, int(count)


TABLE = table()
TO_THE_END = "add a condition to training and suite"
"""The change after which everything is run; after the others, only MAKES_SCORES."""
MAKES_SCORES = ("build", "simulate", "image", "train", "suite", "evaluate")
RUN = [change for change in CHANGES if TABLE[change][1] or "evaluate" in TABLE[change][0] or change == "change it back"]


@pytest.fixture(scope="module")
def lived(finished, tmp_path_factory):
    """Return a copy of the finished campaign on which the changes are run, each beside what the others left."""
    return finished.copy(tmp_path_factory.mktemp("lived") / "copy")


def expect(project, change, *arguments, environment=None):
    """Have Snakemake announce the jobs of the page, and make networks and scores for real: exactly those of the page.

    What gathers, draws and lists them is left announced, but for one change, which is run to its end.
    """
    jobs, trained = TABLE[change]
    before = project.artifacts("networks")
    told = project.planned(environment) if environment else project.plan(CHANGES[change]).to_dict()
    assert (told["jobs"], networks_of(told)) == (jobs, trained)
    if change == TO_THE_END:
        assert project.run(*arguments, environment=environment) == jobs
        left = {}
    else:
        assert project.would_run(*arguments, environment=environment) == jobs
        made = {rule: count for rule, count in jobs.items() if rule in MAKES_SCORES}
        assert project.run("--until", "evaluate", *arguments, environment=environment) == made
        left = {rule: count for rule, count in jobs.items() if rule not in MAKES_SCORES}
    after = project.artifacts("networks")
    assert {name: after[name] for name in before} == before, "a network was trained again"
    assert len(after) - len(before) == trained
    assert project.would_run(*arguments, environment=environment) == left
    return set(after) - set(before)


def networks_of(told):
    """Networks that a plan, as JSON, announces to be trained."""
    (networks,) = (stage for stage in told["stages"] if stage["stage"] == "networks")
    assert networks["to_make"] == sum(pack["to_train"] for pack in told["packs"])
    return networks["to_make"]


def test_every_row_of_the_page_is_tested():
    assert set(TABLE) == set(CHANGES) | OWN_TESTS
    first = re.search(r"The first run makes everything: (.*?)\.\n", PAGE.read_text(), re.DOTALL)
    from tests.workflow.conftest import JOBS

    assert dict(_job(text) for text in first[1].replace("\n", " ").split(", ")) == JOBS


@pytest.mark.parametrize("change", [change for change in CHANGES if change not in RUN])
def test_a_change_announces_the_jobs_of_the_page(finished, change):
    assert finished.after(CHANGES[change]) == TABLE[change][0]
    assert networks_of(finished.plan(CHANGES[change]).to_dict()) == TABLE[change][1]


@pytest.mark.parametrize("change", RUN)
def test_a_change_runs_the_jobs_of_the_page_and_trains_its_networks(lived, change):
    (lived.folder / "change.yaml").write_text(yaml.safe_dump(CHANGES[change]))
    new = expect(lived, change, "--configfile", "change.yaml")
    asked = lived.campaign(CHANGES[change])
    assert {name.removesuffix(".ckpt") for name in new} <= set(asked.networks) - set(lived.campaign().networks)
    if "evaluate" in TABLE[change][0] and not TABLE[change][1]:
        logs = [(lived.folder / f"results/logs/evaluations/{id_}.log") for id_ in asked.evaluations]
        told = [path.read_text() for path in logs if path.stat().st_mtime_ns > _made(lived, "change.yaml")]
        # structures more are other images; everything else is known under some conditions at least
        assert all(("cells are copied" in text) == ("structures" not in change) for text in told), told


def _made(project, name):
    return (project.folder / name).stat().st_mtime_ns


def test_comments_key_order_and_whole_numbers(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    backwards = dict(reversed(project.tiny.items()))
    text = (
        yaml.safe_dump(backwards, sort_keys=False)
        .replace("1000", "1.0e+3")
        .replace("pixel_size_A: 0.8", "pixel_size_A: 0.80")
    )
    assert "1.0e+3" in text
    (project.folder / "config/config.yaml").write_text("# a comment\n" + text)
    assert project.would_run() == {}


def test_resources_and_profile(finished, tmp_path):
    assert finished.would_run("--set-resources", "train:mem_mb=9999", "--set-threads", "image=2") == {}
    profile = tmp_path / "config.yaml"
    profile.write_text("cores: 1\nrerun-triggers: mtime\nset-resources:\n  train:\n    runtime: 7\n")
    assert finished.would_run("--workflow-profile", str(tmp_path)) == {}


def test_what_is_deleted_is_made_again_where_it_is_needed(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    results, campaign = project.folder / "results", project.campaign()
    for stage in ("structures", "exit_waves", "datasets", "packs"):
        for path in (results / stage).iterdir():
            path.touch()
    assert project.would_run() == {}, "touched"
    for stage in ("exit_waves", "datasets"):
        for path in (results / stage).iterdir():
            path.unlink()
    assert project.would_run() == {}
    metrics = results / f"metrics/{campaign.metrics_id}.zarr.zip"
    kept = metrics.read_bytes()
    metrics.unlink()
    assert project.after({}) == {"metrics": 1}
    metrics.write_bytes(kept)
    (results / "tiny/figures/ctf.png").unlink()
    # the pictures of the report show test images, which are gone
    assert project.after({}) == {"simulate": 1, "image": 2, "report": 1}


def test_the_report_alone_is_drawn_again(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    (project.folder / "results/tiny/report.html").unlink()
    assert project.after({}) == TABLE["delete the report by hand"][0]


def raised(stage, folder):
    """Return an environment in which the version of a stage is raised by one."""
    patch = f"from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS\nSTAGE_VERSIONS[{stage!r}] += 1\n"
    (folder / "sitecustomize.py").write_text(patch)
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize("stage", SCORED)
def test_a_raised_version(lived, tmp_path, stage):
    expect(lived, f"raise the version of `{stage}`", environment=raised(stage, tmp_path))
    assert lived.would_run() == {}, "lowered again"


@pytest.mark.parametrize("stage", UPSTREAM)
def test_a_raised_version_announces_the_jobs_of_the_page(finished, tmp_path, stage):
    environment = raised(stage, tmp_path)
    told = finished.planned(environment)
    assert (finished.would_run(environment=environment), networks_of(told)) == TABLE[f"raise the version of `{stage}`"]
    assert told["jobs"] == TABLE[f"raise the version of `{stage}`"][0]
    reasons = {reason for each in told["stages"] for reason in each["why"]}
    assert any(reason.startswith(f"version of {stage} ") for reason in reasons) or stage == "metrics"


def test_a_damaged_artifact_is_named_and_made_anew_once_it_is_deleted(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    campaign = project.campaign()
    (broken,) = (
        id_ for id_, each in campaign.datasets.items() if each.n_structures == 6 and each.condition.defocus_A < 0
    )
    path = project.folder / f"results/datasets/{broken}.zarr.zip"
    path.write_bytes(path.read_bytes()[:-3000])
    assert project.after({}) == TABLE["damage a dataset"][0]
    (project.folder / "change.yaml").write_text(yaml.safe_dump(CHANGES["add a seed"]))
    before = project.artifacts("networks")
    done = project.snakemake("--configfile", "change.yaml")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"results/datasets/{path.name} is damaged, cut off, or not" in text
    assert f"Delete results/datasets/{path.name} and run snakemake again" in text
    assert "Traceback" not in text
    assert path.exists()
    assert len(project.artifacts("networks")) == len(before) + 1, "the network on the other condition is trained"
    path.unlink()
    # two packs and their evaluations are left
    left = {"image": 1, "train": 2, "evaluate": 2}
    assert project.would_run("--configfile", "change.yaml") == left | {"metrics": 1, "report": 1}
    assert project.run("--until", "evaluate", "--configfile", "change.yaml") == left
    after = project.artifacts("networks")
    assert len(after) == len(before) + 3
    assert {name: after[name] for name in before} == before

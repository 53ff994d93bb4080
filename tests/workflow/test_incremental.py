"""A change reruns exactly what it makes stale: asked of Snakemake itself, on a finished campaign."""

import json
import subprocess
import time

import pytest
import yaml

from hrtem_ood import store
from hrtem_ood.campaign.load import merge

GATHER = {"metrics": 1, "report": 1, "index": 1}


def test_nothing_to_do_at_the_end(finished):
    assert finished.would_run() == {}


CHANGES = {
    "one condition's dose": (
        {"conditions": {"over": {"dose_e_per_A2": 500}}},
        # two datasets; networks on that condition and on the mixture; all networks are tested on it
        {"image": 2, "train": 2, "suite": 1, "evaluate": 3, "transfer": 1, **GATHER},
    ),
    "a condition more": (
        {
            "conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 1000}},
            "training_sets": {"single": {"conditions": ["over", "under", "far"]}},
            "suites": {"test": {"conditions": ["over", "under", "far"]}},
        },
        {"image": 2, "train": 1, "suite": 1, "evaluate": 4, "transfer": 1, **GATHER},
    ),
    "a test condition more": (
        {
            "conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 1000}},
            "suites": {"test": {"conditions": ["over", "under", "far"]}},
        },
        {"image": 1, "suite": 1, "evaluate": 3, "transfer": 1, **GATHER},
    ),
    "the learning rate": ({"networks": {"unet": {"learning_rate": 0.001}}}, {"train": 3, "evaluate": 3, **GATHER}),
    "a seed more": ({"networks": {"unet": {"seed": [0, 1, 2]}}}, {"train": 3, "evaluate": 3, **GATHER}),
    "label blur": ({"labels": {"blur_A": 1.2}}, {"image": 4, "train": 3, "suite": 1, "evaluate": 3, **GATHER}),
    "weight of the transfer measures": ({"transfer": {"weight": "per_q"}}, {"transfer": 1, **GATHER}),
    "a figure's resolution": ({"report": {"dpi": 70}}, {"report": 1}),
    "structures per shard": ({"execution": {"structures_per_shard": 2}}, {"index": 1}),
    "networks per job": ({"execution": {"networks_per_job": 1}}, {"index": 1}),
    "the device": ({"execution": {"device": "auto"}}, {}),
    "whole numbers for floats": ({"conditions": {"over": {"dose_e_per_A2": 1000.0, "defocus_A": -100.0}}}, {}),
    "the order of conditions": (
        {"suites": {"test": {"conditions": ["under", "over"]}}, "networks": {"unet": {"seed": [1, 0]}}},
        {},
    ),
}


@pytest.mark.parametrize(("change", "jobs"), CHANGES.values(), ids=CHANGES)
def test_a_change_reruns_what_it_makes_stale(finished, change, jobs):
    assert finished.after(change) == jobs


def test_comments_and_key_order_rerun_nothing(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    backwards = dict(reversed(project.tiny.items()))
    text = "# a comment\n" + yaml.safe_dump(backwards, sort_keys=False)
    (project.folder / "config/config.yaml").write_text(text)
    assert project.would_run() == {}


def test_age_means_nothing_and_only_what_is_missing_and_needed_is_made(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    results = project.folder / "results"
    for stage in ("structures", "exit_waves", "datasets", "packs"):
        for path in (results / stage).iterdir():
            path.touch()
    assert project.would_run() == {}
    # nothing that is still wanted needs the exit waves
    next((results / "exit_waves").iterdir()).unlink()
    assert project.would_run() == {}
    (results / "tiny/report.html").unlink()
    assert project.would_run() == {"report": 1}
    (results / "tiny/metrics.zarr.zip").unlink()
    assert project.would_run() == {"metrics": 1, "report": 1}


def test_a_seed_more_trains_and_evaluates_the_new_networks_only(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    before = project.artefacts("networks")
    change = {"networks": {"unet": {"seed": [0, 1, 2]}}}
    (project.folder / "change.yaml").write_text(yaml.safe_dump(change))
    assert project.run("--configfile", "change.yaml") == {"train": 3, "evaluate": 3, **GATHER}
    after = project.artefacts("networks")
    assert len(after) == 9
    assert {name: after[name] for name in before} == before, "a network was trained again"
    new = project.campaign(change).evaluations
    for evaluation in new:
        log = (project.folder / f"results/logs/evaluations/{evaluation}.log").read_text()
        assert "4 cells are copied from" in log, log
    # back again: networks, evaluations and all else are still there; only the campaign's summary is made again
    assert project.would_run() == GATHER


def test_after_a_kill_everything_that_is_missing_is_made(finished, tmp_path):
    """A killed Snakemake leaves jobs marked incomplete whose outputs exist, and whole chains behind them undone."""
    project = finished.copy(tmp_path / "copy")
    project.configure(merge(project.tiny, {"conditions": {"over": {"dose_e_per_A2": 500}}}))
    command = [*project.command(), "--until", "image"]
    running = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    marks = project.folder / ".snakemake/incomplete"
    while not (marks.exists() and any(marks.iterdir())):
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    running.kill()
    running.wait()
    datasets = {project.folder / f"results/datasets/{id_}.zarr.zip" for id_ in project.campaign().datasets}
    for _ in range(600):  # its jobs live on
        if any(path.stem not in finished.artefacts("datasets") and path.exists() for path in datasets):
            break
        time.sleep(0.1)
    time.sleep(5)
    project.snakemake("--unlock")
    project.run()
    assert (project.folder / "results/tiny/report.html").exists()
    assert project.would_run() == {}
    expect = project.campaign().metrics_id
    assert store.zarr_attributes(project.folder / "results/tiny/metrics.zarr.zip")["id"] == expect


def test_exit_waves_that_were_removed_come_back_for_a_new_condition_only(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    networks = project.artefacts("networks")
    for path in (project.folder / "results/exit_waves").iterdir():
        path.unlink()
    change = {"conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 1000}}}
    change["suites"] = {"test": {"conditions": ["over", "under", "far"]}}
    assert project.after(change) == {"simulate": 1, "image": 1, "suite": 1, "evaluate": 3, "transfer": 1, **GATHER}
    project.run("--configfile", "change.yaml")
    assert project.artefacts("networks") == networks
    for evaluation in project.campaign(change).evaluations:
        log = (project.folder / f"results/logs/evaluations/{evaluation}.log").read_text()
        # two networks on two datasets; only the third dataset is new
        assert "4 cells are copied from" in log, log


def test_results_do_not_depend_on_shards_packs_order_or_workers(finished, tmp_path_factory):
    other = type(finished)(tmp_path_factory.mktemp("other"))
    execution = {"structures_per_shard": 2, "networks_per_job": 1, "device": "cpu"}
    other.configure(dict(reversed(other.tiny.items())) | {"execution": execution})
    other.run("--cores", "1")
    results, others = finished.folder / "results", other.folder / "results"
    datasets = finished.artefacts("datasets")
    assert set(datasets) == set(other.artefacts("datasets"))
    for name in datasets:
        assert store.read_zarr(results / "datasets" / name).equals(store.read_zarr(others / "datasets" / name))
    networks = finished.artefacts("networks")
    assert set(networks) == set(other.artefacts("networks"))
    for name in networks:
        one, two = (store.read_checkpoint(folder / "networks" / name)["state_dict"] for folder in (results, others))
        assert all(one[key].equal(two[key]) for key in one)
    campaign = finished.campaign()
    one, two = (
        store.read_zarr(folder / "tiny/metrics.zarr.zip", expect_id=campaign.metrics_id) for folder in (results, others)
    )
    assert one.equals(two)


def test_artefacts_tell_how_they_were_made(finished):
    campaign = finished.campaign()
    for stage in ("exit_waves", "datasets", "evaluations"):
        for name in finished.artefacts(stage):
            told = store.zarr_attributes(finished.folder / "results" / stage / name)
            assert told["id"] + ".zarr.zip" == name
            assert json.loads(told["software"])["numpy"]
            assert told["device"] == "cpu"
            assert told["seconds"] >= 0
    for id_, dataset in campaign.datasets.items():
        told = store.zarr_attributes(finished.folder / f"results/datasets/{id_}.zarr.zip")
        assert told["parameters"] == dataset.json_text

"""A change reruns exactly what it makes stale: asked of Snakemake itself, on a finished campaign."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest
from tests.workflow.conftest import path_without_slurm

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import merge
from hrtem_ood.execution.job_records import records

GATHER = {"metrics": 1, "report": 1, "index": 1}


def test_nothing_to_do_at_the_end(finished):
    assert finished.would_run() == {}


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
    await_jobs(project, "datasets", running)
    kill_and_await_jobs(running)
    project.snakemake("--unlock")
    project.run()
    campaign = project.campaign()
    assert (project.folder / f"results/reports/{campaign.report_id}/report.html").exists()
    assert project.would_run() == {}
    assert store.read_zarr(project.folder / f"results/metrics/{campaign.metrics_id}.zarr.zip").sizes["network"] == 6


@pytest.mark.parametrize("network_jobs", ["grouped", "individual"])
def test_jobs_end_with_a_snakemake_that_is_killed(finished, tmp_path, network_jobs):
    project = finished.copy(tmp_path / "copy")
    change = {"networks": {"unet": {"epochs": 100_000}}, "execution": {"network_jobs": network_jobs}}
    project.configure(merge(project.tiny, change))
    command = [*project.command(), "--until", "train"]
    environment = os.environ | {"PATH": path_without_slurm(tmp_path / "bin"), "OMP_NUM_THREADS": "1"}
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=project.folder, stdout=log, stderr=log, env=environment)
    jobs = await_jobs(project, "packs", running)
    if network_jobs == "individual":
        await_tasks(jobs)
        assert sum("network-task" in each.cmdline() for each in descendants(running)) <= 2, (
            "as many as there are --cores"
        )
    kill_and_await_jobs(running)
    assert {each.state for each in records(project.folder / "results")} == {"stopped"}


def await_jobs(project, stage, snakemake):
    """Wait for jobs of a stage that run, and return their records."""
    while snakemake.poll() is None:
        if jobs := [each for each in records(project.folder / "results") if each.kind == stage]:
            return jobs
        time.sleep(0.05)
    return pytest.fail("it ended before it could be killed")


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def await_tasks(jobs):
    """Wait until processes of jobs train one network each."""
    for _ in range(600):
        found = [child for each in jobs for child in descendants(each)]
        if any("network-task" in child.cmdline() and child.cpu_times().user > 5 for child in found):
            return
        time.sleep(0.1)
    pytest.fail("no task started")


def kill_and_await_jobs(snakemake):
    """Kill Snakemake, and wait until all that it has started has ended, also jobs that have no record yet."""
    snakemake.send_signal(signal.SIGSTOP)  # it starts nothing more while its jobs are counted,
    time.sleep(1)  # and those that it has just started see whose they are
    jobs = descendants(snakemake)
    snakemake.kill()
    snakemake.wait()
    _, alive = psutil.wait_procs(jobs, 60)
    assert not alive, "jobs live on, and the next Snakemake would start them again"


def test_exit_waves_that_were_removed_come_back_for_a_new_condition_only(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    networks = project.artifacts("networks")
    for path in (project.folder / "results/exit_waves").iterdir():
        path.unlink()
    change = {"conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 1000}}}
    change["test_suites"] = {"test": {"conditions": ["over", "under", "far"]}}
    campaign = project.campaign()
    # those of the new condition's images, and those that stand for the recipe where predictors are computed
    shards = {shard.id for _, shard in campaign.shards("test")}
    shards |= {shard.id for group, _ in campaign.exit_waves_for_recipe.values() for shard in group}
    assert project.after(change) == {
        "simulate": len(shards),
        "image": 1,
        "suite": 1,
        "evaluate": 3,
        "transfer": 1,
        "predictors": 1,
        **GATHER,
    }
    project.run("--configfile", "change.yaml")
    assert project.artifacts("networks") == networks
    for evaluation in project.campaign(change).evaluations:
        log = (project.folder / f"results/logs/evaluations/{evaluation}.log").read_text()
        # two networks on two datasets; only the third dataset is new
        assert "4 cells are copied from" in log, log


def test_results_do_not_depend_on_shards_packs_order_or_workers(finished, tmp_path_factory):
    other = type(finished)(tmp_path_factory.mktemp("other"))
    execution = {
        "structures_per_shard": 2, "networks_per_job": 1, "networks_per_evaluation": 1, "device": "cpu",
    }  # fmt: skip
    other.configure(dict(reversed(other.tiny.items())) | {"execution": execution})
    other.run("--cores", "1")
    results, others = finished.folder / "results", other.folder / "results"
    datasets = finished.artifacts("datasets")
    assert set(datasets) == set(other.artifacts("datasets"))
    for name in datasets:
        assert store.read_zarr(results / "datasets" / name).equals(store.read_zarr(others / "datasets" / name))
    networks = finished.artifacts("networks")
    assert set(networks) == set(other.artifacts("networks"))
    for name in networks:
        one, two = (store.read_checkpoint(folder / "networks" / name)["state_dict"] for folder in (results, others))
        assert all(one[key].equal(two[key]) for key in one)
    campaign = finished.campaign()
    one, two = (store.read_zarr(folder / f"metrics/{campaign.metrics_id}.zarr.zip") for folder in (results, others))
    assert one.equals(two)


def test_artifacts_tell_how_they_were_made(finished):
    campaign = finished.campaign()
    for stage in ("exit_waves", "datasets", "evaluations"):
        for name in finished.artifacts(stage):
            told = store.zarr_attributes(finished.folder / "results" / stage / name)
            assert told["id"] + ".zarr.zip" == name
            assert json.loads(told["software"])["numpy"]
            assert told["device"] == "cpu"
            assert told["seconds"] >= 0
    for id_, dataset in campaign.datasets.items():
        told = store.zarr_attributes(finished.folder / f"results/datasets/{id_}.zarr.zip")
        assert told["parameters"] == dataset.json_text

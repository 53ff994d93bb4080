"""Networks as tasks of their own, on a machine without SLURM: the same ids, the same weights and scores."""

from pathlib import Path

import pytest
import xarray as xr
from tests.workflow.conftest import Project, path_without_slurm

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import merge
from hrtem_ood.learning.checkpoint import read_network


def tasks(project: Project, id_: str) -> int:
    """Count the tasks that a job was divided into."""
    return len(list(project.folder.glob(f"results/logs/tasks/{id_}/*_0_log.out")))


def test_processes_of_this_machine(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_without_slurm(tmp_path / "bin"))
    project = finished.copy(tmp_path / "project")
    for folder in ("networks", "packs", "evaluations"):
        for path in (project.folder / "results" / folder).iterdir():
            path.unlink()
    launched = merge(project.tiny, {"execution": {"network_jobs": "individual"}})

    # a network that is alone in its evaluation: its task makes it
    project.configure(merge(launched, {"execution": {"networks_per_evaluation": 1}}))
    (alone, *_) = project.campaign().evaluations.values()
    project.run(f"results/evaluations/{alone.spec.id}.zarr.zip")
    (pack,) = alone.packs
    for network in pack.networks:
        found, expected = (
            read_network(one.folder / f"results/networks/{network.id}.ckpt")["sha256_of_weights"]
            for one in (project, finished)
        )
        assert found == expected
    assert tasks(project, pack.id) == 2
    assert tasks(project, alone.spec.id) == 1

    # with another, its scores are copied, and the other's task is all that is left to do
    project.configure(launched)
    both = next(job for job in project.campaign().evaluations.values() if alone.networks[0] in job.networks)
    project.run(f"results/evaluations/{both.spec.id}.zarr.zip")
    assert tasks(project, both.spec.id) == 1
    scores, expected_scores = (
        store.read_zarr(one.folder / f"results/evaluations/{both.spec.id}.zarr.zip") for one in (project, finished)
    )
    xr.testing.assert_equal(scores, expected_scores)
    assert (scores.attrs["computed_share"], scores.attrs["seconds"] > 0) == (0.5, True), "that of its task"
    left = {path.name.removesuffix(".zarr.zip") for path in (project.folder / "results/evaluations").iterdir()}
    assert left == {alone.spec.id, both.spec.id}, "what the task made is gathered and gone"
    assert not list((project.folder / "results").rglob("*.pkl")), "what tasks tell is data"

"""Networks of a pack as tasks of their own, on a machine without SLURM: the same ids, the same weights."""

import shutil
from pathlib import Path

import pytest
from tests.workflow.conftest import Project

from hrtem_ood.campaign.load import merge
from hrtem_ood.networks.checkpoint import read_network


def test_processes_of_this_machine(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # commands of SLURM may be installed, and even a cluster run for other tests: they are not found
    (tmp_path / "bin").mkdir()
    for program in ("bash", "which"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    project = finished.copy(tmp_path / "project")
    for folder in ("networks", "packs"):
        for path in (project.folder / "results" / folder).iterdir():
            path.unlink()
    project.configure(merge(project.tiny, {"execution": {"launcher": "submitit"}}))
    (pack, *_) = project.campaign().packs.values()
    project.run(f"results/packs/{pack.id}.json")
    for network in pack.networks:
        found, expected = (
            read_network(one.folder / f"results/networks/{network.id}.ckpt")["sha256_of_weights"]
            for one in (project, finished)
        )
        assert found == expected
    assert len(list(project.folder.glob(f"results/logs/tasks/{pack.id}/*_submitted.pkl"))) == 2

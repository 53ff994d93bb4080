"""Damage is named or without effect; `python -m tests.robustness.damage` tries a thousand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.robustness.damage import RIGHT, files, try_damages
from tests.workflow.conftest import Project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    return finished.copy(tmp_path / "damaged")


def test_damage_is_named_or_without_effect(project: Project) -> None:
    counts = try_damages(project, 130, seed=1)
    assert counts.wrong == []
    assert sum(map(counts.total, RIGHT)) == 130
    assert counts.total("detected") > 110, "nearly all of these damages have an effect"


def test_summary_names_damaged_metrics(project: Project) -> None:
    (path,) = files(project.folder / "results")["metrics"]
    path.write_bytes(path.read_bytes()[:-1])
    done = run(project, "summary")
    assert done.returncode == 1
    assert done.stderr.startswith(f"hrtem-ood: results/metrics/{path.name} is damaged")
    assert done.stderr.count("\n") == 1


def check(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return run(project, "check", *words)


def run(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hrtem_ood", *words]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)


def test_check_finds_what_is_damaged_and_changes_nothing(project: Project) -> None:
    results = project.folder / "results"
    artifacts = [path for stage, paths in files(results).items() if stage != "jobs" for path in paths]
    done = check(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(artifacts)} files of results were checked" in done.stdout
    damaged = [
        files(results)[stage][0] for stage in ("structures", "exit_waves", "datasets", "networks", "packs", "indexes")
    ]
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    before = {path: path.read_bytes() for path in artifacts}
    for words in ([], ["results"], ["config/config.yaml"]):
        done = check(project, *words)
        assert done.returncode == 1
        assert f"{len(damaged)} damaged" in done.stdout
        assert all(path.name[:20] in done.stdout for path in damaged)
        assert "Delete the damaged files and run snakemake again" in done.stdout
    assert {path: path.read_bytes() for path in artifacts} == before


def test_a_dataset_written_anew_with_its_old_digest_is_refused(project: Project) -> None:
    from hrtem_ood.artifacts import store
    from hrtem_ood.errors import ArtifactError
    from hrtem_ood.learning.batches import read_images

    path = files(project.folder / "results")["datasets"][0]
    dataset = store.read_zarr(path)
    dataset["counts"] = dataset.counts + 1
    store.write_zarr(path, dataset.drop_encoding(), dataset.attrs)  # even as this program does
    with pytest.raises(ArtifactError, match=f"{path.name} is damaged .*its images do not have the digest"):
        read_images(path)
    assert check(project).returncode == 1


def test_an_exchanged_network_is_named(project: Project) -> None:
    from hrtem_ood.artifacts import store
    from hrtem_ood.learning.checkpoint import read_network, weights_sha256

    path = files(project.folder / "results")["networks"][0]
    content = read_network(path)
    weights = {name: each * 1.5 if each.is_floating_point() else each for name, each in content["state_dict"].items()}
    store.write_checkpoint(path, content | {"state_dict": weights, "sha256_of_weights": weights_sha256(weights)})
    done = check(project, "--json")
    assert done.returncode == 1
    damaged = json.loads(done.stdout)["damaged"]
    assert list(damaged) == [f"results/networks/{path.name}"]
    assert "holds other weights than results/packs/" in damaged[f"results/networks/{path.name}"]

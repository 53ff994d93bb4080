"""Recipes, architectures of one's own, mixtures by number and dropped weights, by Snakemake and end to end."""

import os
import signal
import subprocess
import time

import pytest
import yaml

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import merge
from hrtem_ood.learning.checkpoint import read_network

OWN = """
from torch import nn


class Tiny(nn.Sequential):
    def __init__(self, channels):
        super().__init__(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 2, 3, padding=1))
"""

EPOCHS = 120
"""Of a training that is interrupted: some seconds, in which Ctrl-C comes long before the end."""

CHANGE = {
    "imaging": {"store_noise_free": True},
    "training_sets": {"mixed": {"n_images": {"over": 3, "under": 1}}},
    "networks": {
        "own": {
            "training_sets": ["mixed"],
            "architecture": {"name": "Tiny", "file": "tiny.py", "parameters": {"channels": 4}},
            "steps": 3,
            "loss": "cross_entropy_dice",
            "optimizer": "adam",
            "lr_schedule": "exponential",
            "gradient_clip": 1.0,
            "resample_noise": True,
            "stored_dtype": "bfloat16",
        },
        "residual": {
            "training_sets": ["mixed"],
            "architecture": {"name": "resnet_unet", "base_channels": 4, "depth": 3},
            "epochs": 2,
            "batch_size": 4,
            "numeric_precision": "bf16-mixed",
        },
    },
}


@pytest.fixture(scope="module")
def varied(finished, tmp_path_factory):
    """Return the tiny campaign with all that, run."""
    project = finished.copy(tmp_path_factory.mktemp("varied") / "project")
    (project.folder / "tiny.py").write_text(OWN)
    project.configure(merge(project.tiny, CHANGE))
    assert project.run()["train"] == 3, "datasets with noise-free images are others"
    return project


def test_every_kind_is_trained_and_scored(varied):
    campaign = varied.campaign()
    metrics = store.read_zarr(varied.folder / f"results/metrics/{campaign.metrics_id}.zarr.zip")
    assert metrics.sizes["network"] == 8
    assert not metrics.diverged.values.any()
    assert metrics.mean_f1.notnull().all()
    labels = set(map(str, metrics.architecture.values))
    assert labels == {"unet(base_channels=4, depth=2)", "resnet_unet(base_channels=4, depth=3)", "Tiny(channels=4)"}
    (mixed,) = campaign.training_sets["mixed"]
    assert sorted(mixed.n_images) == [1, 3]
    assert varied.would_run() == {}


def test_the_file_is_told_by_its_content(varied, tmp_path):
    project = varied.copy(tmp_path / "project")
    (project.folder / "tiny.py").rename(project.folder / "renamed.py")
    moved = {"networks": {"own": {"architecture": {"file": "renamed.py"}}}}
    assert project.after(moved) == {}
    (project.folder / "renamed.py").write_text(OWN + "\n# a remark\n")
    assert project.after(moved)["train"] == 1


def test_weights_are_dropped_when_all_is_scored(varied, tmp_path):
    project = varied.copy(tmp_path / "project")
    change = {"execution": {"keep_weights": False}, "networks": {"unet": {"seed": [0, 1, 2]}}}
    before = {path.name: path.stat().st_size for path in (project.folder / "results/networks").glob("*.ckpt")}
    path = project.folder / "change.yaml"
    path.write_text(yaml.safe_dump(change))
    ran = project.run("--configfile", str(path))
    assert (ran["train"], ran["evaluate"]) == (4, 3), "the mixture's five networks are two packs and one evaluation"
    campaign = project.campaign(change)
    for network in campaign.networks.values():
        file = project.folder / "results/networks" / f"{network.id}.ckpt"
        content = read_network(file)
        assert content["weights_dropped"]
        assert content["curves"]["train_loss"]
        assert file.stat().st_size < before.get(file.name, 1e9)
    assert project.would_run("--configfile", str(path)) == {}
    # what comes later and needs weights is told what to do
    path.write_text(
        yaml.safe_dump(merge(change, {"test_suites": {"again": {"structure_set": "test", "conditions": "over"}}}))
    )
    later = project.snakemake("--until", "evaluate", "--configfile", str(path))
    assert later.returncode == 0, "scores of the same images are known"
    far = {
        "conditions": {"far": {"defocus_A": 300, "dose_e_per_A2": 1000}},
        "test_suites": {"far": {"structure_set": "test", "conditions": "far"}},
    }
    path.write_text(yaml.safe_dump(merge(change, far)))
    later = project.snakemake("--until", "evaluate", "--configfile", str(path))
    assert later.returncode != 0
    assert "keeps no weights, as execution.keep_weights was false" in later.stdout + later.stderr


def test_a_training_that_is_interrupted_goes_on(finished, tmp_path):
    change = {"networks": {"unet": {"training_sets": ["single"], "epochs": EPOCHS, "seed": [0]}}}
    change["training_sets"] = {"single": {"conditions": ["over"]}}
    project = finished.copy(tmp_path / "project")
    path = project.folder / "change.yaml"
    path.write_text(yaml.safe_dump(merge(change, {"execution": {"checkpoint_interval_s": 0}})))
    trained = ("--until", "train", "--configfile", str(path))
    command = [*project.command(), *trained]
    networks = project.folder / "results/networks"
    (network,) = project.campaign(change).networks
    with subprocess.Popen(
        command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while not (networks / f"{network}.resume").exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        process.wait(60)
    assert not (networks / f"{network}.ckpt").exists()
    reached = store.read_checkpoint(networks / f"{network}.resume", expect_id=network)["epoch"]
    assert 0 < reached < EPOCHS
    project.run(*trained)
    log = next((project.folder / "results/logs/packs").glob("1networks*.log")).read_text()
    assert f"{network}: training resumes after epoch" in log
    whole = finished.copy(tmp_path / "whole")
    path = whole.folder / "change.yaml"
    path.write_text(yaml.safe_dump(change))
    whole.run("--until", "train", "--configfile", str(path))
    found, expected = (
        read_network(one.folder / "results/networks" / f"{network}.ckpt")["sha256_of_weights"]
        for one in (project, whole)
    )
    assert found == expected
    assert not list(networks.glob("*.resume"))

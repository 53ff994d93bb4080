"""The check of a results folder: no file keeps the others from being checked."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.execution import check as checks
from hrtem_ood.execution.check import check
from hrtem_ood.learning.checkpoint import TrainingDomain, TrainingOutcome, write_network
from hrtem_ood.transfer.forecast.choose_file import SHIPPED


@pytest.mark.parametrize(
    ("error", "message"),
    [(MemoryError(), "takes more memory"), (OverflowError("too long"), "OverflowError: too long"), (EOFError(), "EOF")],
)
def test_an_error_of_one_file_is_named(tmp_path, monkeypatch, error, message):
    paths = [tmp_path / f"suites/{name}.json" for name in "ab"]
    for path in paths:
        store.write_json(path, {"id": path.stem, "datasets": {}})

    def read(path):
        if path == paths[0]:
            raise error
        return store.read_json(path)

    monkeypatch.setitem(checks._CHECKS, ".json", read)
    checked = check(tmp_path)
    assert checked.files == {"suites": 2}
    assert list(checked.damaged) == [str(paths[0])]
    assert checked.damaged[str(paths[0])].startswith(str(paths[0]))
    assert message in checked.damaged[str(paths[0])]


def test_forecasters_are_checked_too(tmp_path):
    shipped = next(SHIPPED.glob("*.json"))
    (tmp_path / "forecasters").mkdir()
    path = tmp_path / "forecasters" / shipped.name
    path.write_bytes(shipped.read_bytes())
    assert (check(tmp_path).files, check(tmp_path).damaged) == ({"forecasters": 1}, {})
    for content in (shipped.read_text().replace("0.7089", "0.9899"), shipped.read_text()[:500]):
        path.write_text(content)
        (message,) = check(tmp_path).damaged.values()
        assert message.startswith(f"{path}")
        assert "damaged" in message
        # no job of the workflow has it as its output
        assert message.endswith("delete the campaign's report there, too, and run snakemake.")
        assert "to create it anew" not in message


SPEC = NetworkSpec(training_set="t", hyperparameters={"epochs": 1})
NETWORK = SPEC.id


def write_weights(results, value, *, diverged=False):
    """Write the network with one weight, and return its entry in a pack."""
    outcome = TrainingOutcome({"weight": torch.full((3,), value)}, 0, 0.25, diverged=diverged)
    path = results / f"networks/{NETWORK}.ckpt"
    return write_network(path, SPEC, outcome, TrainingDomain((), 3e5, 0.4, 32), seconds=0, device="cpu")


def write_images(results, value):
    """Write a dataset, and return its entry in a suite."""
    counts = np.full((2, 4, 4), value, np.uint8)
    dims, digest = ("image", "y", "x"), store.arrays_sha256(counts, counts)
    dataset = xr.Dataset({"counts": (dims, counts), "label": (dims, counts)})
    store.write_zarr(results / "datasets/d.zarr.zip", dataset, {"id": "d", "sha256_of_images": digest})
    return {"images": 2, "sha256": digest}


@pytest.fixture
def results(tmp_path):
    """Return a folder with a network, a dataset, a pack, a suite and an evaluation of them."""
    network, dataset = write_weights(tmp_path, 1.0), write_images(tmp_path, 1)
    store.write_json(tmp_path / "packs/p.json", {"id": "p", "networks": {NETWORK: network}})
    store.write_json(tmp_path / "suites/s.json", {"id": "s", "datasets": {"d": dataset}})
    networks, datasets = {NETWORK: network["sha256_of_weights"]}, {"d": dataset["sha256"]}
    told = {"id": "e", "networks": json.dumps(networks), "datasets": json.dumps(datasets)}
    store.write_zarr(tmp_path / "evaluations/e.zarr.zip", xr.Dataset(), told)
    assert check(tmp_path).damaged == {}
    return tmp_path


@pytest.mark.parametrize("diverged", [False, True])
def test_an_exchanged_network_is_named(results, diverged):
    write_weights(results, 1.5, diverged=diverged)
    (path,), (message,) = zip(*check(results).damaged.items(), strict=True)
    assert path == str(results / f"networks/{NETWORK}.ckpt")
    assert message.startswith(f"{path} holds other weights than ")
    assert f"{results}/packs/p.json and {results}/evaluations/e.zarr.zip record of it" in message


def test_an_exchanged_dataset_is_named(results):
    write_images(results, 2)
    (path,), (message,) = zip(*check(results).damaged.items(), strict=True)
    assert path == str(results / "datasets/d.zarr.zip")
    assert message.startswith(f"{path} holds other images than ")
    assert f"{results}/suites/s.json" in message


@pytest.mark.parametrize("elsewhere", [True, False])
def test_images_of_another_device_are_not_exchanged_ones(results, elsewhere):
    path = results / "suites/s.json"
    content = store.read_json(path)
    content["datasets"]["d"]["made_on"] = "NVIDIA H100; cupy-cuda13x 14.2.0" if elsewhere else "unknown"
    store.write_json(path, content)
    write_images(results, 2)
    assert (check(results).damaged == {}) is elsewhere


def test_an_evaluation_of_earlier_weights_is_named(results):
    network = write_weights(results, 1.5)
    store.write_json(results / "packs/p.json", {"id": "p", "networks": {NETWORK: network}})
    (path,), (message,) = zip(*check(results).damaged.items(), strict=True)
    assert path == str(results / "evaluations/e.zarr.zip")
    assert f"holds scores of other weights than {results}/networks/{NETWORK}.ckpt has" in message


def test_without_the_files_nothing_is_compared(results):
    for path in (results / f"networks/{NETWORK}.ckpt", results / "datasets/d.zarr.zip"):
        path.unlink()
    assert check(results).damaged == {}


@pytest.mark.parametrize("networks", [{NETWORK: None}, [NETWORK], 3])
def test_a_pack_of_odd_entries_is_named(results, networks):
    store.write_json(results / "packs/p.json", {"id": "p", "networks": networks})
    assert list(check(results).damaged) == [str(results / "packs/p.json")]

"""The verb `select`: its words, what it writes and says, and how it ends."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from tests.unit.learning.inference.conftest import random_network

from hrtem_ood.cli import main
from hrtem_ood.learning.inference.selection.evidence import EVIDENCE

COUNTS = np.random.default_rng(0).poisson(40, (64, 64)).astype(np.uint16)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return a results folder with five small networks."""
    folder = tmp_path_factory.mktemp("results")
    for channels in range(2, 7):
        random_network(folder, base_channels=channels)
    return folder


@pytest.fixture
def run(tmp_path, results, monkeypatch):
    """Return a function that calls the verb in a folder with two micrographs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "day1").mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(f"day1/{name}.tif", COUNTS)

    def run(*words, code=0, options=("--pixel-size-A", "0.4", "--device", "cpu")):
        done = CliRunner().invoke(main, ["select", *words, "--results", str(results), *options])
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_the_ranking_is_written_and_shown(run, tmp_path, results):
    said = run("day1")
    written = {"select.csv", "images.csv", "select.json", "select.png"}
    assert {path.name for path in (tmp_path / "selection").iterdir()} == written
    networks = pd.read_csv("selection/select.csv", index_col="network")
    images = pd.read_csv("selection/images.csv")
    assert set(networks.index) == {path.stem for path in (results / "networks").glob("*.ckpt")}
    assert networks.f1.is_monotonic_decreasing
    assert ((networks.low <= networks.f1) & (networks.f1 <= networks.high)).all()
    assert networks.trained_on.str.startswith("Δf −100 Å").all()
    assert len(images) == 10
    assert set(EVIDENCE) <= set(images.columns)
    assert set(images.micrograph_file) == {"day1/a.tif", "day1/b.tif"}
    assert (tmp_path / "selection/select.png").read_bytes()[:4] == b"\x89PNG"
    assert "F1 of 5 networks, estimated from 2 images without labels" in said
    assert said.index(networks.index[0][-10:]) < said.index(networks.index[-1][-10:])
    assert "wrote selection/select.csv" in said


@pytest.mark.slow
def test_it_says_when_none_will_do_and_which_to_take_else(run):
    said = run("day1", "--least-f1", "1")
    assert "None of these: the best estimate is" in said
    assert not json.loads(Path("selection/select.json").read_text())["will_do"]
    said = run("day1", "--least-f1", "0", "--overwrite")
    will_do = json.loads(Path("selection/select.json").read_text())["will_do"]
    assert ("Take unet" in " ".join(said.split()), "cannot be told" in said) == (will_do is True, will_do is None)


def test_json_is_one_object(run):
    found = json.loads(run("day1", "--json").splitlines()[-1])
    best = found["networks"][0]
    assert found["best"] == best["network"]
    assert best["low"] <= best["f1"] <= best["high"]
    assert best["images"] == 2
    assert found["problems"] == []


@pytest.mark.slow
def test_networks_may_be_named(run, results):
    names = sorted(path.name for path in (results / "networks").glob("*.ckpt"))
    one = results / "networks" / names[0]
    run("day1", "--networks", str(results / "networks"), "--output", "all")
    assert len(pd.read_csv("all/select.csv")) == len(names)
    said = run("day1", "--networks", str(one), "--networks", str(results / "networks" / "none.ckpt"), code=1)
    assert list(pd.read_csv("selection/select.csv").network) == [one.stem]
    assert "none.ckpt is missing" in said
    assert "agreement tells little of 1 network(s)" in said


def test_one_bad_file_does_not_end_the_rest(run, tmp_path):
    (tmp_path / "day1/c.tif").write_bytes(b"II*\0")
    said = run("day1", code=1)
    assert "hrtem-ood: 1 problem, the rest was used:" in said
    assert "day1/c.tif" in said
    assert set(pd.read_csv("selection/images.csv").micrograph) == {"a", "b"}


@pytest.mark.slow
def test_nothing_is_written_over_unasked_and_inputs_never(run, tmp_path):
    run("day1/a.tif")
    (tmp_path / "selection/select.csv").write_text("mine")
    assert "--output: selection/select.csv exists" in run("day1/a.tif", code=2)
    assert (tmp_path / "selection/select.csv").read_text() == "mine"
    run("day1/a.tif", "--overwrite")
    assert len(pd.read_csv("selection/select.csv")) == 5


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "Missing argument 'IMAGE...'"),
        (("day2",), 1, "day2"),
        (("day1", "--networks", "none/*.ckpt"), 2, "--networks: no file matches 'none/*.ckpt'"),
        (("day1", "--calibration", "none.csv"), 1, "none.csv cannot be read"),
        (("day1", "--calibration", "day1/a.tif"), 1, "day1/a.tif is no"),
        (("day1", "--calibration", "a.csv", "--campaign", "b.yaml"), 2, "Give one of them"),
        (("day1", "--campaign", "b.yaml"), 2, "b.yaml"),
        (("day1", "--least-f1", "2"), 2, "--least-f1"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(run, tmp_path, words, code, message):
    said = run(*words, code=code)
    assert message in " ".join(said.split())
    assert "Traceback" not in said
    assert not (tmp_path / "selection").exists()

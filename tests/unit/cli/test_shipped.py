"""The verbs that use a trained network take the one of the package where none is named, and say so."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from tests.unit.learning.inference.conftest import random_network

from hrtem_ood.cli import main
from hrtem_ood.learning.inference import shipped_network

ABOUT = {
    "scores": [
        {"suite": "inside", "structure_set": "all", "images": 480, "median": 0.914, "low": 0.71},
        {"suite": "inside", "structure_set": "Au", "images": 96, "median": 0.5, "low": 0.3},
    ]
}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a network into the place of the package's, and a labelled micrograph into the working directory."""
    monkeypatch.chdir(tmp_path)
    source = random_network(tmp_path)
    network = shipped_network.ship(source, ABOUT | {"id": source.stem}, tmp_path / "shipped")
    monkeypatch.setattr(shipped_network, "shipped_network", lambda: network)
    image = np.random.default_rng(0).poisson(50, (64, 64)).astype(np.uint16)
    tifffile.imwrite("a.tif", image)
    label = np.zeros((64, 64), np.uint8)
    label[10:30, 10:30] = 1
    tifffile.imwrite("a_label.tif", label)
    return network


def run(*words: str, code: int = 0) -> str:
    done: Result = CliRunner().invoke(main, [*words, "--pixel-size-A", "0.4"])
    assert done.exit_code == code, done.output
    return done.output


def test_predict_takes_the_network_of_the_package(shipped: Path, tmp_path: Path) -> None:
    said = run("predict", "a.tif", "--no-estimates")
    assert f"network {shipped.stem} comes with hrtem-ood" in said
    assert "F1 on 480 simulated images, by test suite: median 0.91, one in ten below 0.71" in said
    assert "0.50" not in said.split("a.tif", maxsplit=1)[0], "only whole suites are listed"
    assert (tmp_path / "predictions/a_mask.tif").exists()


def test_a_named_network_is_used_and_not_said_to_be_shipped(shipped: Path) -> None:
    said = run("predict", f"networks/{shipped.name}", "a.tif", "--no-estimates")
    assert f"network {shipped.stem}" in said
    assert "comes with hrtem-ood" not in said


def test_score_takes_the_network_of_the_package(shipped: Path) -> None:
    said = run("score", "--micrographs", "a.tif", "--labels", "a_label.tif")
    assert f"network {shipped.stem} comes with hrtem-ood" in said
    assert Path("scores/scores.csv").exists()


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["one.ckpt"], "IMAGE: there is none"),
        (["a.tif", "one.ckpt"], "'one.ckpt' is a network. Name one network, before"),
    ],
)
def test_images_follow_one_network(words: list[str], message: str) -> None:
    assert message in run("predict", *words, code=2)


def test_a_changed_description_is_told(shipped: Path) -> None:
    path = shipped.with_suffix(".json")
    path.write_text(path.read_text(encoding="utf-8").replace("0.914", "0.994"), encoding="utf-8")
    assert str(path) in run("predict", "a.tif", code=1)


def test_the_network_of_the_package_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("micrograph.tif", np.random.default_rng(1).poisson(80, (160, 160)).astype(np.uint16))
    printed = run("predict", "micrograph.tif")
    network = shipped_network.shipped_network()
    assert f"network {network.stem} comes with hrtem-ood" in " ".join(printed.split())
    assert network.stat().st_size <= shipped_network.MOST_BYTES
    assert (tmp_path / "predictions/micrograph_mask.tif").exists()

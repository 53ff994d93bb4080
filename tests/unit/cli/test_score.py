"""The verb `score`: its words, what it writes and says, and how it ends."""

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from click.testing import CliRunner
from torch import nn

from hrtem_ood.cli import main
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference import score_micrographs
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork


class AboveMean(nn.Module):
    """Takes what is brighter, or with −1 what is darker, than the mean of the image for particles."""

    def __init__(self, sign):
        super().__init__()
        self.sign = sign

    def forward(self, image):
        return torch.cat([torch.zeros_like(image), self.sign * image], dim=1)


def load(path, architecture_file=None):  # noqa: ARG001  # of built-in architectures
    if path.stem not in ("bright", "dark"):
        raise ArtifactError(f"{path} is missing. Give the path of a network: results/networks/ID.ckpt.")
    domain = TrainingDomain((), energy_eV=300e3, pixel_size_A=0.4, side_px=64)
    return TrainedNetwork(path.stem, AboveMean(1.0 if path.stem == "bright" else -1.0), domain, 0.1)


BRIGHT = np.zeros((6, 8), np.uint8)
BRIGHT[:, :3] = 10


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that calls the verb in a folder with two micrographs and their labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(score_micrographs, "load", load)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(f"images/{name}.tif", BRIGHT)
    tifffile.imwrite("labels/a.tif", np.uint8(BRIGHT > 0))
    label = np.uint8(BRIGHT > 0)
    label[:2] = 0  # bright: TP = 12, FP = 6, FN = 0
    tifffile.imwrite("labels/b_label.tif", label)

    def run(*words, code=0, options=("--no-repair", "--pixel-size-A", "0.4")):
        done = CliRunner().invoke(main, ["score", *words, *options])
        assert done.exit_code == code, done.output
        return done.output

    return run


IMAGES, LABELS = ("--micrographs", "images/*.tif"), ("--labels", "labels/*.tif")


def test_scores_are_written_and_shown(run, tmp_path):
    said = run("dark.ckpt", "bright.ckpt", *IMAGES, *LABELS)
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {"scores.csv", "networks.csv", "scores.png"}
    table = pd.read_csv("scores/scores.csv").set_index(["network", "micrograph"])
    assert table.f1["bright", "a"] == 1
    assert table.f1["bright", "b"] == pytest.approx(2 * 12 / (2 * 12 + 6), rel=1e-5)
    assert table.f1["dark", "a"] == 0
    assert table.micrograph_file["dark", "b"] == "images/b.tif"
    assert table.label_file["dark", "b"] == "labels/b_label.tif"
    assert table.network_file["dark", "b"] == "dark.ckpt"
    assert (table.pixel_size_A == 0.4).all()
    summary = pd.read_csv("scores/networks.csv").set_index("network")
    assert list(summary.index) == ["bright", "dark"]
    assert summary["median"]["bright"] == pytest.approx(0.9, rel=1e-5)
    assert (tmp_path / "scores/scores.png").read_bytes()[:4] == b"\x89PNG"
    assert "F1 of 2 networks on 2 micrographs" in said
    assert said.index("│ bright") < said.index("│ dark")
    assert "0.900" in said
    assert "wrote scores/scores.csv, scores/networks.csv, scores/scores.png" in said


def test_what_was_done_to_the_particles_is_told_and_kept(run):
    said = run("bright.ckpt", *IMAGES, *LABELS, "--min-diameter-A", "12", "--fill-holes", "--split-touching")
    assert "particles of less than 12 Å were dropped from the masks before they were scored" in said
    assert "holes of the masks were filled before they were scored" in said
    table = pd.read_csv("scores/scores.csv")
    assert (table.min_diameter_A == 12).all()
    assert table.fill_holes.all()
    assert table.split_touching.all()
    assert (table.f1 == 0).all()  # the bright stripe is 1.9 Å wide, as a circle


def test_a_single_network_is_told_image_by_image(run):
    said = run("bright.ckpt", *IMAGES, *LABELS)
    (row,) = [line for line in said.splitlines() if line.startswith("│ b ")]
    assert row.split("│")[2:8] == [" 0.4 Å ", " 0.800 ", " 0.667 ", "     0.667 ", "  1.000 ", "   37.5% "]


@pytest.mark.parametrize(
    "words",
    [
        [
            "bright.ckpt",
            "--micrographs",
            "images/a.tif",
            "images/b.tif",
            "--labels",
            "labels/a.tif",
            "labels/b_label.tif",
        ],
        [
            "--labels",
            "labels/a.tif",
            "labels/b_label.tif",
            "--micrographs",
            "images/a.tif",
            "images/b.tif",
            "bright.ckpt",
        ],
        ["--micrographs=images/a.tif", "images/b.tif", "--labels=labels/*.tif", "--device", "cpu", "bright.ckpt"],
        ["--micrographs", "images/a.tif", "--micrographs", "images/b.tif", *LABELS, "--", "bright.ckpt"],
    ],
)
def test_shells_may_expand_the_patterns(run, words):
    end = words.index("--") if "--" in words else len(words)
    run(*words[:end], "--no-repair", "--pixel-size-A", "0.4", *words[end:], options=())
    assert len(pd.read_csv("scores/scores.csv")) == 2


def test_nothing_is_written_over_unasked(run, tmp_path):
    run("bright.ckpt", *IMAGES, *LABELS)
    (tmp_path / "scores/scores.csv").write_text("mine")
    assert "--output: scores/scores.csv exists" in run("bright.ckpt", *IMAGES, *LABELS, code=2)
    assert (tmp_path / "scores/scores.csv").read_text() == "mine"
    run("bright.ckpt", *IMAGES, *LABELS, "--overwrite")
    assert len(pd.read_csv("scores/scores.csv")) == 2
    run("bright.ckpt", *IMAGES, *LABELS, "--output", "other")
    assert (tmp_path / "other/scores.csv").exists()


def test_inputs_are_never_written_over(run, tmp_path):
    (tmp_path / "labels/a.tif").rename(tmp_path / "labels/scores.png")
    said = run(
        "bright.ckpt", "--micrographs", "images/a.tif", "--labels", "labels/scores.png", "--output", "labels",
        "--overwrite", code=2,
    )  # fmt: skip
    assert "--output: labels/scores.png is an input" in said


def test_one_bad_file_does_not_end_the_rest(run):
    tifffile.imwrite("labels/a.tif", np.arange(48, dtype=np.uint8).reshape(6, 8))
    said = run("bright.ckpt", "none.ckpt", *IMAGES, *LABELS, code=1)
    assert list(pd.read_csv("scores/scores.csv").micrograph) == ["b"]
    assert "hrtem-ood: 2 problems, the rest was scored:" in said
    assert "none.ckpt is missing" in said
    assert "labels/a.tif has 48 values from 0 to 47 in 47 connected regions: grey levels" in said


def test_with_nothing_to_score_nothing_is_written(run, tmp_path):
    for name in ("a", "b_label"):
        tifffile.imwrite(f"labels/{name}.tif", np.zeros((3, 3), np.uint8))
    said = run("bright.ckpt", *IMAGES, *LABELS, code=1)
    assert "hrtem-ood: 2 problems, nothing was scored:" in said
    assert "A label has the pixels of its micrograph." in said
    assert not (tmp_path / "scores").exists()


def test_notes_tell_of_empty_and_numbered_labels_and_of_large_pixels(run, tmp_path):
    tifffile.imwrite("labels/a.tif", np.zeros((6, 8), np.uint8))
    numbered = np.zeros((6, 8), np.uint8)
    numbered[:, :1], numbered[:, 1:3] = 1, 5
    tifffile.imwrite("labels/b_label.tif", numbered)
    said = " ".join(run("bright.ckpt", *IMAGES, *LABELS, options=("--no-repair", "--pixel-size-A", "0.8")).split())
    assert "note: the label holds no particle: a. F1 is undefined there and counts nowhere" in said
    assert "labels of 1 micrograph number their particles, 2 in all" in said
    assert "pixels are larger than in training: a, b." in said
    table = pd.read_csv("scores/scores.csv").set_index("micrograph")
    assert np.isnan(table.f1["a"])
    assert table.f1["b"] > 0.9
    tifffile.imwrite("labels/b_label.tif", np.zeros((6, 8), np.uint8))
    run("bright.ckpt", *IMAGES, *LABELS, "--overwrite")
    assert not (tmp_path / "scores/scores.png").exists()  # there is nothing to draw, and no other run's stays


def test_networks_of_fewer_micrographs_are_told(run, monkeypatch):
    def of_small_pixels(path, architecture_file=None):
        trained = load(path, architecture_file)
        if path.stem == "dark":
            domain = TrainingDomain((), energy_eV=300e3, pixel_size_A=2.2, side_px=64)
            return TrainedNetwork("dark", trained.network, domain, 0.1)
        return trained

    monkeypatch.setattr(score_micrographs, "load", of_small_pixels)
    tifffile.imwrite("images/a.tif", np.tile(BRIGHT, (3, 3)))
    tifffile.imwrite("labels/a.tif", np.tile(np.uint8(BRIGHT > 0), (3, 3)))
    said = " ".join(run("bright.ckpt", "dark.ckpt", *IMAGES, *LABELS, code=1).split())
    assert "scored on fewer micrographs than others, hence not comparable: dark." in said
    assert "network dark: images/b.tif: b has 6 × 8 px of 0.4 Å" in said


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("bright.ckpt", *IMAGES), 2, "Missing option '--labels'"),
        (("bright.ckpt", *LABELS), 2, "Missing option '--micrographs'"),
        (("bright.ckpt", "--micrographs", "*.dm3", *LABELS), 2, "--micrographs: no file matches '*.dm3'"),
        (("bright.ckpt", *IMAGES, "--labels", "labels"), 2, "--labels: 'labels' is a folder"),
        (("bright.ckpt", *IMAGES, "--labels", "labels/a.tif"), 2, "micrographs without a label: 'images/b.tif'"),
        (("none.ckpt", *IMAGES, *LABELS), 1, "none.ckpt is missing"),
        (("bright.ckpt", *IMAGES, *LABELS, "--device", "gpu"), 1, "a GPU is requested"),
        (("bright.ckpt", *IMAGES, *LABELS, "--architecture-file", "a.py"), 2, "Leave the option out"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(run, tmp_path, words, code, message):
    if "gpu" in words and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    said = run(*words, code=code)
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "scores").exists()

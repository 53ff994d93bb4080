"""Scores of labelled micrographs: values counted by hand, other pixels, stacks, and what cannot be scored."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from torch import nn

from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference import score_figure, segment_micrographs
from hrtem_ood.learning.inference import score_micrographs as module
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.particle_labels import ParticleOptions
from hrtem_ood.learning.inference.score_figure import draw_scores
from hrtem_ood.learning.inference.score_micrographs import (
    NetworkFile,
    load_networks,
    mask_scores,
    score_micrographs,
    summarise,
)
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork


class AboveMean(nn.Module):
    """Takes what is brighter than the mean of the image for particles; with a sign of −1, what is darker."""

    def __init__(self, sign=1.0):
        super().__init__()
        self.sign = sign

    def forward(self, image):
        return torch.cat([torch.zeros_like(image), self.sign * image], dim=1)


def network(name="stub", pixel_size_A=0.4, sign=1.0, path="networks/stub.ckpt"):
    domain = TrainingDomain((), energy_eV=300e3, pixel_size_A=pixel_size_A, side_px=64)
    return NetworkFile(path, TrainedNetwork(name, AboveMean(sign), domain, 0.1))


BRIGHT = np.zeros((4, 6), np.uint8)
BRIGHT[:, :3] = 10
LABEL = np.zeros((4, 6), np.uint8)
LABEL[:2, 2:] = 1
"""Of the 12 bright pixels 2 are particle, of which there are 8: TP = 2, FP = 10, FN = 6."""


@pytest.fixture
def score(write):
    """Return a function that scores images with labels, without repair."""

    def score(*images_and_labels, networks=None, pixel_size_A=0.4, **options):
        pairs = [
            LabelPair(write(f"m{n}.tif", image, pixel_size_A), write(f"l{n}.tif", label, None))
            for n, (image, label) in enumerate(images_and_labels)
        ]
        return score_micrographs(networks or [network()], pairs, **({"repair": False} | options))

    return score


def test_scores_are_those_counted_by_hand(score, tmp_path):
    found = score((BRIGHT, LABEL))
    assert not found.problems
    (row,) = found.table.to_dict("records")
    assert row["f1"] == pytest.approx(2 * 2 / (2 * 2 + 10 + 6))
    assert row["iou"] == pytest.approx(2 / 18)
    assert row["precision"] == pytest.approx(2 / 12)
    assert row["recall"] == pytest.approx(2 / 8)
    assert row["covered"] == pytest.approx(12 / 24)
    assert row["label_covered"] == pytest.approx(8 / 24)
    assert row["pixel_size_A"] == pytest.approx(0.4)
    assert row["network_pixel_size_A"] == 0.4
    assert (row["network"], row["micrograph"]) == ("stub", "m0")
    assert (row["micrograph_file"], row["label_file"]) == (str(tmp_path / "m0.tif"), str(tmp_path / "l0.tif"))


def test_particles_are_not_measured_for_scores(score, monkeypatch):
    def measure(*_arguments, **_options):
        raise AssertionError("a score needs the mask alone")

    monkeypatch.setattr(segment_micrographs, "measure_particles", measure)
    found = score((BRIGHT, LABEL))
    assert (len(found.table), found.problems) == (1, [])


RING = np.zeros((12, 12), np.uint8)
RING[2:9, 2:9] = 10
RING[4:7, 4:7] = 0
RING[10, 10] = 10
"""40 bright pixels around a hole of 9, and a speck."""


@pytest.mark.parametrize(
    ("options", "f1"),
    [
        ({}, 2 * 40 / (41 + 49)),
        ({"min_diameter_A": 0.5}, 2 * 40 / (40 + 49)),  # the circle of one pixel of 0.4 Å is 0.45 Å wide
        ({"fill_holes": True}, 2 * 49 / (50 + 49)),
        ({"min_diameter_A": 0.5, "fill_holes": True}, 1),
    ],
)
def test_what_is_scored_is_the_mask_that_predict_writes_with_the_same_options(score, options, f1):
    label = (RING > 0).astype(np.uint8)
    label[4:7, 4:7] = 1
    label[10, 10] = 0
    found = score((RING, label), particles=ParticleOptions(**options))
    (row,) = found.table.to_dict("records")
    assert row["f1"] == pytest.approx(f1)
    assert (row["min_diameter_A"], row["fill_holes"]) == (
        options.get("min_diameter_A", 0),
        options.get("fill_holes", False),
    )
    micrograph = Micrograph.from_array(RING, pixel_size_A=0.4)
    written = segment_micrographs.segment(network().trained, micrograph, repair=False, **options)
    assert row["covered"] == np.mean(written.labels > 0)


def test_without_particles_in_the_label_scores_are_undefined(score):
    found = score((BRIGHT, 0 * LABEL), (BRIGHT, LABEL))
    first, second = found.table.to_dict("records")
    assert all(np.isnan(first[name]) for name in ("f1", "iou", "precision", "recall"))
    assert first["covered"] == pytest.approx(0.5)
    assert first["label_covered"] == 0
    summary = summarise(found.table).iloc[0]
    assert summary["median"] == pytest.approx(second["f1"]) == pytest.approx(0.2)
    assert (summary["images"], summary["undefined"]) == (1, 1)
    assert np.isnan(summary["median_low"])


def test_with_no_f1_at_all_the_summary_is_empty(score):
    summary = summarise(score((BRIGHT, 0 * LABEL)).table).iloc[0]
    assert np.isnan(summary["median"])
    assert np.isnan(summary["mean_high"])


def stripes(pixel_size_A, side_A=36.0):
    """Tilted stripes, 4.5 Å wide, with the mean zero."""
    side = round(side_A / pixel_size_A)
    y, x = (np.mgrid[:side, :side] + 0.5) * pixel_size_A
    return np.sin(2 * np.pi * (4 * x + y) / side_A + 0.3)


@pytest.mark.parametrize("pixel", [0.16, 0.31, 0.4, 0.57])
def test_masks_are_scored_on_the_micrographs_own_pixels(score, pixel):
    image = stripes(pixel).astype(np.float32)
    (row,) = score((image, (image > 0).astype(np.uint8)), pixel_size_A=pixel).table.to_dict("records")
    assert row["f1"] > 0.98  # a shift by half a pixel of 0.4 Å costs 0.04
    assert row["covered"] == pytest.approx(row["label_covered"], abs=0.01)


def test_dead_pixels_are_no_particle(write, counts):
    image, label = counts(96, 96), np.ones((96, 96), np.uint8)
    image[:20] = 2000  # a constant patch
    pair = LabelPair(write("m.tif", image), write("l.tif", label, None))
    repaired, left = (score_micrographs([network()], [pair], repair=repair).table for repair in (True, False))
    assert left.covered[0] == pytest.approx(20 / 96, abs=0.02)
    # without the patch, the disc is bright
    disc_share = np.pi * 24**2 / 96**2 - 0.02
    assert repaired.covered[0] > disc_share


def test_images_of_a_stack_have_the_labels_at_their_places(write):
    images = np.stack([BRIGHT, BRIGHT[:, ::-1], np.full((4, 6), 3, np.uint8), BRIGHT])
    labels = np.stack([BRIGHT > 0, BRIGHT > 0, BRIGHT > 0, BRIGHT[:, ::-1] > 0]).astype(np.uint8)
    pair = LabelPair(write("m.tif", images), write("l.tif", labels, None))
    found = score_micrographs([network()], [pair], repair=False)
    assert dict(zip(found.table.micrograph, found.table.f1, strict=True)) == {"m_0": 1, "m_1": 0, "m_3": 0}
    assert found.left_out == ["all pixels of m_2 have one value: there is nothing to see."]
    assert not found.problems
    fewer = LabelPair(pair.micrographs, write("l.tif", labels[:3], None))
    (problem,) = score_micrographs([network()], [fewer], repair=False).problems
    assert "l.tif holds 3 labels, but" in problem.reason
    assert "m.tif 4 images. Give one label per image, in the same order." in problem.reason


def test_one_wrong_image_of_a_stack_leaves_the_others(write):
    images = np.stack([BRIGHT, BRIGHT])
    labels = np.stack([BRIGHT > 0, np.full((4, 6), 9)]).astype(np.uint8)
    pair = LabelPair(write("m.tif", images), write("l.tif", labels, None))
    found = score_micrographs([network()], [pair], repair=False)
    assert list(found.table.f1) == [1]
    assert "image 2 of" in found.problems[0].reason


def test_a_label_of_another_shape_is_told(score, tmp_path):
    found = score((BRIGHT, LABEL.T), (BRIGHT, LABEL[:3]), (BRIGHT, LABEL))
    assert list(found.table.micrograph) == ["m2"]
    turned, smaller = (problem.reason for problem in found.problems)
    assert turned.startswith(
        f"{tmp_path / 'l0.tif'} has 6 × 4 px, its micrograph {tmp_path / 'm0.tif'} 4 × 6 px, turned"
    )
    assert "has 3 × 6 px, its micrograph" in smaller
    assert "A label has the pixels of its micrograph." in smaller


def test_what_cannot_be_read_is_told_and_the_rest_scored(write, tmp_path):
    good = LabelPair(write("a.tif", BRIGHT), write("b.tif", LABEL, None))
    nowhere = LabelPair(tmp_path / "none.tif", good.labels)
    no_label = LabelPair(good.micrographs, tmp_path / "none.png")
    no_pixel = LabelPair(write("c.tif", BRIGHT, None), good.labels)
    found = score_micrographs([network()], [nowhere, no_label, no_pixel, good], repair=False)
    assert list(found.table.micrograph) == ["a"]
    missing, label, pixel = (problem.reason for problem in found.problems)
    assert "none.tif cannot be read (No such file or directory). Give the path of a micrograph." in missing
    assert "none.png cannot be read (No such file or directory). Give the path of a label." in label
    assert "c.tif tells no pixel size" in pixel
    assert len(score_micrographs([network()], [no_pixel], pixel_size_A=0.4, repair=False).table) == 1


def test_an_image_may_fit_some_networks_only(score):
    found = score((BRIGHT, LABEL), networks=(network("fine", 0.4), network("coarse", 2.0)))
    assert list(found.table.network) == ["fine"]
    assert "network coarse: " in found.problems[0].reason
    assert "the network needs 2 px or more each way" in found.problems[0].reason


def test_a_network_that_gives_no_numbers_has_no_score(score):
    found = score((BRIGHT, LABEL), networks=(network("good"), network("broken", sign=float("nan"))))
    assert list(found.table.network) == ["good"]
    assert "network broken: " in found.problems[0].reason
    assert "gives no number for pixels of m0" in found.problems[0].reason


def test_scores_of_masks_do_not_depend_on_how_the_arrays_lie():
    ratios = mask_scores(np.asfortranarray(BRIGHT > 0), (LABEL.T > 0).T)
    assert ratios["f1"] == pytest.approx(0.2)


def test_networks_are_summarised_the_best_first(score):
    images = [(BRIGHT, LABEL), (BRIGHT, BRIGHT > 0), (BRIGHT, LABEL[:, ::-1])]
    images = [(image, label.astype(np.uint8)) for image, label in images]
    found = score(*images, networks=(network("dark", sign=-1.0), network("bright")))
    assert list(found.table.network) == ["dark"] * 3 + ["bright"] * 3
    summary = summarise(found.table)
    assert list(summary.index) == ["bright", "dark"]
    # bright: 0.2, 1 and, with TP = 6, FP = 6, FN = 2, 0.6
    bright = summary.loc["bright"]
    assert bright["median"] == pytest.approx(0.6)
    assert bright["mean"] == pytest.approx(0.6)
    assert (bright["worst"], bright["worst_micrograph"]) == (pytest.approx(0.2), "m0")
    assert summary.loc["dark", "worst"] == 0


def table_of(values):
    rows = len(values)
    return pd.DataFrame(
        {
            "network": ["n"] * rows,
            "micrograph": map(str, range(rows)),
            "micrograph_file": map(str, range(rows)),
            "f1": values,
        }
    )


def test_intervals_are_those_of_the_percentile_bootstrap():
    values = np.random.default_rng(1).beta(4, 2, 40)
    summary = summarise(table_of(values)).iloc[0]
    for name, statistic in (("mean", np.mean), ("median", np.median)):
        interval = scipy.stats.bootstrap(
            (values,), statistic, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2)
        ).confidence_interval
        assert summary[f"{name}_low"] == pytest.approx(interval.low, abs=0.012)
        assert summary[f"{name}_high"] == pytest.approx(interval.high, abs=0.012)
    pd.testing.assert_series_equal(summary, summarise(table_of(values)).iloc[0])  # the same draws each time


@pytest.mark.parametrize("files", ["many", "one"])
def test_the_best_networks_and_the_hardest_images_are_drawn(monkeypatch, files):
    monkeypatch.setattr(score_figure, "MOST_NETWORKS", 4)
    monkeypatch.setattr(score_figure, "MOST_IMAGES", 26)
    rng = np.random.default_rng(0)
    names = [f"network-{n}-" + "x" * 60 for n in range(6)]
    table = pd.concat([table_of(rng.random(28)).assign(network=name) for name in names], ignore_index=True)
    if files == "many":  # images of one name, of several files
        table["micrograph"] = "a"
    table.loc[::9, "f1"] = np.nan
    summary = summarise(table)
    cells = score_figure._cells(table, summary)
    assert list(cells.index) == list(summary.index[:4])
    median = table[table.network.isin(cells.index)].groupby("micrograph_file").f1.median()
    assert {name.split()[0] for name in cells.columns} == set(median.nsmallest(26).index)
    assert draw_scores(table, summary)[:4] == b"\x89PNG"
    assert score_figure._title(table, cells).splitlines()[1:] == [
        "the best 4 of 6 networks", "the hardest 26 of 28 images",
    ]  # fmt: skip


def test_networks_that_cannot_be_used_are_told(make_network, tmp_path):
    good = make_network()
    (tmp_path / "bad.ckpt").write_bytes(b"no network")
    (network,), (problem,) = load_networks([tmp_path / "bad.ckpt", good, good], None)
    assert network.path == good
    assert problem.path == tmp_path / "bad.ckpt"
    with pytest.raises(ArtifactError, match=r"none.ckpt is missing"):
        load_networks([tmp_path / "none.ckpt"], None)
    with pytest.raises(ArtifactError) as error:
        load_networks([tmp_path / "none.ckpt", tmp_path / "bad.ckpt"], None)
    assert "no network can be used:" in str(error.value)
    assert "none.ckpt is missing" in str(error.value)
    copy = tmp_path / "copy.ckpt"
    copy.write_bytes(good.read_bytes())
    with pytest.raises(ConfigError, match="--architecture-file: the networks are of built-in architectures"):
        load_networks([good], tmp_path / "mine.py")


def test_a_file_of_an_architecture_is_for_the_networks_that_need_it(monkeypatch, tmp_path):
    asked = []

    def load(path, file=None):
        asked.append((path.name, file))
        if path.name == "mine.ckpt" and file is None:
            raise ConfigError("give the file with --architecture-file")
        return network(path.stem).trained

    monkeypatch.setattr(module, "load", load)
    paths = [tmp_path / "built_in.ckpt", tmp_path / "mine.ckpt"]
    networks, problems = load_networks(paths, tmp_path / "mine.py")
    assert [each.trained.id for each in networks] == ["built_in", "mine"]
    assert not problems
    assert asked == [("built_in.ckpt", None), ("mine.ckpt", None), ("mine.ckpt", tmp_path / "mine.py")]
    networks, (problem,) = load_networks(paths, None)
    assert "give the file with --architecture-file" in problem.reason

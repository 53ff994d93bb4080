"""A run over many files: inputs, outputs that replace nothing, files that fail, the record and the page."""

import dataclasses
import html
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from tests.unit.learning.inference.conftest import random_network

import hrtem_ood
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.label_pairs import expand
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.cli import main
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.checkpoint import weights_sha256
from hrtem_ood.learning.inference.figures import draw_segmentation
from hrtem_ood.learning.inference.inputs import expand_inputs
from hrtem_ood.learning.inference.micrograph import read_micrographs
from hrtem_ood.learning.inference.outputs import distinct_names, tiff
from hrtem_ood.learning.inference.segment_micrographs import load
from hrtem_ood.user_files import file_sha256


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return random_network(tmp_path_factory.mktemp("network"))


@pytest.fixture
def run(tmp_path, network, monkeypatch):
    """Return a function that calls the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        done = CliRunner().invoke(main, ["predict", str(network), *map(str, arguments)])
        assert done.exit_code == code, done.output
        return done.output

    return run


class Links(HTMLParser):
    """All that a page takes from elsewhere."""

    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "background"):
                self.sources.append(value)
            elif name == "href":
                self.links.append(value)
            else:
                assert not name.startswith("on"), "no scripts"


def read_page(folder):
    page = Links()
    text = (folder / "index.html").read_text(encoding="utf-8")
    page.feed(text)
    return text, page


def test_a_folder_with_a_bad_file(run, write, counts, tmp_path, network):
    for number in range(3):
        write(f"in/m{number}.mrc", counts(64, 64 + 8 * number))
    write("in/.hidden.mrc", counts(64, 64))
    (tmp_path / "in/notes.txt").write_text("not an image")
    (tmp_path / "in/broken.dm3").write_bytes(b"GIF89a")
    said = run("in", code=1)
    assert "not segmented: in/broken.dm3 cannot be read as DM3" in said
    assert "3 images segmented, 1 file not" in said
    assert "hrtem-ood: 1 of 4 files could not be segmented:\n  in/broken.dm3 cannot be read as DM3" in said
    record = json.loads((tmp_path / "predictions/run.json").read_text())
    assert record["network"]["id"] == network.stem
    assert record["version"]
    assert record["options"]["split_touching"] is False
    assert [one["input"] for one in record["failed"]] == ["in/broken.dm3"]
    assert [one["name"] for one in record["images"]] == ["m0", "m1", "m2"]
    for one in record["images"]:
        assert one["sha256"] == file_sha256(Path(one["input"]), "micrograph")
        assert one["pixel_size_A"] == one["network_pixel_size_A"] == pytest.approx(0.4)
        assert all((tmp_path / "predictions" / name).exists() for name in one["outputs"].values())
    table = pd.read_csv(tmp_path / "predictions/all_particles.csv")
    assert [one["particles"] for one in record["images"]] == [
        int((table.image == name).sum()) for name in ("m0", "m1", "m2")
    ]


def test_patterns_name_files_once(run, write, counts, tmp_path):
    for name in ("a1.mrc", "a2.mrc", "b1.mrc", "x[1].mrc"):
        write(f"in/{name}", counts(64, 64))
    run("in/a*.mrc", "in/a1.mrc", "in/x[1].mrc")
    record = json.loads((tmp_path / "predictions/run.json").read_text())
    assert [one["name"] for one in record["images"]] == ["a1", "a2", "x[1]"]
    assert "in/c*.mrc: no file has a name of this pattern" in run("in/c*.mrc", code=2)
    (tmp_path / "empty").mkdir()
    assert "empty: the folder holds no micrograph" in run("empty", code=2)


def test_a_folder_that_is_written_to_as_well(run, write, counts, tmp_path):
    """Masks of an earlier run are no micrographs."""
    write("in/a.mrc", counts(64, 64))
    run("in", "--output", "in")
    run("in", "--output", "in", "--overwrite")
    record = json.loads((tmp_path / "in/run.json").read_text())
    assert [one["name"] for one in record["images"]] == ["a"]


def test_who_leaves_micrographs_as_they_are_is_told_of_networks_that_learned_from_repaired_ones(
    run, write, counts, tmp_path
):
    image = write("a.mrc", counts(64, 64))
    assert "learned from" not in run(image, "--no-repair", "--output", "plain")
    spec = NetworkSpec(
        training_set="t",
        hyperparameters={
            "epochs": 1,
            "repair": True,
            "architecture": {"name": "unet", "base_channels": 3, "depth": 2},
        },
    )
    network = str(random_network(tmp_path / "mended", spec=spec))
    for words, told in (((), False), (("--no-repair",), True)):
        done = CliRunner().invoke(main, ["predict", network, str(image), "--output", f"out{told}", *words])
        assert done.exit_code == 0, done.output
        note = f"note: {spec.id} learned from repaired images, and --no-repair leaves the micrographs as they are"
        assert (note in " ".join(done.output.split())) == told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.tif", "b.tif"], ["a", "b"]),
        (["a.dm4", "a.tif"], ["a_dm4", "a_tif"]),
        (["x/a.tif", "y/a.tif", "c.tif"], ["x_a", "y_a", "c"]),
        (["x/a.tif", "x/a.mrc", "y/a.tif"], ["x_a_tif", "x_a_mrc", "y_a_tif"]),
        (["1/x/a.tif", "2/x/a.tif", "2/a.tif"], ["1_x_a", "2_x_a", None]),
    ],
)
def test_files_of_one_name_are_told_apart(tmp_path, files, names):
    paths = [tmp_path / file for file in files]
    found = distinct_names(paths)
    assert list(found) == paths
    assert len({*found.values()}) == len(files)
    assert all(name in (None, found[path]) for path, name in zip(paths, names, strict=True))


def test_a_name_that_is_no_text_is_told(tmp_path):
    (tmp_path / "images").mkdir()
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/images/\xff.tif"))).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    for find in (lambda: expand_inputs([tmp_path / "images"]), lambda: expand([f"{tmp_path}/images/*"], "--labels")):
        with pytest.raises(ConfigError, match=r"xff\.tif': the name is no UTF-8. Rename the file"):
            find()


def test_what_a_user_may_still_ask_is_told_where_images_were_segmented(run, write, counts):
    few = run(write("a.mrc", counts(64, 64)))
    assert "--estimates" not in few
    assert "state it to compare it with the training" in few
    many = run(*(write(f"m{n}.mrc", counts(64, 64)) for n in range(6)), "--output", "many")
    assert "lattice spacings were not estimated, nor how far they let trust the network: --estimates." in many
    none = run(write("n.tif", counts(64, 64), None), "--output", "none", code=1)
    assert "state it" not in none


def test_results_are_not_written_over_unasked(run, write, counts, tmp_path, monkeypatch):
    image, stack = write("a.mrc", counts(64, 64)), write("s.mrc", counts(2, 64, 64))
    run(image)
    (tmp_path / "predictions/a_mask.tif").write_bytes(b"edited by hand")
    monkeypatch.setattr(
        "hrtem_ood.learning.inference.predict_micrographs.predict",
        lambda *_: pytest.fail("before anything is computed"),
    )
    said = run(image, code=2)
    assert "predictions/a.csv exists, and 8 more files of this run. Give another --output, or --overwrite" in said
    assert (tmp_path / "predictions/a_mask.tif").read_bytes() == b"edited by hand"
    assert "exists" in run(write("b.mrc", counts(64, 64)), code=2), "run.json of the earlier run"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    run(image, "--overwrite")
    assert tifffile.imread(tmp_path / "predictions/a_mask.tif").shape == (64, 64)
    run(stack, "--output", "stack")
    for name in ("run.json", "index.html", "all_particles.csv"):
        (tmp_path / "stack" / name).unlink()
    assert "stack/s_0.csv exists" in run(stack, "--output", "stack", code=2)


def test_only_files_that_fail(run, tmp_path):
    assert "2 of 2 files could not be segmented" in run("no.mrc", "not.tif", code=1)
    assert not (tmp_path / "predictions").exists()


@pytest.mark.slow
def test_many_images_have_a_line_each(run, write, counts):
    for number in range(6):
        write(f"in/m{number}.mrc", counts(32, 32))
    said = run("in")
    assert re.search(r"^m3: \d+ particles?, [\d.]+% covered, median diameter [\d.]+ Å$", said, re.MULTILINE)
    assert re.search(r"micrographs: 6/6, ", said), "progress"
    assert said.count("wrote ") == 1


def test_the_page_needs_nothing_from_elsewhere_and_shows_text_only(run, counts, tmp_path, write):
    name = "<img src=x onerror=alert(1)>&\"'"
    write(f"in/{name}.mrc", counts(64, 64))
    write("in/plain.mrc", counts(64, 64))
    (tmp_path / "in/<b>.ser").write_bytes(b"<script>alert(1)</script>")
    run("in", code=1)
    text, page = read_page(tmp_path / "predictions")
    assert all(source.startswith("data:image/") for source in page.sources)
    assert len(page.sources) == 3, "two thumbnails and a histogram"
    assert all(re.match(r"\./|all_particles\.csv$|run\.json$", link) for link in page.links)
    assert not {"script", "iframe", "link", "object"} & set(page.tags)
    assert "onerror=alert(1)>" not in text
    assert html.escape(name) in text
    assert "default-src 'none'" in text
    assert text.index("<b>Not segmented</b>") < text.index("<h2>Images</h2>"), "warnings first"
    for link in page.links:
        assert (tmp_path / "predictions" / unquote(link)).exists()


@pytest.mark.parametrize(("shift", "note"), [(-50, "No particle found. Empty masks"), (50, "Particles cover 100.0%")])
def test_masks_of_nothing_and_of_everything_have_a_note(write, counts, tmp_path, monkeypatch, network, shift, note):
    monkeypatch.chdir(tmp_path)
    content = store.read_checkpoint(network)
    path = tmp_path / "shifted" / network.name
    weights = {name: value.clone() for name, value in content["state_dict"].items()}
    weights["head.bias"][1] += shift
    content |= {"state_dict": weights, "sha256_of_weights": weights_sha256(weights)}
    store.write_checkpoint(path, content)
    done = CliRunner().invoke(main, ["predict", str(path), str(write("a.mrc", counts(64, 64)))])
    assert f"note: {note}" in done.output
    text, _ = read_page(tmp_path / "predictions")
    assert note in text
    assert ("<h2>Sizes</h2>" in text) == (shift > 0)


def test_options_of_particles(run, write, counts, tmp_path):
    """The table, the labels and the mask agree, and are those of the options."""
    image = write("a.mrc", counts(96, 96))
    run(image)
    run(image, "--min-diameter-A", "3", "--fill-holes", "--split-touching", "--output", "there")
    every, kept = (pd.read_csv(tmp_path / folder / "a.csv") for folder in ("predictions", "there"))
    assert len(kept) < len(every)
    assert kept.diameter_A.min() >= 3
    labels, mask = (tifffile.imread(tmp_path / f"there/a_{kind}.tif") for kind in ("labels", "mask"))
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels > 0, mask == 1)
    np.testing.assert_allclose(np.bincount(labels.ravel())[1:] * 0.4**2, kept.area_A2, rtol=1e-5)
    confidence = tifffile.imread(tmp_path / "there/a_confidence.tif")
    for row in kept.itertuples():
        assert row.confidence == pytest.approx(confidence[labels == row.particle].mean(), abs=1e-4)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_labels_are_calibrated_whatever_their_number(tmp_path, dtype):
    """ImageJ has no 32-bit labels: those files have pixels per cm, and Gatan's tags."""
    labels = np.arange(20 * 30, dtype=dtype).reshape(20, 30)
    (tmp_path / "a.tif").write_bytes(tiff(labels, 0.31, "network: some"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), labels)
    (again,) = read_micrographs(tmp_path / "a.tif")
    assert again.pixel_size_A == pytest.approx(0.31, rel=1e-6)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages[0].tags
        above, below = tags["XResolution"].value
        if dtype == np.uint32:
            assert tags["ResolutionUnit"].value == 3, "centimetre"
            assert above / below == pytest.approx(1e8 / 0.31, rel=1e-6)
            assert tags["ImageDescription"].value == "network: some"


@pytest.mark.parametrize("shape", [(16, 20000), (20000, 16)])
def test_strips_are_drawn(shape):
    """Far longer than high: neither without a pixel after averaging, nor metres high."""
    image = np.random.default_rng(0).poisson(9, shape).astype(np.float32)
    columns = pd.DataFrame({"y_A": [], "x_A": []})
    drawn = draw_segmentation(
        image, image / image.max(), np.zeros(shape, np.int32), columns, pixel_size_A=0.4, title="a", network="n"
    )
    assert drawn.startswith(b"\x89PNG")


def test_patterns_reach_into_folders(run, write, counts, tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    write("in/deep/a.mrc", counts(64, 64), 0.4)
    assert "a (in/deep/a.mrc)" in run("in/**/*.mrc")


def test_the_python_interface_repairs_images_for_networks_that_learned_from_such(counts, network):
    plain = load(network)
    image = counts(64, 64).astype(np.float32)
    image[20] = 0
    image[40, 41] = 100 * image.mean()
    mended = dataclasses.replace(plain, repair=True)
    expected = hrtem_ood.predict(plain, hrtem_ood.repair_image(image).image)
    np.testing.assert_array_equal(hrtem_ood.predict(mended, image), expected)
    assert (hrtem_ood.predict(plain, image) != expected).any()

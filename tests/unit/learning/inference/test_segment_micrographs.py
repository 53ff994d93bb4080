"""The verb `predict`: what it writes and says, and the mistakes that it tells."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from click.testing import CliRunner
from rsciio.tiff import file_reader as tiff_as_hyperspy

from hrtem_ood.artifacts import store
from hrtem_ood.cli import main
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.checkpoint import drop_weights
from hrtem_ood.learning.inference import segment_micrographs
from hrtem_ood.learning.inference.micrograph import read_micrographs
from hrtem_ood.learning.inference.particles import measure_particles
from hrtem_ood.learning.inference.resample import interpolate, resample
from hrtem_ood.learning.inference.tiling import particle_probability


@pytest.fixture
def run(tmp_path, make_network, monkeypatch):
    """Return a function that calls the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    network = make_network()

    def run(*arguments, network=network, code=0, overwrite=True):
        words = [str(network), *map(str, arguments), *(["--overwrite"] if overwrite else [])]
        done = CliRunner().invoke(main, ["predict", *words])
        assert done.exit_code == code, done.output
        return done.output

    run.network = network
    return run


def read_record(folder="predictions"):
    return json.loads((Path(folder) / "run.json").read_text())


def expected(network, image):
    user = segment_micrographs.load(network)
    with torch.no_grad():
        logits = user.network(standardise(torch.tensor(image, dtype=torch.float32))[None, None])
    return logits.softmax(1)[0, 1].numpy()


def test_probability_mask_table_and_picture_are_written(run, write, counts, tmp_path):
    values = counts(64, 96)
    source = write("sample.mrc", values, 0.4)
    said = run(source, "--no-repair")
    folder = tmp_path / "predictions"
    assert {path.name for path in folder.iterdir()} == {
        "sample.tif", "sample_mask.tif", "sample_labels.tif", "sample_confidence.tif", "sample.csv", "sample.png",
        "all_particles.csv", "run.json", "index.html",
    }  # fmt: skip
    probability = tifffile.imread(folder / "sample.tif")
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, expected(run.network, values), atol=2e-6)
    mask = tifffile.imread(folder / "sample_mask.tif")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, probability > 0.5)
    assert (folder / "sample.png").read_bytes()[:4] == b"\x89PNG"
    found = measure_particles(probability, 0.4)
    assert len(pd.read_csv(folder / "sample.csv")) == len(found.particles)
    assert f"cover {found.covered:.1%} of the image; connected: {len(found.particles)}" in said
    assert f"entropy {found.entropy:.4f} nat per pixel (validation loss: 0.2500)" in said
    assert "64 × 96 px of 0.4 Å, not resampled" in said
    assert "Δf −100 Å" in said
    assert (
        "state it to compare it with the training, and for a forecast where there is a forecaster: --condition 'defocus_A="
        in said
    )


def test_what_is_written_tells_its_pixel(run, write, counts, tmp_path):
    run(write("sample.dm3", counts(90, 120), 0.31), "--output", tmp_path / "there")
    for kind in ("", "_mask", "_labels", "_confidence"):
        path = tmp_path / f"there/sample{kind}.tif"
        (again,) = read_micrographs(path)
        assert again.image.shape == (90, 120)
        assert again.pixel_size_A == pytest.approx(0.31, rel=1e-6)
        with tifffile.TiffFile(path) as file:
            assert file.imagej_metadata["unit"] == "nm"
            assert f"network: {run.network.stem}" in file.imagej_metadata["Info"]
            above, below = file.pages[0].tags["XResolution"].value
            assert above / below == pytest.approx(1 / 0.031, rel=1e-6)  # pixels per nm
        (hyperspy,) = tiff_as_hyperspy(str(path))
        assert [(axis["units"], axis["size"]) for axis in hyperspy["axes"]] == [("nm", 90), ("nm", 120)]
        assert [axis["scale"] for axis in hyperspy["axes"]] == pytest.approx([0.031, 0.031], rel=1e-6)


def test_other_pixels_are_resampled(run, write, counts, tmp_path):
    values = counts(165, 124)
    said = run(write("sample.tif", values, 0.31), "--no-repair", "--output", tmp_path / "there")
    assert "165 × 124 px of 0.31 Å, resampled to 127 × 96 px of 0.4 Å for the network" in said
    image = resample(values.astype(np.float32), 0.31, 0.4)
    found = tifffile.imread(tmp_path / "there/sample.tif")
    network = segment_micrographs.load(run.network).network
    seen = particle_probability(network, image, torch.device("cpu"))
    assert seen.shape == (127, 96)
    np.testing.assert_allclose(found, interpolate(seen, 0.4, 0.31, (165, 124)), atol=1e-5)
    table = pd.read_csv(tmp_path / "there/sample.csv", index_col="particle")
    labels = tifffile.imread(tmp_path / "there/sample_labels.tif")
    np.testing.assert_array_equal(labels > 0, found > 0.5)
    np.testing.assert_allclose(table.area_A2, np.bincount(labels.ravel())[1:] * 0.31**2, rtol=1e-5)
    rows, columns = np.nonzero(labels == 1)
    assert (table.y_px[1], table.x_px[1]) == pytest.approx((rows.mean(), columns.mean()), rel=1e-5)
    assert (table.y_A[1], table.x_A[1]) == pytest.approx(
        ((rows.mean() + 0.5) * 0.31, (columns.mean() + 0.5) * 0.31), rel=1e-5
    )
    assert "the network was not trained on such smooth noise" not in said
    said = run(write("sample.tif", values, 0.5), "--output", tmp_path / "there")
    assert "up to 1.00 1/Å, training images up to 1.25 1/Å: the network was not trained on such smooth noise" in said


def test_the_stated_pixel_counts(run, write, counts):
    said = run(write("sample.tif", counts(165, 124), 0.31), "--pixel-size-A", "0.4")
    assert "165 × 124 px of 0.4 Å, not resampled" in said
    assert "Invalid value for '--pixel-size-A'" in run("sample.tif", "--pixel-size-A", "-1", code=2)


def test_large_images_are_tiled(run, write, counts, monkeypatch):
    source = write("sample.mrc", counts(150, 200))
    run(source)
    whole = tifffile.imread("predictions/sample.tif")
    monkeypatch.setattr(segment_micrographs, "TILE_PX", 140)
    monkeypatch.setattr(segment_micrographs, "tiling", partial(segment_micrographs.tiling, tile_px=120))
    assert "in tiles of 120 px" in run(source)
    np.testing.assert_allclose(tifffile.imread("predictions/sample.tif"), whole, atol=2e-6)


@pytest.mark.slow
def test_images_of_a_stack_and_of_several_files(run, write, counts, tmp_path):
    said = run(write("a.mrc", counts(3, 64, 64)), write("b.tif", counts(64, 64)))
    names = ["a_0", "a_1", "a_2", "b"]
    assert sorted(path.name for path in (tmp_path / "predictions").glob("*.png")) == [f"{name}.png" for name in names]
    assert all(f"{name} (" in said for name in names)


def test_the_condition_is_judged_and_drawn(run, write, counts, tmp_path):
    said = run(
        write("a.mrc", counts(64, 64)), "--condition", "defocus_A=-90,dose_e_per_A2=200,focal_spread_A=20",
        "--results", tmp_path / "nowhere",
    )  # fmt: skip
    assert "condition Δf −90 Å, 200 e/Å², focal spread 20 Å" in said
    assert "nearest: Δf −100 Å" in said
    assert "smallest |Δ defocus|: 10 Å; dose: 0.5 times" in said
    assert "measured F1: unknown" in said
    assert "state it to compare" not in said
    assert (tmp_path / "predictions/trust.png").exists()


def test_a_mistake_in_the_condition_ends_with_code_2(run, write, counts):
    said = run(write("a.mrc", counts(64, 64)), "--condition", "defocus=-90", code=2)
    assert "did you mean `defocus_A`?" in said


def test_inputs_are_never_written_over(run, write, counts, tmp_path):
    source = write("predictions/a.tif", counts(64, 64))
    before = source.read_bytes()
    assert "a.tif would be written over an input" in run(source, code=2)
    other = write("b_mask.tif", counts(64, 64))
    (tmp_path / "predictions").rename(tmp_path / "in")
    assert "would be written over an input" in run(
        "in/a.tif", write("b.mrc", counts(64, 64)), other, "--output", ".", code=2
    )
    assert (tmp_path / "in/a.tif").read_bytes() == before
    assert list(tmp_path.glob("*.png")) == []


def test_images_of_one_name_are_not_written_over_each_other(run, write, counts, tmp_path):
    days = [write(f"{day}/{name}", counts(64, 64)) for day in ("x", "y") for name in ("a.mrc", "a.tif", "c.mrc")]
    run(*days)
    assert {image["name"] for image in read_record()["images"]} == {
        "x_a_mrc",
        "x_a_tif",
        "x_c",
        "y_a_mrc",
        "y_a_tif",
        "y_c",
    }
    shutil.rmtree(tmp_path / "predictions")
    # known only when the stack is read
    stack, image = write("b.mrc", counts(2, 64, 64)), write("b_1.mrc", counts(64, 64))
    assert "b_1.tif would be written over that of" in run(image, stack, code=1)
    assert {image["name"] for image in read_record()["images"]} == {"b_0", "b_1"}
    assert "all_particles.csv is a file of the whole run" in run(write("all_particles.mrc", counts(64, 64)), code=2)


def test_networks_that_cannot_be_used(run, make_network, write, counts):
    image = write("a.mrc", counts(64, 64))
    diverged = make_network(diverged=True, base_channels=2)
    assert "diverged in training and has no weights" in run(image, network=diverged, code=1)
    dropped = make_network(base_channels=4)
    drop_weights(dropped)
    assert "keeps no weights" in run(image, network=dropped, code=1)
    assert "missing.ckpt is missing" in run(image, network="missing.ckpt", code=1)
    old = store.read_checkpoint(run.network)
    del old["trained_on"]
    store.write_checkpoint(run.network, old)
    assert "does not tell its trained_on: an older version" in run(image, code=1)


@pytest.mark.parametrize(
    ("shape", "pixel_size_A", "told"),
    [
        ((64, 7), 0.4, "a has 64 × 7 px of 0.4 Å, 64 × 7 px of the network's 0.4 Å; the network needs 8 px or more"),
        ((64, 64), 0.03, "4 × 4 px of the network's 0.4 Å; the network needs 8 px"),
        ((64, 64), 2, "which would be 320 × 320 px of the network's 0.4 Å, 25 times as many. At most 16 times"),
        ((670, 3), 10, "16750 × 75 px of the network's 0.4 Å; the network needs 8 px"),
        ((64, 64), 4000, "which would be 640000 × 640000 px of the network's 0.4 Å, 1e+08 times as many"),
    ],
)
def test_images_too_small_and_too_large(run, write, counts, shape, pixel_size_A, told):
    assert told in run(write("a.mrc", counts(*shape), pixel_size_A), code=1)


def test_the_smallest_image(run, write, counts):
    run(write("a.mrc", counts(8, 9)))
    assert tifffile.imread("predictions/a.tif").shape == (8, 9)


def test_unreadable_images_are_told(run, write, counts, tmp_path):
    assert "nothing.tif cannot be read (No such file" in run("nothing.tif", code=1)
    assert "are read from .tif, .tiff, .mrc, .dm3, .dm4, .ser" in run("nothing.png", code=1)
    values = counts(64, 64).astype(np.float32)
    values[0, 0] = np.nan
    assert "1 pixels of a are NaN" in run(write("a.tif", values), code=1)
    assert "tells no pixel size" in run(write("b.dm4", counts(64, 64), None), code=1)
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    assert "colour image" in run("c.tif", code=1)


def test_entropy_is_no_alarm(run, write, counts):
    """Entropy did not tell bad segmentations from good ones (docs/prediction.md): it is shown, not judged."""
    content = store.read_checkpoint(run.network)
    store.write_checkpoint(run.network, content | {"best_val_loss": 1e-3})
    said = run(write("a.mrc", counts(64, 64)))
    assert "(validation loss: 0.0010); a low value does not prove" in said
    assert "does not prove that the masks are right\n  wrote" in said, "no note"


def test_pixels_within_one_per_cent_are_taken_as_they_are(run, write, counts):
    said = run(write("a.mrc", counts(64, 64), 0.4036))
    assert "64 × 64 px of 0.4036 Å, not resampled" in said
    (again,) = read_micrographs(Path("predictions/a.tif"))
    assert again.pixel_size_A == pytest.approx(0.4036, rel=1e-5), "sizes are measured with the image's own pixel"
    assert "resampled to" in run(write("a.mrc", counts(64, 64), 0.405))


def test_what_is_left_out_of_a_file_is_named(run, tmp_path, counts):
    """A page of colours and one that is too small for the network, beside a micrograph."""
    values = counts(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((64, 64, 3), np.uint8), photometric="rgb")
        file.write(values.astype(np.uint16))
        file.write(counts(6, 64).astype(np.uint8))
    said = run(tmp_path / "a.tif", "--pixel-size-A", "0.4", "--output", tmp_path / "there")
    assert "note: not segmented: page 1 is a colour image" in said
    assert "note: not segmented: a_1 has 6 × 64 px of 0.4 Å" in said
    assert sorted(path.name for path in (tmp_path / "there").glob("a*_mask.tif")) == ["a_0_mask.tif"]


@pytest.mark.slow
def test_defects_are_repaired_before_segmentation(run, write, tmp_path):
    values = np.random.default_rng(3).poisson(60, (64, 96)).astype(np.int16)
    run(write("clean.mrc", values, 0.4))
    damaged = values.copy()
    damaged[20, 30] = 30000
    damaged[:, 50] = 0
    said = run(write("damaged.mrc", damaged, 0.4))
    assert "repaired: 1 spike replaced; 1.0% of the pixels are dead, and count as no particle (--no-repair" in said
    clean, repaired = (tifffile.imread(tmp_path / f"predictions/{name}.tif") for name in ("clean", "damaged"))
    assert (repaired[:, 50] == 0).all()
    away = np.abs(np.arange(96) - 50) > 12
    assert np.abs(repaired - clean)[:, away].mean() < 0.02
    assert "repaired:" not in run(tmp_path / "damaged.mrc", "--no-repair", "--output", tmp_path / "as_it_is")
    as_it_is = tifffile.imread(tmp_path / "as_it_is/damaged.tif")
    assert np.abs(as_it_is - clean)[:, away].mean() > 0.1

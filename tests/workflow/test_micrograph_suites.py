"""Labelled micrographs as a test suite of a campaign that Snakemake runs: scores, columns, gap, and what runs again."""

import contextlib
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests import warm

from hrtem_ood.analysis.gather import MEASURED
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.inference.outputs import tiff
from hrtem_ood.learning.inference.score_micrographs import load_networks, score_micrographs

SUITE = {"test_suites": {"mine": {"micrographs": "images/*.tif", "labels": "labels/*.tif"}}}
NEW = {"labelled_set": 1, "suite": 1, "evaluate": 3, "metrics": 1, "report": 1, "index": 1}
"""Jobs of a campaign that gains a suite of micrographs: no network trains, and no predictor is computed again."""


def write(folder: Path, name: str, image: np.ndarray, label: np.ndarray, pixel_size_A: float) -> None:
    for kind, values in (("images", image.astype(np.uint16)), ("labels", label.astype(np.uint8))):
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{name}.tif").write_bytes(tiff(values, pixel_size_A))


@pytest.fixture(scope="module")
def tested(finished, tmp_path_factory):
    """Return a copy of the finished campaign, run again with micrographs of two sizes and an image without particles."""
    project = finished.copy(tmp_path_factory.mktemp("measured") / "copy")
    dataset = store.read_zarr(next(Results(project.folder / "results").paths("datasets")))
    counts, labels = dataset.counts.values, dataset.label.values
    write(project.folder, "one", counts[0], labels[0], 0.8)
    twice = np.ones((2, 2), np.int64)
    write(project.folder, "other_grid", np.kron(counts[1, :48], twice), np.kron(labels[1, :48], twice), 0.4)
    write(project.folder, "empty", np.random.default_rng(0).poisson(300, (40, 52)), np.zeros((40, 52)), 0.8)
    assert project.after(SUITE) == NEW
    before = project.artifacts("networks")
    assert project.run("--configfile", "change.yaml") == NEW
    assert project.artifacts("networks") == before
    return project


def campaign_of(project):
    return project.campaign(SUITE)


def test_scores_are_those_of_the_verb_score(tested):
    results, campaign = Results(tested.folder / "results"), campaign_of(tested)
    networks, problems = load_networks([results.path("networks", id_) for id_ in campaign.networks], None)
    ((column, labelled_set),) = campaign.labelled_sets.items()
    files = [LabelPair(tested.folder / each.micrographs, tested.folder / each.labels) for each in labelled_set.files]
    assert sorted(pair.micrographs.stem for pair in files) == ["empty", "one", "other_grid"]
    expected = score_micrographs(networks, files, device="cpu")
    assert not problems
    assert not expected.problems
    metrics = store.read_zarr(results.path("metrics", campaign.metrics_id)).sel(condition=column)
    for id_, rows in expected.table.groupby("network"):
        mine = metrics.sel(network=id_)
        for name in ("f1", "iou", "precision", "recall"):
            np.testing.assert_allclose(mine[name].values[:3], rows[name].to_numpy(float), atol=1e-6)
        assert float(mine.mean_f1) == pytest.approx(rows.f1.mean(), abs=1e-6)
    assert expected.table.f1.isna().sum() == len(networks)  # of the image without particles


def test_what_nobody_knows_of_micrographs_is_nan(tested):
    results, campaign = Results(tested.folder / "results"), campaign_of(tested)
    metrics = store.read_zarr(results.path("metrics", campaign.metrics_id))
    assert list(metrics.structure_set.values).count(MEASURED) == 1
    mine = metrics.isel(condition=list(metrics.structure_set.values).index(MEASURED))
    assert str(mine.label.values) == "mine"
    assert not mine.in_domain.any()
    assert not bool(mine.minimum_contrast)
    for name in ("sigma", "epsilon", "abs_delta_defocus_A", "defocus_A", "dose_e_per_A2"):
        assert np.isnan(mine[name].values).all()
    assert np.isfinite(mine.mahalanobis.values).any()  # this one needs no condition


def test_rankings_are_what_they_are_without_micrographs(tested):
    """The report of the campaign without them stands beside the new one."""
    old, new = (tested.folder / "results/reports" / campaign.report_id / "tables"
                for campaign in (tested.campaign(), campaign_of(tested)))  # fmt: skip
    names = {path.name for path in old.iterdir()}
    assert {path.name for path in new.iterdir()} == names | {"measured.csv"}
    for name in names - {"ood_matrix.csv"}:
        assert (new / name).read_text() == (old / name).read_text()
    matrix, before = (pd.read_csv(folder / "ood_matrix.csv") for folder in (new, old))
    assert list(matrix.columns) == [*before.columns, f"{MEASURED}: mine"]
    assert matrix[before.columns].equals(before)


def test_the_gap_has_an_interval(tested):
    campaign = campaign_of(tested)
    folder = tested.folder / "results/reports" / campaign.report_id
    table = pd.read_csv(folder / "tables/measured.csv")
    assert len(table) == 3
    assert set(table.suite) == {"mine"}
    assert set(table.images) == {2}
    assert (table.gap_low <= table.gap).all()
    assert (table.gap <= table.gap_high).all()
    assert (table.gap_low < table.gap_high).any()
    matrix = pd.read_csv(folder / "tables/ood_matrix.csv")
    assert sorted(matrix[f"{MEASURED}: mine"]) == pytest.approx(sorted(table.f1), abs=1e-5)
    text = (folder / "report.html").read_text()
    assert "gap from simulation to the 2 measured micrographs of mine" in re.sub(r"\s+", " ", text)
    assert not re.search(r"\bnan\b", text.split("base64")[0], re.IGNORECASE)
    done = subprocess.run([warm.python(), "-m", "hrtem_ood", "summary", "change.yaml"],
                          cwd=tested.folder, capture_output=True, text=True, check=True)  # fmt: skip
    assert "Micrographs of mine" in done.stdout
    assert "Gap from simulation to experiment" in done.stdout


def test_contents_count_and_names_do_not(tested, tmp_path):
    project = tested.copy(tmp_path / "copy")
    assert project.after(SUITE) == {}
    for kind in ("images", "labels"):
        (project.folder / kind / "one.tif").rename(project.folder / kind / "first.tif")
    renamed = {"test_suites": {"mine": {"micrographs": ["images/*.tif"], "labels": "labels/*.tif", "repair": True}}}
    with contextlib.chdir(project.folder):
        names = [spec.content()["files"] for spec in project.campaign(renamed).labelled_sets.values()]
        assert sorted(names[0]) == sorted(campaign_of(tested).labelled_set_of["mine"].content()["files"])
    path = project.folder / "images/other_grid.tif"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert project.after(SUITE) == NEW
    unrepaired = {"test_suites": {"mine": SUITE["test_suites"]["mine"] | {"repair": False}}}
    assert project.after(unrepaired) == NEW


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"micrographs": "images/*.mrc"}, ["test_suites.mine.micrographs", "images/*.mrc"]),
        ({"labels": "labels/one.tif"}, ["test_suites.mine.labels", "empty.tif", "other_grid.tif"]),
        ({"micrographs": []}, ["test_suites.mine.micrographs"]),
        ({"pixel_size_A": 0}, ["test_suites.mine.pixel_size_A"]),
        ({"structure_set": "test"}, ["test_suites.mine.structure_set", "unknown key"]),
    ],
)
def test_mistakes_name_key_and_file(tested, change, words):
    with pytest.raises(ConfigError) as error:
        tested.campaign({"test_suites": {"mine": SUITE["test_suites"]["mine"] | change}})
    assert all(word in str(error.value) for word in words), str(error.value)


def test_labels_that_do_not_fit_are_found_before_a_run(tested, tmp_path):
    project = tested.copy(tmp_path / "copy")
    (project.folder / "labels/one.tif").write_bytes(tiff(np.zeros((3, 3), np.uint8), 0.8))
    for verb in ("validate", "plan"):
        done = subprocess.run([warm.python(), "-m", "hrtem_ood", verb, "change.yaml"],
                              cwd=project.folder, capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 2, done.stdout + done.stderr
        assert "test_suites.mine" in done.stderr
        assert "labels/one.tif" in done.stderr
        assert "Traceback" not in done.stderr

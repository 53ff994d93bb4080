"""A synthetic campaign with labelled micrographs: store, tables, figures and page against the scores that were put in."""

import copy

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hrtem_ood.analysis.gather import MEASURED
from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.results import analyse_campaign
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.report_files import report_files
from hrtem_ood.cli.render.summary import measured_tables
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.inference.measured_f1 import _micrographs, _points
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.figures import measured as figure
from hrtem_ood.report.figures import ood_matrix
from hrtem_ood.stages.report import report

pytestmark = pytest.mark.slow

IMAGES = 5
"""More than the simulated datasets have; the last has no particle."""


def suite(digit="1", number=IMAGES):
    files = [
        {
            "micrographs": f"{n}.tif",
            "labels": f"{n}.png",
            "micrographs_sha256": digit * 63 + str(n),
            "labels_sha256": "0" * 64,
        }
        for n in range(number)
    ]
    return {"micrographs": "*.tif", "labels": "*.png", "files": files}


def f1_of(network, image):
    return 0.5 + 0.05 * image - 0.02 * network.hyperparameters.seed


def write_measured(made):
    """Write the evaluations on labelled sets, and the lists of their images."""
    campaign = made.campaign
    for job in campaign.evaluations.values():
        (id_,) = job.suite.datasets[:1]
        if id_ not in campaign.labelled_sets:
            continue
        f1 = np.array([[[f1_of(network, image) for image in range(IMAGES)]] for network in job.networks], np.float32)
        scores = {name: f1.copy() for name in METRICS}
        for name in ("f1", "iou", "precision", "recall"):
            scores[name][..., -1] = np.nan
        dims = ("network", "condition", "image")
        feature = np.random.default_rng(0).standard_normal((len(f1), 1, IMAGES, 2)).astype(np.float16)
        data = {name: (dims, values) for name, values in scores.items()}
        data |= {"feature": ((*dims, "channel"), feature), "features": ("network", np.full(len(f1), 2))}
        ids = np.array([network.id for network in job.networks], dtype=object)
        coordinates = {"network": ids, "condition": np.array([id_], dtype=object), "image": np.arange(IMAGES)}
        told = store.provenance(job.spec, seconds=2.0, device="cpu")
        store.write_zarr(made.path("evaluations", job.spec.id), xr.Dataset(data, coords=coordinates), told)
        listed = {id_: {"images": IMAGES, "sha256": "0" * 64, "stage": "labelled_sets"}}
        provenance = store.provenance(job.suite, seconds=0.1, device="cpu")
        store.write_json(made.path("suites", job.suite.id), {"datasets": listed, **provenance})
    return made


@pytest.fixture
def tested(make, config):
    """Return the synthetic campaign with two sets of micrographs; without networks' files, hence without curves."""
    config = copy.deepcopy(config)
    config["test_suites"] |= {"mine": suite(), "others": suite("2")}
    return write_measured(make(config))


def test_a_store_holds_both_kinds_of_columns(tested):
    metrics = tested.gathered()
    assert list(metrics.structure_set.values) == ["test"] * 3 + [MEASURED] * 2
    assert list(metrics.label.values[3:]) == ["mine", "others"]
    assert list(metrics.images.values) == [3, 3, 3, IMAGES, IMAGES]
    for id_, network in tested.campaign.networks.items():
        row = metrics.sel(network=id_)
        expected = np.mean([f1_of(network, image) for image in range(IMAGES - 1)])
        np.testing.assert_allclose(row.mean_f1.values[3:], expected, atol=1e-6)
        inside = row.mean_f1.values[:3][row.in_domain.values[:3]].mean()
        np.testing.assert_allclose(row.gap_f1.values[3:], expected - inside, atol=1e-6)
        # of all images: they need no particle
        np.testing.assert_allclose(
            row.mean_entropy.values[3:], np.mean([f1_of(network, n) for n in range(IMAGES)]), atol=1e-6
        )
    assert np.isnan(metrics.sigma.values[:, 3:]).all()
    assert np.isfinite(metrics.sigma.values[:, :3]).all()
    assert np.isnan(metrics.epsilon.values[3:]).all()
    assert not metrics.minimum_contrast.values[3:].any()
    assert np.isnan(metrics.f1.values[:, :3, 3:]).all()


def test_simulated_columns_are_those_of_the_campaign_without(tested, synthetic):
    tested.gathered(), synthetic.gathered()
    mine, plain = (read_metrics(each.campaign, each.results) for each in (tested, synthetic))
    xr.testing.assert_identical(mine.drop_attrs().drop_vars("suites"), plain.drop_attrs().drop_vars("suites"))


def test_what_is_known_of_a_network_tells_micrographs_apart(tested):
    metrics = tested.gathered().isel(network=0)
    assert list(_micrographs(metrics)) == ["mine", "others"]
    assert len(_points(metrics)) == 3


def test_tables_figures_and_page(tested, monkeypatch):
    from hrtem_ood.analysis import results as module

    class NoCurves:
        def table(self):
            return pd.DataFrame()

    tested.gathered()
    monkeypatch.setattr(module, "read_learning_curves", lambda *_: NoCurves())
    found = analyse_campaign(tested.campaign, tested.results)
    table = found.tables["measured"]
    assert list(table.suite) == ["mine"] * 3 + ["others"] * 3
    assert set(table.images) == {IMAGES - 1}
    np.testing.assert_allclose(table.f1, 0.5 + 0.05 * 1.5 - 0.01, atol=1e-6)  # median of two seeds
    assert (table.f1_low < table.f1).all()
    assert (table.f1 < table.f1_high).all()
    np.testing.assert_allclose(table.gap, table.f1 - table.in_domain_f1, atol=1e-6)
    matrix = found.tables["ood_matrix"]
    np.testing.assert_allclose(matrix[f"{MEASURED}: mine"], table.f1[:3])
    both = found.measured.beside(found.cells)
    assert both.sizes["condition"] == 5
    assert not both.in_domain.values[:, 3:].any()
    np.testing.assert_array_equal(both.f1.values[:, :3], found.cells.f1.values)
    data = ReportData(tested.campaign, tested.results, found)
    assert len(ood_matrix.draw(data).axes) == 3  # two heat maps and the scale of colours
    assert "whose condition nobody knows" in ood_matrix.caption(data)
    assert len(figure.draw(data).axes) == 2
    assert "mine: −0." in figure.caption(data)
    assert "(4 images)" in figure.caption(data)
    assert {"tables/measured.csv", "figures/measured.svg"} <= set(report_files(tested.campaign))
    titles = [str(each.title) for each in measured_tables(tested.campaign, tested.results)]
    assert [("mine" in titles[0]), ("others" in titles[1])] == [True, True]


@pytest.mark.usefixtures("undrawn")
def test_the_page_is_written(tested):
    from tests.unit.synthetic import write_network_file

    tested.gathered()
    for id_ in tested.campaign.networks:
        write_network_file(tested, id_)
    report(tested.campaign, tested.results)
    page = (tested.folder / "report.html").read_text()
    assert 'id="measured"' in page
    assert "measured micrographs of others" in " ".join(page.split())
    assert (tested.folder / "tables/measured.csv").exists()

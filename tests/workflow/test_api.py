"""The Python interface: what its page and docstrings show works, and agrees with what a campaign stored."""

import contextlib
import doctest
import gc
import math
import re
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest

import hrtem_ood
from hrtem_ood.artifacts.store import read_zarr

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def campaign(finished):
    """Return the finished campaign; the tests run in its folder."""
    with contextlib.chdir(finished.folder):
        yield hrtem_ood.load_campaign("config/config.yaml")


@pytest.mark.parametrize("name", hrtem_ood.__all__)
@pytest.mark.usefixtures("campaign")
def test_examples_work(name):
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(hrtem_ood, name), name, globs={})
    assert example.examples
    differences: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=differences.append)
    assert "".join(differences) == ""


def test_the_page_has_every_name():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: hrtem_ood\.(\w+)$", page, re.MULTILINE)) == sorted(hrtem_ood.__all__)


def test_the_names_that_the_page_uses_exist():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"hrtem_ood\.(\w+)\(", page)) <= set(hrtem_ood.__all__)


def test_the_package_lists_its_names():
    assert set(hrtem_ood.__all__) <= set(dir(hrtem_ood))
    with pytest.raises(AttributeError, match="no attribute 'load_campain'"):
        _ = hrtem_ood.load_campain


def test_datasets_open_by_id_and_by_parameters(campaign):
    for id_, row in hrtem_ood.list_datasets(campaign).iterrows():
        one = hrtem_ood.open_dataset(campaign, id_)
        other = hrtem_ood.open_dataset(campaign, structure_set=row.structure_set, defocus_A=row.defocus_A)
        assert one.attrs["id"] == other.attrs["id"] == id_
        assert one.sizes["image"] == row.n_structures


def test_what_was_selected_outlives_the_dataset(campaign):
    dataset = hrtem_ood.open_dataset(campaign, structure_set="test", defocus_A=100)
    first = dataset.counts.isel(image=0)
    stored = read_zarr(Path("results/datasets") / f"{dataset.attrs['id']}.zarr.zip").counts.values[0]
    del dataset
    gc.collect()
    np.testing.assert_array_equal(first.values, stored)


def test_a_closed_dataset_is_closed(campaign):
    waves = hrtem_ood.open_exit_waves(campaign, "train")
    with waves:
        assert np.isfinite(waves.exit_wave.values).all()
        assert open_shards() == 2
    assert open_shards() == 0


def open_shards():
    """Return how many exit-wave shards this process has open."""
    gc.collect()
    return sum("/exit_waves/" in file.path for file in psutil.Process().open_files())


def test_exit_waves_of_a_set_are_its_shards_in_order(campaign):
    together = hrtem_ood.open_exit_waves(campaign, "train")
    shards = [hrtem_ood.open_exit_waves(campaign, shard.id) for _, shard in campaign.shards("train")]
    assert [shard.sizes["structure"] for shard in shards] == [3, 3]
    assert together.structure.values.tolist() == list(range(6))
    np.testing.assert_array_equal(together.exit_wave[3:], shards[1].exit_wave)
    assert together.attrs["energy_eV"] == 300e3
    assert set(together.data_vars) == set(shards[0].data_vars)


def test_epsilon_and_sigma_are_those_of_the_campaign(campaign):
    stored = read_zarr(hrtem_ood.Results(Path("results")).path("transfer", campaign.transfer.id))
    optics = {
        "energy_eV": campaign.config.simulation.energy_eV,
        "pixel_size_A": campaign.config.imaging.pixel_size_A,
        "transfer": campaign.config.transfer,
    }
    conditions = campaign.transfer.conditions
    assert len(conditions) == 2
    for row, condition in enumerate(conditions):
        assert hrtem_ood.epsilon(condition, **optics) == pytest.approx(float(stored.epsilon[row]), rel=1e-12)
        for column, other in enumerate(conditions):
            value = hrtem_ood.sigma(condition, other, **optics)
            assert value == pytest.approx(float(stored.sigma[row, column]), rel=1e-12)


def test_cells_hold_what_the_ranking_uses(campaign):
    cells = hrtem_ood.read_cells(campaign)
    with hrtem_ood.Results(Path("results")).open("predictors", campaign.predictors_id) as predictors:
        assert set(predictors.data_vars) <= set(cells.columns)
        for row in cells.itertuples():
            cell = predictors.sel(training_set=row.training_id, condition=row.dataset)
            assert row.sigma == float(cell.sigma)
    single = cells[~cells.mixed]
    assert single.in_domain.sum() == len(single) / 2
    np.testing.assert_allclose(single.gap[single.in_domain], 0, atol=1e-12)
    np.testing.assert_allclose(single.regret[single.in_domain], 0, atol=1e-12)
    np.testing.assert_allclose(cells.score, cells.f1_median, rtol=1e-6)


def test_the_ranking_is_that_of_the_report(campaign, finished):
    import pandas as pd

    written = next((finished.folder / "results/reports").glob("*/tables/predictor_ranking.csv"))
    ranking = hrtem_ood.rank_predictors(campaign)
    pd.testing.assert_frame_equal(
        ranking, pd.read_csv(written), check_dtype=False, rtol=1e-5, atol=1e-5, check_names=False
    )


def test_predictions_are_those_of_segmentation(campaign):
    network = hrtem_ood.load_network(hrtem_ood.list_networks(campaign).index[-1])
    counts = hrtem_ood.open_dataset(campaign, structure_set="test", defocus_A=-100).counts.values
    together = hrtem_ood.predict(network, counts)
    np.testing.assert_array_equal(hrtem_ood.predict(network, counts[1]), together[1])
    micrograph = hrtem_ood.Micrograph.from_array(counts[1], pixel_size_A=0.8)
    found = hrtem_ood.segment(network, micrograph)
    np.testing.assert_array_equal(found.probability, together[1])
    np.testing.assert_array_equal(found.mask, together[1] > 0.5)
    assert found.particles.area_A2.sum() == pytest.approx(found.mask.sum() * 0.64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: hrtem_ood.open_dataset(c, "df100"), r"dataset: there is no 'df100'; .*Valid: "),
        (lambda c: hrtem_ood.open_dataset(c, defocus_A=100), "2 datasets of campaign tiny have .*defocus_A=100: "),
        (lambda c: hrtem_ood.open_dataset(c, defocus_A=7), "no dataset of campaign tiny has .*defocus_A=7"),
        (lambda c: hrtem_ood.open_dataset(c, defocus=7), "parameter: there is no 'defocus'; did you mean `defocus_A`"),
        (lambda c: hrtem_ood.open_dataset(c, structure_set="x"), "structure_set: there is no 'x'; Valid: train, test"),
        (lambda c: hrtem_ood.open_dataset(c, next(iter(c.datasets)), defocus_A=100), "either by its id or"),
        (lambda c: hrtem_ood.open_exit_waves(c, "tarin"), r"structure set: there is no 'tarin'; did you mean `train`"),
        (
            lambda _: hrtem_ood.epsilon(_chi(), energy_eV=-1, pixel_size_A=1),
            r"energy_eV: must be from 10000 to 3e\+06 eV, not -1",
        ),
        (lambda _: hrtem_ood.sigma(_chi(), _chi(), energy_eV=1e5, pixel_size_A=math.nan), "pixel_size_A: must be"),
        (lambda c: hrtem_ood.predict(_network(c), np.zeros((2, 2))), "images: have 2 × 2 px; the network needs 8"),
        (lambda c: hrtem_ood.predict(_network(c), np.zeros(9)), r"images: must be real numbers .*, not float64 \(9,\)"),
        (lambda c: hrtem_ood.predict(_network(c), np.full((32, 32), np.nan)), "images: hold NaN or infinite values"),
        (
            lambda _: hrtem_ood.Micrograph.from_array(np.eye(9), pixel_size_A=0),
            "pixel_size_A: must be a number above 0",
        ),
        (
            lambda _: hrtem_ood.Micrograph.from_array(np.ones(9), pixel_size_A=1),
            r"image: must be real numbers \(y, x\)",
        ),
    ],
)
def test_mistakes_in_arguments_are_told(campaign, call, message):
    with pytest.raises(hrtem_ood.ArgumentError, match=message):
        call(campaign)


def _chi():
    return hrtem_ood.Condition(defocus_A=50, dose_e_per_A2=400)


def _network(campaign):
    return hrtem_ood.load_network(next(iter(campaign.networks)))


@pytest.mark.parametrize(
    "call",
    [
        lambda c, **where: hrtem_ood.open_dataset(c, next(iter(c.datasets)), **where),
        lambda c, **where: hrtem_ood.open_exit_waves(c, "test", **where),
        hrtem_ood.open_metrics,
        hrtem_ood.read_cells,
        hrtem_ood.rank_predictors,
        lambda c, **where: hrtem_ood.load_network(next(iter(c.networks)), **where),
    ],
)
def test_what_is_missing_or_damaged_is_told(campaign, tmp_path, call):
    with pytest.raises(hrtem_ood.ArtifactError, match=r"is missing\."):
        call(campaign, results=tmp_path)
    shutil.copytree("results", tmp_path / "results")
    for path in (tmp_path / "results").glob("*/*.*"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(hrtem_ood.ArtifactError, match="is damaged"):
        call(campaign, results=tmp_path / "results")

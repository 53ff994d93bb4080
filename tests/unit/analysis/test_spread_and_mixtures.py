"""Variance components and the law of mixtures, on numbers whose answer is given."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.mixture_cells import published_mixture_cells
from hrtem_ood.analysis.mixture_law import interval_widths, mixture_law, published_mixture_law
from hrtem_ood.analysis.published_cells import read_cell_table, write_cells
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.results import analyse_campaign
from hrtem_ood.analysis.variance_components import variance_components
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.errors import ArtifactError
from hrtem_ood.stages.metrics import metrics as run_metrics

SETS, TESTS = 40, 30
ROOT = Path(__file__).parents[3]


def _drawn(cell: float, rate: float, seed: float, rates: int = 3, seeds: int = 4) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw gaps with given standard deviations, of networks of the same learning rates and seeds for every training set."""
    rng = np.random.default_rng(7)
    whole = rng.normal(0, cell, (SETS, 1, 1, TESTS)) + rng.normal(0, rate, (SETS, rates, 1, TESTS))
    gap = (whole + rng.normal(0, seed, (SETS, rates, seeds, TESTS))).reshape(-1, TESTS)
    place = np.array(np.unravel_index(np.arange(len(gap)), (SETS, rates, seeds)))
    names, tests = np.array([f"set{n}" for n in range(SETS)]), np.array([f"test{n}" for n in range(TESTS)])
    coords: dict[str, Any] = {
        "condition": tests,
        "training_id": ("network", names[place[0]]),
        "learning_rate": ("network", 0.01 * (1 + place[1])),
        "seed": ("network", place[2]),
        "diverged": ("network", np.zeros(len(gap), bool)),
    }
    metrics = xr.Dataset({"gap_f1": (("network", "condition"), gap)}, coords=coords)
    both = ("training_set", "condition")
    outcomes = xr.Dataset(
        {
            "gap": (both, np.median(gap.reshape(SETS, -1, TESTS), axis=1)),
            "shift": (both, np.full((SETS, TESTS), "dose", dtype=object)),
            "group": (both, np.full((SETS, TESTS), "", dtype=object)),
            "mixed": ("training_set", np.zeros(SETS, bool)),
            "minimum_contrast": ("condition", np.zeros(TESTS, bool)),
            "place": ("condition", np.arange(TESTS)),
        },
        coords={"training_set": names, "condition": tests},
    )
    return metrics, outcomes


def test_variance_components_are_those_that_were_drawn() -> None:
    deviations = (0.2, 0.05, 0.1)
    found = variance_components(*_drawn(*deviations), Analysis(bootstrap_resamples=200))
    assert found is not None
    assert (found.cells, found.networks, found.replicated) == (SETS * TESTS, SETS * 12, SETS * 3)
    for component, expected in zip(found.components, deviations, strict=True):
        assert component.deviation == pytest.approx(expected, rel=0.1)
        assert component.low < component.deviation < component.high
    assert sum(each.share for each in found.components) == pytest.approx(1)
    assert found.components[2].share == pytest.approx(0.01 / 0.0525, rel=0.1)


def test_unequal_numbers_of_networks_give_the_same_components() -> None:
    metrics, outcomes = _drawn(0.2, 0.05, 0.1)
    some = (metrics.seed.values < 2) | (metrics.learning_rate.values < 0.015)
    found = variance_components(metrics.isel(network=some), outcomes, Analysis(bootstrap_resamples=100))
    assert found is not None
    assert [each.deviation for each in found.components] == pytest.approx([0.2, 0.05, 0.1], rel=0.15)


def test_without_replicates_there_are_no_components() -> None:
    metrics, outcomes = _drawn(0.2, 0.05, 0.1)
    assert variance_components(metrics.isel(network=metrics.seed.values == 0), outcomes, Analysis()) is None


@pytest.mark.slow
def test_the_law_of_mixtures_is_the_one_that_scores_were_made_by(
    config: dict[str, Any], make: Any, tmp_path: Path
) -> None:
    defoci = [-150, -100, -50, 50, 100, 150]
    config["conditions"] = {"many": {"defocus_A": defoci, "dose_e_per_A2": 400, "focal_spread_A": 20}}
    common = {"structure_set": "train", "conditions": "many", "n_images": 4, "n_validation_structures": 1}
    drawn = {"mixture": True, "drawn": {"n_conditions": [2, 4], "number": 5}}
    config["training_sets"] = {"single": common, "drawn": common | drawn}
    config["networks"]["unet"] |= {"training_sets": ["single", "drawn"], "seed": 0}
    config["test_suites"] = {"test": {"structure_set": "test", "conditions": "many"}}
    config["analysis"] = {"bootstrap_resamples": 100}
    campaign = Campaign(CampaignConfig.model_validate(config))

    def f1(network: Any, dataset: Any, _image: int) -> float:
        trained = campaign.training_set_by_id[network.training_set].datasets
        own = any(campaign.datasets[each].condition == dataset.condition for each in trained)
        k = len(trained)
        return 0.8 - 0.03 * np.log(k) if own else 0.5 + 0.05 * np.log(k)

    written = make(config, rule=f1)
    run_metrics(campaign, written.results)
    law = mixture_law(campaign, training_set_outcomes(campaign, read_metrics(campaign, written.results)))
    assert law is not None
    assert [(row.conditions, row.mixtures) for row in law.rows] == [(2, 5), (4, 5)]
    assert law.own_per_log.value == pytest.approx(-0.03, abs=1e-5)
    assert law.rows[1].own.value == pytest.approx(-0.03 * np.log(4), abs=1e-5)
    # the networks of a condition alone have 0.5 under every other one
    assert law.average_per_log.value == pytest.approx(0.05, abs=1e-5)
    assert law.rows[0].best.value == pytest.approx(0.05 * np.log(2), abs=1e-5)
    # from its published cells, which have five digits, comes the same law with the same intervals
    results = analyse_campaign(campaign, written.results)
    path = write_cells(campaign, written.results, results, tmp_path)[0]
    again = published_mixture_law(path, campaign.config.analysis)
    assert again is not None
    for row, other in zip(law.rows, again.rows, strict=True):
        np.testing.assert_allclose(np.hstack(row), np.hstack(other), atol=2e-5)
    np.testing.assert_allclose(law.average_per_log, again.average_per_log, atol=2e-5)
    assert interval_widths(law, law) == {"least": 1, "largest": 1, "slope": 1}


def test_the_law_of_published_cells_is_that_of_the_page() -> None:
    analysis = Analysis(bootstrap_resamples=400, confidence_level=0.95)
    law = published_mixture_law(ROOT / "docs/data/thousands_cells.csv.gz", analysis)
    assert law is not None
    page = (ROOT / "docs/thousands.md").read_text()
    numbers = re.search(r"Per factor e of k, through 0 at k = 1: own (\S+) .*, average (\S+) \[", page)
    assert numbers is not None
    found = [float(each.replace("\N{MINUS SIGN}", "-")) for each in numbers.groups()]
    assert found == pytest.approx([law.own_per_log.value, law.average_per_log.value], abs=6e-4)


def _cells(path: Path, **change: list[float]) -> Path:
    """Write two conditions alone and their mixture, and a third condition under which all are tested."""
    trained = ["0", "1", "0 1"]
    rows = pd.DataFrame({"trained": np.repeat(trained, 3), "tested": [0, 1, 2] * 3})
    rows["training_set"] = np.repeat(["single", "single", "mixed"], 3)
    rows["train_structures"], rows["test_structures"] = "train", "test"
    own = [str(tested) in one.split() for one, tested in zip(rows.trained, rows.tested, strict=True)]
    rows["shift"] = np.where(own, "in-domain", "defocus")
    rows["log_n_images"], rows["mixture_entropy"] = 2.0, np.repeat([0, 0, np.log(2)], 3)
    rows["f1"], rows["regret"] = [0.8, 0.4, 0.3, 0.4, 0.8, 0.5, 0.7, 0.7, 0.6], [0, -0.4, 0, -0.4, 0, 0, -0.1, -0.1, 0]
    rows.assign(**{name: np.repeat(values, 3) for name, values in change.items()}).to_csv(path, index=False)
    return path


def test_a_mixture_is_compared_with_its_conditions_alone(tmp_path: Path) -> None:
    cells = published_mixture_cells(read_cell_table(_cells(tmp_path / "cells.csv"), "f1"))
    assert set(cells.size) == {2}
    np.testing.assert_allclose(cells.own, [-0.1, -0.1, np.nan])
    np.testing.assert_allclose(cells.average, [np.nan, np.nan, 0.6 - 0.4])
    np.testing.assert_allclose(cells.best, [np.nan, np.nan, 0.6 - 0.5])
    np.testing.assert_array_equal(cells.place, [0, 1, 2])


@pytest.mark.parametrize(
    "change", [{"log_n_images": [2.0, 2.0, 2.7]}, {"mixture_entropy": [0, 0, 0.5]}], ids=["images", "shares"]
)
def test_other_numbers_of_images_and_unequal_shares_are_left_out(
    tmp_path: Path, change: dict[str, list[float]]
) -> None:
    assert not published_mixture_cells(read_cell_table(_cells(tmp_path / "cells.csv", **change), "f1")).size.size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="regret"), "is not a table of cells: .*regret"),
        (lambda table: table.drop(columns="f1"), "is not a table of cells: 'f1'"),
        (lambda table: pd.concat([table, table]), "training set 'single' has two scores under condition 0"),
        (lambda table: table.assign(trained="0 x"), "invalid literal"),
        (lambda table: table.assign(tested=-1), "conditions are numbered from 0"),
        (lambda table: table.assign(tested=[10**400, *table.tested[1:]]), "too large"),
        (lambda table: table.assign(tested=0.5), "conditions are numbered from 0"),
        (lambda table: table.assign(trained=""), "conditions are numbered from 0"),
        (lambda table: table.assign(mixture_entropy="?"), "could not convert"),
        (lambda table: table.assign(log_n_images=["", *table.log_n_images[1:]]), "log_n_images is no finite number"),
        (lambda table: table.assign(f1=["", *table.f1[1:]]), "f1 is no finite number"),
        (lambda table: table.assign(f1=100 * table.f1), "f1 is at least 0.0 and at most 1.0"),
    ],
)
def test_a_file_that_is_no_table_of_cells_is_told(tmp_path: Path, change: Any, message: str) -> None:
    path = _cells(tmp_path / "cells.csv")
    change(pd.read_csv(path, dtype={"trained": str})).to_csv(path, index=False)
    with pytest.raises(ArtifactError, match=message):
        published_mixture_law(path, Analysis())


@pytest.mark.parametrize("name", ["cells.zip", "cells.csv.xz", "cells.tar.gz", "cells.csv.gz", "cells.csv.zst"])
def test_a_file_of_another_kind_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((_cells(tmp_path / "cells.csv")).read_bytes()[:40] + bytes(range(128, 256)))
    with pytest.raises(ArtifactError, match=f"{name}: is no"):
        published_mixture_law(path, Analysis())


def test_names_that_pandas_takes_for_missing_are_names(tmp_path: Path) -> None:
    path = _cells(tmp_path / "cells.csv")
    table = pd.read_csv(path, dtype={"trained": str}).replace({"training_set": {"single": "NA", "mixed": "nan"}})
    table.assign(train_structures="None").to_csv(path, index=False)
    cells = published_mixture_cells(read_cell_table(path, "f1"))
    np.testing.assert_allclose(cells.own, [-0.1, -0.1, np.nan])


def test_a_mixture_is_compared_with_as_many_images(tmp_path: Path) -> None:
    """Singles and mixtures of another number of images beside, in any order, change nothing."""
    path = _cells(tmp_path / "cells.csv")
    table = pd.read_csv(path, dtype={"trained": str})
    more = table.assign(log_n_images=3.0, f1=table.f1 / 2, regret=table.regret / 2)
    for both in ([table, more], [more, table]):
        pd.concat(both).to_csv(path, index=False)
        cells = published_mixture_cells(read_cell_table(path, "f1"))
        assert sorted(cells.best[np.isfinite(cells.best)]) == pytest.approx([0.05, 0.1])


def test_one_size_of_mixtures_makes_no_law(tmp_path: Path) -> None:
    assert published_mixture_law(_cells(tmp_path / "cells.csv"), Analysis()) is None


def test_a_loss_is_better_where_it_is_smaller(tmp_path: Path) -> None:
    path = _cells(tmp_path / "cells.csv")
    table = pd.read_csv(path, dtype={"trained": str}).rename(columns={"f1": "cross_entropy"})
    table.assign(cross_entropy=1 - table.cross_entropy).to_csv(path, index=False)
    cells = published_mixture_cells(read_cell_table(path, "cross_entropy"))
    np.testing.assert_allclose(cells.best, [np.nan, np.nan, 0.6 - 0.5])

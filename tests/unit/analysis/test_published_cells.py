"""Published cells: a table that another model can be fitted to, and from which the forecaster can be made again."""

import doctest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from hrtem_ood.analysis import published_cells
from hrtem_ood.analysis.campaign_forecast import read_predictors
from hrtem_ood.analysis.published_cells import read_published, write_cells
from hrtem_ood.analysis.ranking.forecast_comparison import campaign_cells
from hrtem_ood.analysis.results import analyse_campaign
from hrtem_ood.campaign.domain import IMAGING_SHIFTS
from hrtem_ood.errors import ArtifactError
from hrtem_ood.stages.metrics import metrics
from hrtem_ood.transfer.forecast.choose_file import SHIPPED
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.forecaster_files import read_forecaster

ROOT = Path(__file__).parents[3]


def test_another_model_is_fitted_to_the_published_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = doctest.testmod(published_cells)
    assert (done.failed, done.attempted) == (0, 7)


def test_the_forecaster_of_the_designs_follows_from_the_published_cells() -> None:
    (path,) = (ROOT / "config/forecasters").glob("*.json")
    stored = read_forecaster(path)
    cells = read_published(ROOT / "docs/data/transfer_cells.csv.gz")
    again = Forecaster.fit(cells, metric="f1", bounds=(0, 1), pixel_size_A=0.4)
    np.testing.assert_allclose(again.score(cells.descriptors), stored.score(cells.descriptors), atol=1e-6)
    assert again.performance.coverage == pytest.approx(stored.performance.coverage, abs=1e-3)
    assert path.name in (ROOT / "config/experiments/confirm.yaml").read_text()


@pytest.mark.slow
def test_the_forecaster_of_the_package_follows_from_the_published_cells() -> None:
    (path,) = SHIPPED.glob("*.json")
    stored = read_forecaster(path)
    cells = read_published(ROOT / "docs/data/confirm_cells.csv.gz")
    assert (len(cells), cells.trained.shape[1]) == (stored.performance.n_cells, stored.performance.n_conditions)
    table = pd.read_csv(ROOT / "docs/data/confirm_cells.csv.gz")
    counted = (table["shift"].isin(IMAGING_SHIFTS) & table["group"].isna()).to_numpy()
    again = Forecaster.fit(cells, metric="f1", bounds=(0, 1), pixel_size_A=0.4, counted=counted)
    # the table has five digits
    np.testing.assert_allclose(again.score(cells.descriptors), stored.score(cells.descriptors), atol=2e-3)
    made, kept = again.performance, stored.performance
    assert (made.n_forecast, [each.n for each in made.bins]) == (kept.n_forecast, [each.n for each in kept.bins])
    assert made.coverage == pytest.approx(kept.coverage, abs=5e-3)
    # the page has the same numbers of the same cells
    page = (ROOT / "docs/results.md").read_text()
    assert f"on {kept.n_forecast} of them under an imaging shift" in page
    assert f"contain {100 * kept.coverage:.1f} %" in page
    for each in kept.bins:
        assert f"| {each.least:.2f} to {each.most:.2f} | {each.n} | {100 * each.coverage:.1f} % |" in page


def test_the_page_s_gains_of_designs_follow_from_what_is_published() -> None:
    """From the table of designs exactly; from cells, which are medians over networks, another number, which the page states."""
    page = (ROOT / "docs/results.md").read_text()
    designs = pd.read_csv(ROOT / "docs/data/confirm_designs.csv")
    for statistic in ("mean", "worst"):
        of = designs.pivot_table(statistic, ["use", "conditions"], "kind")
        for kind in ("uniform", "random"):
            assert f"{statistic} better than {kind} by {(of.designed - of[kind]).mean():+.3f} [" in page
    cells = pd.read_csv(ROOT / "docs/data/confirm_cells.csv.gz", dtype={"trained": str})
    configured = yaml.safe_load((ROOT / "config/experiments/confirm.yaml").read_text())
    conditions = pd.read_csv(ROOT / "docs/data/confirm_conditions.csv").set_index("number")
    score = cells.groupby(["trained", "tested"]).f1.first()

    def numbers(grid: str) -> set[int]:
        points = configured["conditions"][grid]
        return {
            int(conditions.index[np.isclose(conditions[list(each)], list(each.values())).all(axis=1)][0])
            for each in points
        }

    def worst(training_set: str, use: str) -> float:
        members = numbers(training_set)
        (trained,) = (each for each in score.index.unique("trained") if {*map(int, each.split())} == members)
        return float(score[trained][sorted(numbers(use))].min())

    draws = configured["analysis"]["design_draws"]
    gains = [worst(draw["designed"], draw["use"]) - worst(draw["uniform"], draw["use"]) for draw in draws]
    assert f"in the worst score than uniform ones by {np.mean(gains):+.3f}" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trained": "-1"}, "conditions are numbered from 0"),
        ({"trained": "20000000"}, "conditions are numbered from 0"),
        ({"trained": "one"}, "invalid literal"),
        ({"tested": 1.5}, "conditions are numbered from 0"),
        ({"f1": "good"}, "could not convert"),
        ({"f1": None}, "is not a table of cells"),
    ],
)
def test_damaged_cells_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    table = pd.read_csv(ROOT / "docs/data/transfer_cells.csv.gz", dtype={"trained": str}).head(3)
    for column, value in changes.items():
        table = table.drop(columns=column) if value is None else table.assign(**{column: value})
    path = tmp_path / "cells.csv"
    table.to_csv(path, index=False)
    with pytest.raises(ArtifactError, match=f"cells.csv: .*{words}"):
        read_published(path)


@pytest.mark.parametrize("content", [None, b"", b"\x1f\x8b\x08cut", b"\xff\xfe"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "cells.csv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"cells\.csv\.gz: is no table of cells"):
        read_published(path)


@pytest.mark.slow
def test_cells_survive_publication(config: dict[str, Any], make: Callable[..., Any], tmp_path: Path) -> None:
    written = make(config)
    metrics(written.campaign, written.results)
    results = analyse_campaign(written.campaign, written.results)
    paths = write_cells(written.campaign, written.results, results, tmp_path / "data")
    assert [path.name for path in paths] == ["synthetic_cells.csv.gz", "synthetic_conditions.csv"]
    first = paths[0].read_bytes()
    stored = read_predictors(written.campaign, written.results)
    expected = campaign_cells(written.campaign, results.outcomes, stored.descriptors).cells
    found = read_published(paths[0])
    np.testing.assert_allclose(found.score, expected.score, rtol=1e-4)
    np.testing.assert_allclose(found.descriptors, expected.descriptors, rtol=1e-4, atol=1e-12)
    np.testing.assert_array_equal(found.trained, expected.trained)
    np.testing.assert_array_equal(found.tested, expected.tested)
    assert len(paths[1].read_text().splitlines()) == 1 + expected.trained.shape[1]
    write_cells(written.campaign, written.results, results, tmp_path / "data")
    assert paths[0].read_bytes() == first


@pytest.mark.slow
def test_too_many_cells_are_not_published(
    config: dict[str, Any], make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = make(config)
    metrics(written.campaign, written.results)
    monkeypatch.setattr(published_cells, "LARGEST_BYTES", 100)
    with pytest.raises(ArtifactError, match="at most 100 are published"):
        write_cells(written.campaign, written.results, analyse_campaign(written.campaign, written.results), tmp_path)
    assert not list(tmp_path.glob("*cells*"))

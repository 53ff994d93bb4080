"""Published trends beside measured ones, with either result."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hrtem_ood.analysis.structure_matrix import Matrix
from hrtem_ood.report import study_trends
from hrtem_ood.report.study_trends import DefocusSeries, defocus_series, trends

DEFOCUS = np.array([-200.0, -100, 0, 100, 200])


def series(score: np.ndarray) -> DefocusSeries:
    return DefocusSeries(DEFOCUS, score, 1)


def test_trends_with_defocus_by_hand() -> None:
    distance = np.abs(DEFOCUS[:, None] - DEFOCUS) / 1000
    smooth = 0.9 - distance
    assert study_trends._smooth(series(smooth), "says").holds
    assert study_trends._smooth(series(smooth), "says").here == "20 of 20 steps outward do not raise the score"
    bumpy = smooth.copy()
    bumpy[0, 4] = 0.9
    assert not study_trends._smooth(series(bumpy), "says").holds
    # networks of other defoci do worst at the ends here, and best there once the middle is hard
    assert not study_trends._hardest(series(smooth), "says").holds
    hard = smooth.copy()
    hard[:, 2] = 0.1
    made = study_trends._hardest(series(hard), "says")
    assert made.holds
    assert "0.10 at +0 Å" in made.here
    assert study_trends._broad(series(hard), "says").holds, "training at zero has a gap above 0 everywhere"
    assert not study_trends._broad(series(smooth), "says").holds


def test_structures_by_hand() -> None:
    same = np.array([[False, True], [True, False]])
    matrix = Matrix(["a", "b"], ["b_test", "a_test"], np.array([[0.7, 0.9], [0.9, 0.88]]), np.ones((2, 2), int), same)
    made = study_trends._structures(matrix, "says")
    assert made.holds
    assert made.here.endswith("`a` to `b` −0.20, back −0.02")
    even = Matrix(["a", "b"], ["b_test", "a_test"], np.array([[0.8, 0.9], [0.9, 0.8]]), np.ones((2, 2), int), same)
    assert study_trends._structures(even, "says").verdict == "does not hold"
    assert study_trends._structures(None, "says").verdict == "not measured"


@pytest.mark.slow
def test_trends_of_a_campaign(config: dict[str, Any], make: Any) -> None:
    from hrtem_ood.analysis.results import analyse_campaign
    from hrtem_ood.stages.metrics import metrics

    focus = {"defocus_A": [-100, 0, 100], "dose_e_per_A2": 400, "focal_spread_A": 20}
    dose = {"defocus_A": 100, "dose_e_per_A2": [50, 1600], "focal_spread_A": 20}
    config["conditions"] = {"trained": focus, "focus": dose}
    config["training_sets"]["single"]["conditions"] = ["trained", "focus"]
    config["training_sets"].pop("mixed")
    config["networks"]["unet"]["training_sets"] = ["single"]
    written = make(config)
    metrics(written.campaign, written.results)
    results = analyse_campaign(written.campaign, written.results)
    found = defocus_series(results, written.campaign)
    assert found is not None
    np.testing.assert_array_equal(found.defocus_A, [-100, 0, 100])
    np.testing.assert_allclose(found.score[0], found.score[0, 0] - np.array([0, 0.2, 0.4]), atol=1e-5)
    made = trends(results, written.campaign, None)
    assert [each.verdict for each in made] == [
        "does not hold", "does not hold", "holds", "does not hold", "not measured",
    ]  # fmt: skip
    assert "(4 cells)" in made[3].here or "cells)" in made[3].here


def test_without_a_series_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_trends, "defocus_series", lambda *_: None)
    monkeypatch.setattr(study_trends, "_single_rows", lambda *_: {})
    empty = SimpleNamespace(outcomes=SimpleNamespace(condition=SimpleNamespace(values=np.array([], object))))
    made = trends(empty, SimpleNamespace(), None)  # type: ignore[arg-type]
    assert {each.verdict for each in made} == {"not measured"}

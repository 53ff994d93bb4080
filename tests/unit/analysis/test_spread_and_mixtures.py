"""Variance components and the law of mixtures, on numbers whose answer is given."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.mixture_law import mixture_law
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.variance_components import variance_components
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.stages.metrics import metrics as run_metrics

SETS, TESTS = 40, 30


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
def test_the_law_of_mixtures_is_the_one_that_scores_were_made_by(config: dict[str, Any], make: Any) -> None:
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

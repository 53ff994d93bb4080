"""In-domain and shifts: one definition, the same in every table, figure and sentence."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hrtem_ood.analysis.diagnostics import uncertainty_correlation
from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.structure_matrix import structure_matrix
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.config_warnings import config_warnings
from hrtem_ood.campaign.domain import IMAGING_SHIFTS, STRUCTURE_SHIFTS, classify_shift, domain_shifts, in_domain
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.plotting import VERMILION
from hrtem_ood.report.figures import ood_matrix
from hrtem_ood.stages.metrics import metrics
from hrtem_ood.stages.report import report


def test_shifts_are_named_by_what_changes() -> None:
    base = Condition(defocus_A=100, dose_e_per_A2=400)

    def other(**values: float) -> Condition:
        return base.model_copy(update=values)

    with pytest.raises(ValueError, match="no shift"):
        classify_shift([base], base, same_recipe=True)
    assert classify_shift([base], other(defocus_A=50.0), same_recipe=True) == "defocus"
    assert classify_shift([base], other(dose_e_per_A2=50.0), same_recipe=True) == "dose"
    assert classify_shift([base], other(C12=30.0, phi12=0.1, focal_spread_A=20.0), same_recipe=True) == "aberrations"
    assert classify_shift([base], other(C12=30.0, dose_e_per_A2=50.0), same_recipe=True) == "several"
    assert classify_shift([base], base, same_recipe=False) == "structure"
    assert classify_shift([base], other(C12=30.0), same_recipe=False) == "structure and imaging"
    # of a mixture, the nearest
    mixture = [base, other(C12=30.0)]
    assert classify_shift(mixture, other(C12=30.0, dose_e_per_A2=50.0), same_recipe=True) == "dose"


@pytest.fixture
def two_materials(config: dict[str, Any]) -> dict[str, Any]:
    """Networks on CdSe and on silver, each tested on both, under two training conditions and another one."""
    sets = config["structure_sets"]
    config["materials"]["Ag"] = {"formula": "Ag", "structure": "fcc", "a_A": 4.085}
    sets["silver"] = sets["train"] | {"material": "Ag", "seed": 5}
    sets["silver_test"] = sets["test"] | {"material": "Ag", "seed": 6}
    config["training_sets"]["silver"] = config["training_sets"]["single"] | {"structure_set": "silver"}
    config["networks"]["unet"] |= {"training_sets": ["single", "mixed", "silver"], "seed": 0}
    config["test_suites"]["silver"] = {"structure_set": "silver_test", "conditions": ["trained", "focus"]}
    return config


@pytest.fixture
def two_recipes(two_materials: dict[str, Any], make: Callable[..., Any]) -> Any:
    """Return that campaign with its metrics."""
    written = make(two_materials)
    metrics(written.campaign, written.results)
    return written


def expected_in_domain(campaign: Any, training_set: str, dataset: str) -> bool:
    """The glossary's words: test condition and structure recipe are ones of the training set."""
    trained = campaign.training_set_by_id[training_set].datasets
    materials = {campaign.recipe(campaign.structure_set_of_dataset[id_]).material.formula for id_ in trained}
    defoci = {campaign.datasets[id_].condition.defocus_A for id_ in trained}
    tested = campaign.recipe(campaign.structure_set_of_dataset[dataset]).material.formula
    return tested in materials and campaign.datasets[dataset].condition.defocus_A in defoci


@pytest.mark.slow
def test_another_material_under_a_training_condition_is_off_domain_everywhere(two_recipes: Any) -> None:
    campaign = two_recipes.campaign
    sets, tested = campaign.training_set_ids, campaign.test_dataset_ids
    expected = np.array([[expected_in_domain(campaign, name, id_) for id_ in tested] for name in sets])
    np.testing.assert_array_equal(in_domain(campaign, sets, tested), expected)
    assert 0 < expected.sum() < expected.size
    frame = xr.DataArray(expected, coords={"training_set": sets, "condition": tested})

    def same(values: xr.DataArray) -> None:
        there = frame.sel(
            training_set=values.training_set.values.astype(str), condition=values.condition.values.astype(str)
        )
        np.testing.assert_array_equal(values.values, there.values)

    stored = read_metrics(campaign, two_recipes.results)
    of_network = frame.sel(
        training_set=stored.training_id.values.astype(str), condition=stored.condition.values.astype(str)
    )
    np.testing.assert_array_equal(stored.in_domain.values, of_network.values)
    # features: distances in-domain are measured to the in-domain images themselves
    np.testing.assert_allclose(stored.feature_cka.values[stored.in_domain.values], 1, rtol=1e-3)
    cells, outcomes = aggregate_by_training_set(campaign, stored), training_set_outcomes(campaign, stored)
    same(cells.in_domain)
    same(cells["shift"] == "in-domain")
    same(outcomes["shift"] == "in-domain")
    np.testing.assert_array_equal(structure_matrix(campaign, outcomes).same_recipe, np.eye(2, dtype=bool))
    frames = [
        patch
        for axes in ood_matrix.draw_matrix(cells, two_recipes_labels(campaign), colours="crest").axes
        for patch in axes.patches
        if matches_colour(patch, VERMILION)
    ]
    assert len(frames) == expected.sum()
    # sentences and tables
    numbers, rows = key_numbers(cells), by_training_set(cells)
    assert numbers.off_domain_cells == (~expected).sum(), "every off-domain cell has a gap"
    assert rows.in_domain_f1.isna().sum() == len(sets), "no training set is in-domain on the other material"
    entropy = uncertainty_correlation(cells, campaign.config.analysis).iloc[1]
    assert entropy.in_domain == pytest.approx(pd.Series(cells.entropy.values[cells.in_domain.values]).median())


def two_recipes_labels(campaign: Any) -> Any:
    from hrtem_ood.campaign.condition_labels import ConditionLabels

    return ConditionLabels(campaign.transfer.conditions)


def matches_colour(patch: Any, colour: str) -> bool:
    from matplotlib.colors import same_color

    return same_color(patch.get_edgecolor(), colour)


def test_shifts_of_two_recipes(two_recipes: Any) -> None:
    campaign = two_recipes.campaign
    sets, tested = campaign.training_set_ids, campaign.test_dataset_ids
    shifts = domain_shifts(campaign, sets, tested)
    assert set(np.unique(shifts)) == {"in-domain", "defocus", "structure", "structure and imaging"}
    assert set(np.unique(shifts)) < {"in-domain", *IMAGING_SHIFTS, *STRUCTURE_SHIFTS}
    np.testing.assert_array_equal(shifts == "in-domain", in_domain(campaign, sets, tested))


def test_training_without_an_in_domain_test_is_warned_of(two_materials: dict[str, Any]) -> None:
    def warned() -> set[str]:
        campaign = Campaign(CampaignConfig.model_validate(two_materials))
        return {text.partition(":")[0] for text in config_warnings(campaign) if "in-domain" in text}

    assert warned() == set()
    del two_materials["test_suites"]["silver"]  # its conditions are tested on CdSe
    assert warned() == {"training_sets.silver"}


@pytest.mark.slow
def test_the_gap_to_another_recipe_refers_to_the_in_domain_score(two_recipes: Any) -> None:
    stored = read_metrics(two_recipes.campaign, two_recipes.results)
    for network in stored.network.values:
        row = stored.sel(network=network)
        inside = float(row.mean_f1.values[row.in_domain.values].mean())
        np.testing.assert_allclose(row.gap_f1, row.mean_f1 - inside, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_report_counts_imaging_shifts_apart_from_structure_shifts(two_recipes: Any) -> None:
    report(two_recipes.campaign, two_recipes.results)
    gap = pd.read_csv(two_recipes.folder / "tables/ood_gap.csv")
    predictors = pd.read_csv(two_recipes.folder / "tables/predictors.csv").set_index(["cells", "predictor"])
    assert predictors.n["imaging", "sigma"] == gap["shift"].isin(IMAGING_SHIFTS).sum()
    networks = pd.read_csv(two_recipes.folder / "tables/networks.csv").set_index("network")
    stored = read_metrics(two_recipes.campaign, two_recipes.results)
    for network in stored.network.values:
        row = stored.sel(network=network)
        inside = row.mean_f1.values[row.in_domain.values].mean()
        assert networks.in_domain_f1[network] == pytest.approx(inside, abs=1e-5)
    text = re.sub(r"\s+", " ", (two_recipes.folder / "report.html").read_text())
    assert "condition and its structure recipe are ones of the training set" in text
    assert f"over {(~gap.in_domain).sum()} off-domain cells" in text

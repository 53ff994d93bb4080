"""Groups reported apart and draws of conditions of use: what cannot be analysed is refused before anything runs."""

from typing import Any

import pytest
from tests.unit.synthetic import base_config

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.checks import config_errors
from hrtem_ood.config.campaign import CampaignConfig

CHI = {"dose_e_per_A2": 400, "focal_spread_A": 20}


def study() -> dict[str, Any]:
    """Return a campaign with two draws of conditions of use, and three choices of one size for each."""
    config = base_config()
    defoci = {
        "varied": [0, 60, 90, 150],
        "use_1": [0, 60],
        "use_2": [60, 90],
        "a": [0, 90],
        "b": [0, 60],
        "c": [60, 90],
    }
    config["conditions"] = {name: CHI | {"defocus_A": each} for name, each in defoci.items()}
    entry = {"structure_set": "train", "n_images": 4, "n_validation_structures": 1}
    config["training_sets"] = {"single": entry | {"conditions": "varied"}}
    config["training_sets"] |= {name: entry | {"conditions": name, "mixture": True} for name in "abc"}
    config["training_sets"]["more"] = entry | {"conditions": "b", "mixture": True, "n_images": 6}
    config["training_sets"]["three"] = entry | {"conditions": ["b", "c"], "mixture": True, "n_images": 4}
    config["networks"] = {"unet": {"training_sets": list(config["training_sets"]), "epochs": 4}}
    config["test_suites"] = {"test": {"structure_set": "test", "conditions": "varied"}}
    draw = {"designed": "a", "uniform": "b", "random": ["c"]}
    config["analysis"] = {"design_draws": [draw | {"use": "use_1"}, draw | {"use": "use_2"}]}
    return config


def errors(config: dict[str, Any]) -> list[str]:
    return config_errors(Campaign(CampaignConfig.model_validate(config)))


def test_draws_that_share_some_conditions_are_valid() -> None:
    assert errors(study()) == []


@pytest.mark.parametrize(
    ("entry", "changed", "said"),
    [
        (
            1,
            {"designed": "single"},
            ["entry 1: `single` is 4 training sets, one for each condition", "`mixture: true`"],
        ),
        (2, {"random": ["c", "single"]}, ["entry 2: `single` is 4 training sets"]),
        (2, {"uniform": "more"}, ["entry 2: `more` has 6 images of 2 condition(s), and `a` 4 of 2"]),
        (1, {"random": ["three"]}, ["entry 1: `three` has 4 images of 3 condition(s), and `a` 4 of 2"]),
        (
            2,
            {"use": "again"},
            ["entry 2, use: `again` has the same conditions as `use_1` of entry 1", "would count as two"],
        ),
        (
            2,
            {"use": "use_1"},
            ["entry 2: entry 1 compares sets of 2 conditions for the same conditions of use, `use_1`, too"],
        ),
        (1, {"use": ["use_1", "new"]}, ["entry 1, use: Δf +250 Å", "of `new` is tested by no suite", "`test_suites`"]),
    ],
)
def test_draws_that_cannot_be_compared_are_refused(entry: int, changed: dict[str, Any], said: list[str]) -> None:
    config = study()
    config["conditions"] |= {"again": CHI | {"defocus_A": [60, 0]}, "new": CHI | {"defocus_A": 250}}
    config["analysis"]["design_draws"][entry - 1] |= changed
    (message,) = errors(config)
    assert message.startswith(f"analysis.design_draws, entry {entry}")
    for words in said:
        assert words in message


def test_one_draw_may_have_sets_of_several_sizes() -> None:
    config = study()
    sets = {"d3": ["b", "c"], "u3": ["a", "b"], "r3": ["a", "c"]}
    entry = config["training_sets"]["a"]
    config["training_sets"] |= {name: entry | {"conditions": grids, "n_images": 6} for name, grids in sets.items()}
    config["networks"]["unet"]["training_sets"] += list(sets)
    config["analysis"]["design_draws"] += [{"use": "use_1", "designed": "d3", "uniform": "u3", "random": "r3"}]
    assert errors(config) == []


def test_a_condition_is_in_one_group_that_is_reported_apart() -> None:
    config = study()
    config["analysis"]["apart"] = {"one": ["use_1"], "other": ["a", "use_2"]}
    messages = errors(config)
    assert len(messages) == 2
    assert messages[0].startswith("analysis.apart.other: Δf 0 Å, 400 e/Å²")
    assert "of `a` belongs to the group `one`, too (there of `use_1`)" in messages[0]
    assert "a condition can be in one group only" in messages[0]
    # within a group, ranges may overlap: it is their union
    config["analysis"]["apart"] = {"one": ["use_1", "a", "use_2"]}
    assert errors(config) == []


@pytest.mark.parametrize("name", ["imaging", "structure", "dose", "several", "s"])
def test_no_group_is_called_like_a_subset_of_cells(name: str) -> None:
    config = study()
    config["analysis"]["apart"] = {name: "use_1"}
    (message,) = errors(config)
    assert message.startswith(f"analysis.apart.{name}: tables have cells called `")

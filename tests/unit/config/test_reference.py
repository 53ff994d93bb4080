"""Generated files say what the models say."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from hrtem_ood.campaign.load import load_campaign, merge, read_yaml
from hrtem_ood.config.reference import reference_text, schema_text

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("path", "text"),
    [("config/schema.json", schema_text), ("docs/configuration.md", reference_text)],
    ids=["schema", "page"],
)
def test_generated_files_are_current(path, text):
    assert (ROOT / path).read_text() == text(), f"{path} differs from the models: run `make docs`"


def test_the_laptop_campaign_fits_schema_and_models():
    raw = read_yaml(ROOT / "config/config.yaml")
    jsonschema.validate(raw, json.loads(schema_text()))
    campaign = load_campaign(raw)
    sets = campaign.config.structure_sets
    assert sets["train"].n_structures >= 96
    assert sets["test"].n_structures >= 48
    assert len(campaign.networks) >= 12


def test_schema_refuses_what_the_models_refuse():
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    raw["imaging"]["pixel"] = 1
    with pytest.raises(jsonschema.ValidationError, match="pixel"):
        jsonschema.validate(raw, json.loads(schema_text()))


@pytest.mark.parametrize("path", sorted((ROOT / "config/experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_experiments_are_valid_on_top_of_the_laptop_campaign(path):
    default = read_yaml(ROOT / "config/config.yaml")
    assert len(load_campaign(merge(default, read_yaml(path))).networks) >= 2

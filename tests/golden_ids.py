"""Ids that must not move: specs of the tiny and of the full-size campaign with every parameter written out, and their ids.

``python -m tests.golden_ids`` writes ``tests/golden_ids.json`` anew. Do that after a key was added or renamed, a
configuration that it draws on was changed, or the version of a stage was raised. Where the id of a spec has moved, say so in
CHANGELOG.md: everything that users have made is then made again.
"""

import json
from pathlib import Path
from typing import Any

from tests.workflow.conftest import TINY

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, load_campaign_from_files, merge
from hrtem_ood.campaign.specs import (
    DatasetSpec,
    EvaluationSpec,
    ExitWaveShardSpec,
    LabelledSetSpec,
    NetworkSpec,
    PackSpec,
    Spec,
    StructureShardSpec,
    SuiteSpec,
    TrainingSetSpec,
    TransferSpec,
)
from hrtem_ood.config.training import Architecture, Hyperparameters
from hrtem_ood.physics.structures.parameters import Material, Particles
from hrtem_ood.physics.structures.recipe import StructureRecipe

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("golden_ids.json")
SPECS: dict[str, type[Spec]] = {
    spec.stage: spec
    for spec in (
        StructureShardSpec,
        ExitWaveShardSpec,
        DatasetSpec,
        LabelledSetSpec,
        TrainingSetSpec,
        NetworkSpec,
        PackSpec,
        SuiteSpec,
        EvaluationSpec,
        TransferSpec,
    )
}
VARIED: dict[str, Any] = {
    "counting": {"imaging": {"detector": {"apply_pixel_mtf": True}}},
    "measured": {
        "imaging": {"detector": {"mtf": [1, 0.8, 0.6]}},
        "networks": {"unet": {"epochs": None, "steps": 10}},
    },
}
"""What is merged on the tiny campaign, so that every default stands in some spec."""

_SHA256 = "0" * 64
AUGMENTATIONS = ("scale", "film", "blur", "large_areas", "gamma", "gain", "brightness", "spikes", "dead_lines")

OWN: list[Spec] = [
    LabelledSetSpec(
        files=[
            {
                "micrographs": f"{name}.tif",
                "labels": f"{name}.png",
                "micrographs_sha256": _SHA256,
                "labels_sha256": digit * 64,
            }
            for name, digit in (("a", "1"), ("b", "2"))
        ],
        pixel_size_A=None,
        repair=True,
        network_pixel_size_A=0.4,
    ),
    NetworkSpec(training_set="its-id", hyperparameters=Hyperparameters(epochs=1)),
    NetworkSpec(
        training_set="its-id",
        hyperparameters=Hyperparameters(epochs=1, augmentations={name: {} for name in AUGMENTATIONS}),
    ),
    NetworkSpec(
        training_set="its-id",
        hyperparameters=Hyperparameters(
            architecture=Architecture(name="DilatedNet", file="own.py", sha256=_SHA256), epochs=1
        ),
    ),
    StructureShardSpec(
        recipe=StructureRecipe(
            material=Material(file="own.cif", sha256=_SHA256),
            seed=0,
            cell_A=51.2,
            particles=Particles(radius_A=(8, 14)),
            substrate=None,
            vacuum_A=4,
        ),
        start=0,
        stop=1,
    ),
]
"""Specs that no configuration of the repository asks for; the files are not read."""


def campaigns() -> dict[str, Campaign]:
    """Return the campaigns that specs are taken from."""
    return {
        "tiny": load_campaign(TINY),
        **{name: load_campaign(merge(TINY, change)) for name, change in VARIED.items()},
        "paper": load_campaign_from_files([ROOT / "config/paper.yaml"]),
    }


def specs_of(campaign: Campaign) -> list[Spec]:
    """Return the first and the last spec of every stage, but long ones once."""
    evaluations = [job.spec for job in campaign.evaluations.values()]
    groups: list[list[Any]] = [
        list(campaign.structures.values()),
        list(campaign.exit_waves.values()),
        list(campaign.datasets.values()),
        list(campaign.training_set_by_id.values()),
        list(campaign.networks.values()),
        sorted(campaign.packs.values(), key=lambda pack: (len(pack.networks), pack.id))[:1],
        sorted(campaign.suites.values(), key=lambda suite: (len(suite.datasets), suite.id))[:1],
        sorted(evaluations, key=lambda spec: (len(spec.networks), spec.id))[:1],
        [campaign.transfer] if len(campaign.transfer.conditions) < 10 else [],
    ]
    return [spec for group in groups for spec in {each.id: each for each in (*group[:1], *group[-1:])}.values()]


def golden() -> dict[str, Any]:
    """Return everything that the file holds, as the code has it now."""
    found = campaigns()
    specs = [
        {"campaign": name, "stage": spec.stage, "id": spec.id, "parameters": json.loads(spec.json_text)}
        for name, campaign in found.items()
        for spec in specs_of(campaign)
    ]
    specs += [
        {"campaign": "own", "stage": spec.stage, "id": spec.id, "parameters": json.loads(spec.json_text)}
        for spec in OWN
    ]
    whole = [
        {"configuration": json.loads(campaign.config_json), "ids": ids_of(campaign)}
        for campaign in (found["tiny"], *(found[name] for name in VARIED))
    ]
    return {"specs": specs, "campaigns": whole}


def ids_of(campaign: Campaign) -> dict[str, str]:
    """Return the ids of what there is one of in a campaign."""
    return {
        "config": campaign.config_id,
        "predictors": campaign.predictors_id,
        "metrics": campaign.metrics_id,
        "report": campaign.report_id,
        "index": campaign.index_id,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")

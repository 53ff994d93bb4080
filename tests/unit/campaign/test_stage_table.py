"""The table of stages has all that stages have, and is all that there is of them."""

import re
from pathlib import Path

from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.stage_table import JOB_STAGES, STAGES
from hrtem_ood.execution.planning.cost_estimate import BYTES, SECONDS
from hrtem_ood.execution.planning.workload import WorkloadModel

ROOT = Path(__file__).parents[3]


def test_every_stage_with_a_cost_has_rates_and_a_workload():
    with_cost = {name for name, stage in STAGES.items() if stage.cost}
    assert set(SECONDS) == set(BYTES) == set(WorkloadModel.COUNTS) == with_cost


def test_specs_name_their_stage_and_its_version():
    for name, stage in STAGES.items():
        if stage.spec is not None:
            assert stage.spec.stage == name
            assert stage.version in (None, stage.spec.version)
            fields = {stage.input_parameter[0] if stage.input_parameter else None, stage.list_parameter} - {None}
            assert fields <= stage.spec.model_fields.keys()
    assert {stage.version_key for stage in STAGES.values()} - {None} >= set(STAGE_VERSIONS)
    assert STAGE_VERSIONS["a stage that was added"] == 1


def test_ids_are_those_of_the_specs(raw):
    campaign = load_campaign(raw)
    for stage in STAGES.values():
        assert stage.is_optional or len(stage.ids(campaign)) > 0
        if stage.specs is not None:
            specs = stage.specs(campaign)
            assert list(specs) == list(stage.ids(campaign))
            assert all(type(spec) is stage.spec and spec.id == id_ for id_, spec in specs.items())


def test_the_workflow_has_a_rule_for_every_stage_with_jobs():
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)
    outputs = {name: body for name, body in zip(rules[1::2], rules[2::2], strict=True) if "output:" in body}
    assert set(outputs) == {stage.rule for stage in JOB_STAGES.values()}
    for name, stage in JOB_STAGES.items():
        assert f'inputs_of("{name}")' in outputs[stage.rule]

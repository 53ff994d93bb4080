"""What needs what, and what a run would make."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.load import load_campaign, load_campaign_from_files, merge
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.stage_table import JOB_STAGES


@pytest.fixture
def campaign(raw):
    return load_campaign(merge(raw, {"execution": {"networks_per_job": 1, "networks_per_evaluation": 2}}))


def everything(campaign):
    return [(stage, id_) for stage in JOB_STAGES for id_ in dag.artifact_ids(campaign, stage)]


def test_a_clean_run_makes_everything(campaign):
    missing = dag.missing_artifacts(campaign, lambda *_: False)
    assert {stage: set(found) for stage, found in missing.items()} == {
        stage: set(dag.artifact_ids(campaign, stage)) for stage in JOB_STAGES
    }
    assert {JOB_STAGES[stage].rule: len(found) for stage, found in missing.items()} == dag.job_counts(campaign)


def test_stages_are_in_the_order_of_the_flow(campaign):
    order = {stage: number for number, stage in enumerate(JOB_STAGES)}
    for stage, id_ in everything(campaign):
        assert all(order[other] < order[stage] for other, _ in dag.job_inputs(campaign, stage, id_))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_is_there_needs_nothing_and_what_is_missing_and_needed_is_made(campaign, data):
    all_ = everything(campaign)
    there = set(data.draw(st.lists(st.sampled_from(all_), unique=True)))
    missing = {
        (stage, id_)
        for stage, ids in dag.missing_artifacts(campaign, lambda *each: each in there).items()
        for id_ in ids
    }
    assert not missing & there
    needed = set(dag.default_targets(campaign))
    for each in missing:
        needed |= set(dag.job_inputs(campaign, *each))
    # everything needed is there or made, and nothing is made for nothing
    assert missing == needed - there


def test_networks_of_a_pack_are_evaluated_with_it(campaign):
    for id_, job in campaign.evaluations.items():
        packs = [other for stage, other in dag.job_inputs(campaign, "evaluations", id_) if stage == "packs"]
        assert packs == [pack.id for pack in job.packs]
        listed = [network.id for pack in job.packs for network in pack.networks]
        assert set(job.spec.networks) <= set(listed)
        assert len({network.training_set for network in job.networks}) == 1
        assert len(job.networks) <= 2
    tested = [network for job in campaign.evaluations.values() for network in job.spec.networks]
    assert sorted(tested) == sorted(list(campaign.networks) * len(campaign.suites))


def test_an_unknown_id_is_a_key_error(campaign):
    for stage in JOB_STAGES:
        with pytest.raises(KeyError):
            dag.job_inputs(campaign, stage, "df0-0123456789")


def test_present_looks_at_names_and_wants_a_whole_report(campaign, tmp_path):
    for stage, id_ in everything(campaign):
        assert not dag.existence_check(tmp_path, campaign)(stage, id_)
        for path in dag.job_outputs(stage, id_, campaign):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        assert dag.existence_check(tmp_path, campaign)(stage, id_)
    assert not any(dag.missing_artifacts(campaign, dag.existence_check(tmp_path, campaign)).values())
    (Results(tmp_path).path("reports", campaign.report_id) / "figures/ctf.svg").unlink()
    missing = dag.missing_artifacts(campaign, dag.existence_check(tmp_path, campaign))
    assert {stage for stage, ids in missing.items() if ids} == {"reports"}


def test_a_configuration_that_the_workflow_wrote_stands_alone(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    raw["networks"]["unet"]["learning_rate"] = 1e-05  # YAML would take JSON's 1e-05 for text
    campaign = load_campaign(raw)
    more = merge(raw, {"conditions": {"removed": {"defocus_A": 7, "dose_e_per_A2": 7}}})
    (tmp_path / "config/config.yaml").write_text(json.dumps(more).replace("1e-05", "1.0e-05"))
    written = Results(tmp_path / "results").path("configs", campaign.config_id)
    written.parent.mkdir(parents=True)
    written.write_text(campaign.config_json)
    again = load_campaign_from_files([written])
    assert again.config_id == campaign.config_id
    assert again.metrics_id == campaign.metrics_id
    assert "removed" not in again.conditions

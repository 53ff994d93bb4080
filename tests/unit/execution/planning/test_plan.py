"""Plans: the same dag as the workflow's, every network counted, and reasons that name what changed."""

import io
import json
import math
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.unit.pretended import pretend

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import ARCHITECTURE_VERSIONS, STAGE_VERSIONS
from hrtem_ood.campaign import dag, specs
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.stage_table import JOB_STAGES
from hrtem_ood.cli.render.plan import plan_table
from hrtem_ood.cli.render.quantities import format_hours
from hrtem_ood.execution.planning.cost_estimate import CostEstimator, Job, _Rate
from hrtem_ood.execution.planning.differences import NEVER
from hrtem_ood.execution.planning.inventory import StoredArtifacts
from hrtem_ood.execution.planning.plan import INPUTS_CHANGED, plan
from hrtem_ood.execution.planning.workload import Workload
from hrtem_ood.physics.structures.recipe import StructureFileRecipe, structure_series


def stage(made, name):
    (found,) = (each for each in made.stages if each.stage == name)
    return found


def test_of_nothing_everything_is_made(small, tmp_path):
    made = plan(small, tmp_path)
    for each in made.stages:
        assert (each.existing, each.to_make, each.not_needed) == (0, each.wanted, 0)
    assert stage(made, "networks").wanted == len(small.networks)
    assert sum(pack.to_train for pack in made.packs) == len(small.networks)
    assert made.cells == len(small.networks) * sum(len(suite.datasets) for suite in small.suites.values())
    assert made.cells_reused == 0
    assert {reason for each in made.stages for reason in each.why} == {
        NEVER, "networks to train", INPUTS_CHANGED,
    }  # fmt: skip
    assert made.earlier is None


def test_of_what_was_run_nothing_is_made(small, lived):
    made = plan(small, lived)
    assert made.jobs == {}
    assert made.unreadable == {}
    assert all((each.existing, each.to_make) == (each.wanted, 0) for each in made.stages)


CHANGES = [
    (
        {"networks": {"unet": {"learning_rate": 0.001}}},
        {"networks": {"learning_rate 0.003 → 0.001": 8}, "packs": {"networks to train": 4}},
    ),
    ({"networks": {"unet": {"learning_rate": [0.003, 0.001]}}}, {"networks": {"new learning_rate 0.001": 8}}),
    (
        {"networks": {"unet": {"seed": [0, 1, 2]}}},
        {
            "networks": {"new seed 2": 4},
            "evaluations": {"networks not tested before": 4},
            "metrics": {INPUTS_CHANGED: 1},
        },
    ),
    (
        {
            "conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 400}},
            "test_suites": {"test": {"conditions": ["defocus", "far"]}},
        },
        {
            "datasets": {"new defocus_A 200": 1},
            "suites": {"defocus_A 100 → 200, dose_e_per_A2 100 → 400": 1},
            "evaluations": {"test datasets new to the networks": 4},
            "transfer": {"number of conditions 4 → 5": 1},
        },
    ),
    (
        {"conditions": {"defocus": {"dose_e_per_A2": 300}, "dose": {"dose_e_per_A2": [100, 300]}}},
        {
            "datasets": {"dose_e_per_A2 400 → 300": 6},
            "networks": {"dose_e_per_A2 400 → 300": 8},
            "transfer": {"dose_e_per_A2 400 → 300": 1},
        },
    ),
    (
        {"simulation": {"n_frozen_phonons": 4}},
        {
            "exit_waves": {"simulation.n_frozen_phonons 2 → 4": 4},
            "datasets": {"simulation.n_frozen_phonons 2 → 4": 8},
            "networks": {"simulation.n_frozen_phonons 2 → 4": 8},
            "suites": {"simulation.n_frozen_phonons 2 → 4": 1},
        },
    ),
    (
        {"structure_sets": {"train": {"particles": {"radius_A": [9, 12]}}}},
        {
            "structures": {"particles.radius_A [8,12] → [9,12]": 3},
            "exit_waves": {"particles.radius_A [8,12] → [9,12]": 3},
            "networks": {"particles.radius_A [8,12] → [9,12]": 8},
        },
    ),
    (
        {"labels": {"blur_A": 2}},
        {"networks": {"labels.blur_A 1.5 → 2": 8}, "suites": {"labels.blur_A 1.5 → 2": 1}},
    ),
    ({"training_sets": {"single": {"n_images": 12}}}, {"networks": {"n_images 16 → 12": 6}}),
    ({"transfer": {"weighting": "per_q"}}, {"transfer": {"transfer.weighting per_area → per_q": 1}}),
    ({"report": {"dpi": 90}}, {"reports": {"report.dpi 130 → 90": 1}}),
    ({"campaign": "other"}, {"metrics": {NEVER: 1}, "reports": {INPUTS_CHANGED: 1}, "indexes": {NEVER: 1}}),
    (
        {"networks": {"unet": {"training_sets": "single"}}},
        {"metrics": {'networks.unet.training_sets ["single","mixed"] → single': 1}},
    ),
    ({"execution": {"networks_per_job": 1}}, {"indexes": {"artifact list changed": 1}}),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_what_changed_is_named(changed, lived, change, expected):
    made = plan(changed(change), lived)
    for name, why in expected.items():
        assert stage(made, name).why == why
    assert "campaign" in change or made.earlier.changes


@pytest.mark.parametrize(
    ("specs_", "stage_"),
    [
        ([specs.StructureShardSpec], "structures"),
        ([specs.ExitWaveShardSpec], "exit_waves"),
        ([specs.DatasetSpec], "datasets"),
        ([specs.TrainingSetSpec, specs.NetworkSpec], "networks"),
        ([specs.EvaluationSpec], "evaluations"),
        ([specs.TransferSpec], "transfer"),
    ],
)
def test_a_raised_version_is_named(raw, lived, monkeypatch, specs_, stage_):
    version = specs_[0].version
    monkeypatch.setitem(STAGE_VERSIONS, stage_, version + 1)
    for spec in specs_:
        monkeypatch.setattr(spec, "version", version + 1)
    made = plan(load_campaign(raw), lived)
    assert set(stage(made, stage_).why) == {f"version of {stage_} {version} → {version + 1}"}


def test_a_changed_architecture_is_named(raw, tmp_path, monkeypatch):
    raw["networks"]["unet"]["architecture"] = [{"name": "unet"}, {"name": "resnet_unet"}]
    with monkeypatch.context() as before:
        before.delitem(ARCHITECTURE_VERSIONS, "resnet_unet")
        pretend(load_campaign(raw), tmp_path)
    campaign = load_campaign(raw)
    assert stage(plan(campaign, tmp_path), "networks").why == {"version of resnet_unet: 2": len(campaign.networks) // 2}


def test_one_network_of_a_pack_is_trained(small, lived, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(lived, results)
    pack = next(iter(small.packs.values()))
    lost, kept = pack.networks
    Results(results).path("networks", lost.id).unlink()
    assert plan(small, results).jobs == {}, "nothing needs it"
    assert stage(plan(small, results), "networks").not_needed == 1
    Results(results).path("packs", pack.id).unlink()
    Results(results).path("metrics", small.metrics_id).unlink()
    made = plan(small, results)
    assert made.jobs == {"train": 1, "metrics": 1}
    assert [(each.id, each.networks, each.existing, each.to_train) for each in made.packs] == [(pack.id, 2, 1, 1)]
    assert Results(results).exists("networks", kept.id)
    (results / "benchmarks/packs").mkdir(parents=True)
    (results / f"benchmarks/packs/{pack.id}.tsv").touch()
    assert stage(plan(small, results), "packs").why == {"created before, then deleted or damaged": 1}


def test_scores_that_are_known_are_counted(changed, lived):
    grown = changed({"networks": {"unet": {"seed": [0, 1, 2]}}})
    made = plan(grown, lived)
    assert (made.cells, made.cells_reused) == (12 * 4, 8 * 4)
    singly = plan(changed({"execution": {"networks_per_evaluation": 1}, "campaign": "other"}), lived)
    assert singly.cells == singly.cells_reused == 8 * 4
    assert stage(singly, "evaluations").why == {"grouping changed: all scores exist": 8}
    assert stage(singly, "evaluations").estimate.cpu_hours == 0


def test_costs_follow_from_what_is_finished(changed, lived, tmp_path):
    finished = plan(changed({"networks": {"unet": {"seed": [0, 1, 2]}}}), lived)
    networks = stage(finished, "networks").estimate
    assert (networks.finished, networks.gpu_hours) == (8, None)
    assert networks.cpu_hours == pytest.approx(4 * 36 / 3600), "as many as there are, of which each took 36 s"
    assert networks.bytes == pytest.approx(4 * len("weights"))
    more_epochs = plan(changed({"networks": {"unet": {"epochs": 5}}}), lived)
    assert stage(more_epochs, "networks").estimate.cpu_hours == pytest.approx(8 * 5 * 36 / 3600)
    pretend(changed({}), tmp_path / "results", device="NVIDIA H100")
    on_gpu = plan(changed({"networks": {"unet": {"epochs": 5}}}), tmp_path / "results")
    assert stage(on_gpu, "networks").estimate.cpu_hours is None
    assert stage(on_gpu, "networks").estimate.gpu_hours == pytest.approx(8 * 5 * 36 / 3600)
    assert stage(on_gpu, "networks").estimate.card == "NVIDIA H100"
    assert (
        stage(plan(changed({"execution": {"device": "cpu"}}), tmp_path / "no"), "networks").estimate.gpu_hours is None
    )


def remarks(made):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(plan_table(made))
    return " ".join(console.export_text().split())


def test_gpu_hours_name_their_card_or_what_they_assume(changed, tmp_path):
    more = {"networks": {"unet": {"seed": [0, 1, 2]}}, "execution": {"device": "gpu"}}
    nothing = remarks(plan(changed(more), tmp_path / "no"))
    assert (
        "GPU hours of networks, evaluations are assumed where none like them was measured: 5e+13 operations per"
        in nothing
    )
    assert "operations per second in bfloat16, 1/2 of that in TF32, 1/6 in float32." in nothing
    assert "On a GPU, exit waves, datasets take less; no rate is known yet" in nothing
    pretend(changed({}), tmp_path / "results", device="NVIDIA H100")
    measured = remarks(plan(changed(more), tmp_path / "results"))
    assert "GPU hours of networks, evaluations are measured on NVIDIA H100." in measured
    assert "assumed" not in measured


def test_rates_of_unlike_cards_are_not_mixed(lived):
    estimator = CostEstimator(StoredArtifacts(lived), lived, "auto")
    rates = [("NVIDIA T4", 100.0), ("NVIDIA H100", 1.0), ("NVIDIA H100", 3.0)]
    estimator._rates = lambda _stage: [_Rate("gpu", card, "", "", 1.0, seconds, 1.0) for card, seconds in rates]
    estimate = estimator.estimate("datasets", [Job(Workload(3600.0, 1.0))])
    assert (estimate.gpu_hours, estimate.cpu_hours, estimate.card) == (2.0, None, "NVIDIA H100")


def test_the_time_of_small_artifacts_which_is_that_of_the_start_of_a_job_does_not_count(lived):
    estimator = CostEstimator(StoredArtifacts(lived), lived, "cpu")
    # amount, and seconds per unit: most are small and took 20 s, whatever is in them
    rates = [(100.0, 1.0), (90.0, 2.0), (10.0, 2.0), (1.0, 20.0), (1.0, 20.0), (1.0, 20.0)]
    estimator._rates = lambda _stage: [_Rate("cpu", "cpu", "", "", amount, seconds, 1.0) for amount, seconds in rates]
    assert estimator.estimate("evaluations", [Job(Workload(3600.0, 1.0))]).cpu_hours == pytest.approx(1.5)


def told_by_evaluations(results, shares, where="cpu", **more):
    """Rewrite what evaluations tell, and estimate an hour of new ones."""
    for id_, share in shares.items():
        path = Results(results).path("evaluations", id_)
        attributes = store.zarr_attributes(path) | {"computed_share": share} | more
        told = {key: value for key, value in attributes.items() if value != "missing"}
        store.write_zarr(path, store.read_zarr(path).drop_attrs(), told)
    job = Job(Workload(1e9, 1.0, precision="float32"))
    return CostEstimator(StoredArtifacts(results), results, where).estimate("evaluations", [job])


def test_the_rate_of_evaluations_is_that_of_the_scores_that_they_computed(raw, tmp_path):
    campaign, results = load_campaign(raw), tmp_path / "results"
    pretend(campaign, results)
    first, *others = campaign.evaluations
    whole = told_by_evaluations(results, dict.fromkeys(campaign.evaluations, 1.0))
    # in the same time, but all except a quarter of the scores were copied; one copied everything in a moment
    part = told_by_evaluations(results, {**dict.fromkeys(others, 0.25), first: 0.0})
    assert part.finished == whole.finished - 1
    assert part.cpu_hours == pytest.approx(4 * whole.cpu_hours)
    assert part.bytes == pytest.approx(whole.bytes, rel=0.01), "copied scores take as much room"
    # older ones do not tell: the slowest computed all of its scores
    old = told_by_evaluations(results, dict.fromkeys(others, "missing"), seconds=0.01)
    old = told_by_evaluations(results, {first: "missing"}, seconds=36.0)
    assert old.cpu_hours == pytest.approx(whole.cpu_hours)


@pytest.mark.parametrize(
    "share", ["half", "0.5", None, [1], {"a": 1}, 10**400, math.nan, math.inf, -1, 2, 1e-320, True], ids=repr
)
def test_a_share_that_none_can_be_is_left_out(raw, tmp_path, share):
    campaign, results = load_campaign(raw), tmp_path / "results"
    pretend(campaign, results)
    first, *others = campaign.evaluations
    right = told_by_evaluations(results, dict.fromkeys(campaign.evaluations, 1.0))
    found = told_by_evaluations(results, {first: share})
    assert (found.cpu_hours, found.finished) == (pytest.approx(right.cpu_hours), len(others))
    nothing = told_by_evaluations(results, dict.fromkeys(campaign.evaluations, share))
    assert (nothing.cpu_hours, nothing.finished) == (pytest.approx(1e9 * 1.8e-11 / 3600), 0), "the default"
    untimed = told_by_evaluations(results, dict.fromkeys(campaign.evaluations, 1.0), seconds=share)
    assert untimed.finished == (0 if share != 2 else len(campaign.evaluations))


def test_scores_of_another_precision_are_computed_anew(changed, lived):
    made = plan(changed({"evaluation": {"numeric_precision": "tf32"}}), lived)
    assert made.jobs == {"evaluate": 4, "metrics": 1, "report": 1, "index": 1}
    assert made.cells_reused == 0
    assert stage(made, "evaluations").why == {"scores in another precision than tf32": 4}


def test_the_precision_changes_the_hours_on_a_gpu(changed, tmp_path):
    def hours(precision, results):
        change = {"evaluation": {"numeric_precision": precision}, "execution": {"device": "gpu"}}
        return stage(plan(changed(change), tmp_path / results), "evaluations").estimate.gpu_hours

    assert hours("float32", "none") == pytest.approx(6 * hours("bfloat16", "none"))
    assert hours("tf32", "none") == pytest.approx(2 * hours("bfloat16", "none"))
    # what one precision took says nothing of another
    pretend(changed({"evaluation": {"numeric_precision": "bfloat16"}}), tmp_path / "results", device="NVIDIA H100")
    assert hours("tf32", "results") == pytest.approx(hours("tf32", "none"))
    change = {"evaluation": {"numeric_precision": "tf32"}, "execution": {"device": "gpu"}}
    estimate = stage(plan(changed(change), tmp_path / "results"), "evaluations").estimate
    assert (estimate.card, estimate.finished) == (None, 0), "these hours are assumed, whatever else was measured"


def test_jobs_that_share_a_gpu_take_a_part_of_its_time(raw, tmp_path):
    campaign, results = load_campaign(raw), tmp_path / "results"
    pretend(campaign, results)
    shares = dict.fromkeys(campaign.evaluations, 1.0)

    def hours(jobs_per_gpu):
        told = {"device": "NVIDIA H100", "jobs_per_gpu": jobs_per_gpu}
        return told_by_evaluations(results, shares, "gpu", **told).gpu_hours

    alone = hours("missing")
    assert alone > 0
    assert hours(4) == pytest.approx(alone / 4)
    for impossible in ("many", -1, 0, 2e-9, 1.5, 65, 1e9, True):
        assert hours(impossible) == pytest.approx(alone)


def test_an_unknown_architecture_is_told_of(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("class Own(Module): pass\n")
    raw["networks"]["unet"]["architecture"] = {"name": "Own", "file": "own.py"}
    estimate = stage(plan(load_campaign(raw), tmp_path / "results"), "networks").estimate
    assert (estimate.unknown, estimate.cpu_hours) == (8, None)


def test_a_damaged_artifact_is_passed_over_and_named(changed, lived, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(lived, results)
    path = next((results / "transfer").iterdir())
    path.write_bytes(b"no zip")
    made = plan(changed({"transfer": {"weighting": "per_q"}}), results)
    assert list(made.unreadable) == [str(path)]
    assert stage(made, "transfer").why == {NEVER: 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(data=st.data())
def test_a_plan_is_what_a_walk_back_from_the_targets_finds(small, tmp_path_factory, data):
    """Whatever is deleted: against a walk of its own, by recursion over files."""
    every = [(stage_, id_) for stage_ in JOB_STAGES for id_ in dag.artifact_ids(small, stage_)]
    gone = data.draw(st.sets(st.sampled_from(every), max_size=12))
    results = tmp_path_factory.mktemp("walk")
    for stage_, id_ in set(every) - gone:
        for path in dag.job_outputs(stage_, id_, small):
            (results / path).parent.mkdir(parents=True, exist_ok=True)
            (results / path).touch()
    made: set[tuple[str, str]] = set()

    def need(stage_, id_):
        if (stage_, id_) not in made and not all(
            (results / path).exists() for path in dag.job_outputs(stage_, id_, small)
        ):
            made.add((stage_, id_))
            for each in dag.job_inputs(small, stage_, id_):
                need(*each)

    for each in dag.default_targets(small):
        need(*each)
    assert made <= gone
    counts = {JOB_STAGES[stage_].rule: sum(each[0] == stage_ for each in made) for stage_ in JOB_STAGES}
    assert plan(small, results).jobs == {rule: count for rule, count in counts.items() if count}


def test_all_is_told_as_json(small, lived, tmp_path):
    told = json.loads(json.dumps(plan(small, tmp_path).to_dict()))
    assert told["jobs"]["train"] == len(small.packs)
    assert {each["id"] for each in told["packs"]} == set(small.packs)
    assert (
        store.artifact_id_of(next((lived / "configs").iterdir())) == plan(small, lived).to_dict()["earlier"]["config"]
    )


def test_scenes_of_a_file_are_planned_for():
    """A file's scenes have no recipe: their ids still follow from what an artifact tells, and nothing fails."""
    recipe = StructureFileRecipe(file="a.extxyz", sha256="0" * 64, cell_A=51.2, film="none")
    told = StructureFileRecipe.model_validate_json(recipe.model_dump_json())
    assert structure_series(told, specs.StructureShardSpec.version) == recipe.series


def test_empty_files_are_no_artifacts(small, lived, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(lived, results)
    network, pack = next(iter(small.networks)), next(iter(small.packs))
    paths = [Results(results).path("networks", network), Results(results).path("packs", pack)]
    paths.append(results / dag.job_outputs("reports", small.report_id, small)[-1])
    for path in paths:
        path.write_bytes(b"")
    made = plan(small, results)
    assert made.jobs == {}, "as a run would do nothing"
    assert made.empty == [str(path) for path in paths]
    text = render(made)
    assert "3 artifacts are empty files" in text
    assert all(str(path) in text for path in paths)
    assert "delete empty files" in text
    assert "Nothing to do" not in text


def test_of_many_empty_files_few_are_named(small, lived, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(lived, results)
    for path in results.rglob("*.*"):
        path.write_bytes(b"")
    made = plan(small, results)
    assert len(made.empty) > 20
    text = render(made)
    assert f"and {len(made.empty) - 3} more" in text
    assert sum(path in text for path in made.empty) == 3


def render(made):
    """Return a plan as text, in one line per paragraph."""
    console = Console(width=10_000, record=True, file=io.StringIO())
    console.print(plan_table(made))
    return console.export_text()


def test_hours_from_far_smaller_artifacts_are_called_too_many(changed, lived):
    more = {"networks": {"unet": {"epochs": 5}}}
    assert "far smaller" not in remarks(plan(changed(more), lived))
    more["networks"]["unet"]["epochs"] = 50
    assert "Those of networks are of far smaller ones" in remarks(plan(changed(more), lived))


def test_hours_are_added_up(changed, tmp_path):
    made = plan(changed({"execution": {"device": "cpu"}}), tmp_path)
    total = sum(each.estimate.cpu_hours or 0 for each in made.stages)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(plan_table(made))
    (line,) = (line for line in console.export_text().splitlines() if " files " in line)
    assert format_hours(total) in [cell.strip() for cell in line.split("│")]

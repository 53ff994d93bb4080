"""Each verb with a mistake, which it must name, and with what it prints otherwise."""

import json

import click
import pytest
import yaml
from click.testing import CliRunner

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.cli import main


@pytest.fixture
def run(raw, tmp_path, monkeypatch):
    """Run a verb in a folder that holds the small campaign and no commands of SLURM."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(raw))
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(raw | {"labels": {"blur": 1}}))
    return lambda *words: CliRunner().invoke(main, words)


WITH_CONFIG = (
    "validate",
    "plan",
    "status",
    "gc",
    "submit",
    "cancel",
    "summary",
    "preview structures",
    "preview conditions",
    "architectures",
    "design --target-conditions dose --n-conditions 1 --images 8",
    "study-page --page page.md --figures figures",
    "dag",
    *(
        f"stage {verb} an-id-0123456789 --config"
        for verb in ("build", "simulate", "image", "train", "suite", "evaluate")
    ),
    *(f"stage {verb} an-id-0123456789 --config" for verb in ("transfer", "predictors", "metrics", "report", "index")),
)


@pytest.mark.parametrize("words", WITH_CONFIG)
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("none.yaml", "none.yaml: cannot be read (No such file or directory)"),
        ("wrong.yaml", "labels.blur: unknown key"),
    ],
)
def test_a_mistake_in_the_configuration_ends_with_2(run, tmp_path, words, file, message):
    before = set(tmp_path.iterdir())
    done = run(*words.split(), file)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 2
    assert done.output.startswith("hrtem-ood: ")
    assert message in done.output
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("gc", 2, "Missing argument 'CONFIG...'"),
        ("gc small.yaml,none.yaml", 2, "none.yaml: cannot be read"),
        ("status small.yaml --interval 0", 2, "Invalid value for '--interval'"),
        ("submit small.yaml", 1, "is this a machine of a SLURM cluster?"),
        ("cancel small.yaml", 1, "is this a machine of a SLURM cluster?"),
        ("summary small.yaml", 1, "metrics"),
        ("study-page small.yaml --page page.md --figures figures", 1, "the campaign is not finished"),
        ("study-page small.yaml --page page.md", 2, "Missing option '--figures'"),
        ("preview structures small.yaml --number 0", 2, "Invalid value for '--number'"),
        ("preview", 2, "Draw structures and conditions before a run."),
        ("design small.yaml", 2, "Missing option '--target-conditions'"),
        (
            "design small.yaml --target-conditions x --n-conditions 1 --images 8",
            2,
            "--target-conditions: there is no `x`",
        ),
        ("sample defocus=0:1 --number 4 --seed 1", 2, "conditions have no key `defocus`"),
        ("sample", 2, "Missing argument 'NAME=LOW:HIGH[:log]...'"),
        ("predict none.ckpt image.tif", 1, "none.ckpt is missing"),
        ("predict none.ckpt", 2, "IMAGE: there is none"),
        ("predict none.ckpt image.tif --condition defocus=1", 2, "defocus: unknown key"),
        ("export none.ckpt --output net.onnx", 1, "none.ckpt is missing"),
        ("reference --schema small.yaml/schema.json --page page.md", 1, "small.yaml/schema.json: Not a directory"),
        ("stage build an-id-0123456789 --config small.yaml", 1, "campaign small has no structures of that id"),
        ("stage train an-id-0123456789 --resources {", 2, "{ is not JSON"),
        ("stage evaluate an-id-0123456789 --resources 3", 2, "3 is not a JSON object"),
    ],
)
def test_other_mistakes_end_with_a_message(run, words, code, message):
    done = run(*words.split())
    assert isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, message in done.output) == (code, True), done.output


def float_options(command, words=()):
    """Yield the words of every verb with each of its options that takes a number with a fraction."""
    for name, each in getattr(command, "commands", {}).items():
        yield from float_options(each, (*words, name))
    for option in command.params:
        if isinstance(option.type, click.types.FloatParamType) and isinstance(option, click.Option):
            yield (*words, option.opts[0])


FLOAT_OPTIONS = sorted(float_options(main))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("words", FLOAT_OPTIONS, ids=" ".join)
def test_numbers_of_options_are_finite(words, value):
    done = CliRunner().invoke(main, (*words[:-1], f"{words[-1]}={value}"))
    assert done.exit_code == 2
    assert f"'{words[-1]}'" in done.output
    assert "Invalid value" in done.output
    assert "Traceback" not in done.output


def test_options_with_numbers_are_found():
    assert ("design", "--time-limit") in FLOAT_OPTIONS
    assert len(FLOAT_OPTIONS) >= 5


@pytest.mark.parametrize("option", ["--target-conditions", "--candidates"])
def test_grids_of_a_design_are_named_once(run, option):
    others = {"--target-conditions": ("--candidates", "dose"), "--candidates": ("--target-conditions", "dose")}[option]
    words = ("design", "small.yaml", *others, option, "dose", option, "dose", "--n-conditions", "1", "--images", "2")
    done = run(*words)
    assert done.exit_code == 2
    assert f"{option}: `dose` is given twice; give each name once." in done.output


def test_text_of_users_is_no_markup(run, small, tmp_path):
    """An error that a job left is printed as it is, whatever is in brackets."""
    (shard, *_), path = small.structures, tmp_path / "results/jobs/structures"
    record = {"id": shard, "kind": "structures", "state": "failed", "host": "here", "pid": 1, "process_start": None}
    times = {"slurm_job": None, "started": "2026-11-24T10:00:00+00:00", "ended": "2026-11-24T10:01:00+00:00"}
    store.write_json(path / f"{shard}.json", record | times | {"configs": [], "error": "no [red] and no [/x] :cat:"})
    assert "no [red] and no [/x] :cat:" in run("status", "small.yaml").output


def test_json_is_one_object(run, small):
    for words in ("plan small.yaml", "status small.yaml", "gc small.yaml"):
        content = json.loads(run(*words.split(), "--json").output)
        assert isinstance(content, dict)
    assert json.loads(run("plan", "small.yaml", "--json").output)["campaign"] == small.name


def test_dag_and_reference_print_and_write(run, raw, tmp_path):
    assert run("dag", "small.yaml").output.startswith("flowchart")
    done = run("reference", "--schema", "schema.json", "--page", "page.md")
    assert done.exit_code == 0
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert set(raw) <= set(schema["properties"])
    assert "structure_sets" in (tmp_path / "page.md").read_text()


def test_build_creates_the_artifact_of_an_id(run, raw, tmp_path):
    campaign = load_campaign(raw)
    id_ = next(iter(campaign.structures))
    done = run("stage", "build", id_, "--config", "small.yaml")
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "results/structures").iterdir()] == [f"{id_}.extxyz"]
    assert not list((tmp_path / "results/jobs").rglob("*.json")), "the record of a finished job is removed"

"""What the documentation tells people to type works."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests import warm

from hrtem_ood.artifacts import store
from hrtem_ood.cli import main

ROOT = Path(__file__).parents[2]

HERE = (
    ".venv/bin/hrtem-ood validate config/experiments/wider.yaml",
    ".venv/bin/hrtem-ood plan config/experiments/wider.yaml",
    ".venv/bin/hrtem-ood architectures config/config.yaml",
    ".venv/bin/snakemake --configfile config/experiments/wider.yaml --dry-run --quiet rules",
)
"""Commands of the README that are run here; the others are run by .ci/run."""

ON_A_CLUSTER = (".venv/bin/hrtem-ood submit config/paper.yaml",)
"""Run by tests/cluster, on a campaign that ends within the test."""

ON_OWN_FILES = (".venv/bin/hrtem-ood predict micrograph.dm4",)
"""Run by tests/unit/cli/test_shipped.py, on a micrograph of its own."""

AT_LENGTH = ("make study",)
"""An hour: its steps are run on a small campaign by tests/workflow/test_advice.py, and asked for here."""


def test_every_command_of_the_readme_is_run_by_somebody():
    commands = re.findall(r"^    ((?:make|\.venv/bin/).*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {"make demo", "make test"} <= set(commands)
    ci = [re.sub(r"^(time )?within \d+m ", "", line) for line in (ROOT / ".ci/run").read_text().splitlines()]
    assert [
        command for command in commands if command not in (*HERE, *ON_A_CLUSTER, *ON_OWN_FILES, *AT_LENGTH, *ci)
    ] == []


@pytest.mark.parametrize("command", HERE)
def test_commands_work(command):
    program, *arguments = shlex.split(command)
    module = {"hrtem-ood": "hrtem_ood", "snakemake": "snakemake"}[Path(program).name]
    done = subprocess.run(
        [warm.python(), "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("target", "last"), [("study", "study-page"), ("real", "ship")])
def test_campaigns_of_the_makefile_can_be_run(target, last):
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    steps = [shlex.split(line.strip().removeprefix("@$(BIN)/")) for line in recipe[1].splitlines()]
    assert [words[1] if words[0] == "hrtem-ood" else words[0] for words in steps] == [
        "validate",
        "snakemake",
        "summary",
        last,
    ]
    test_commands_work(shlex.join(steps[0]))
    test_commands_work(shlex.join([*steps[1], "--dry-run", "--quiet", "rules"]))


def test_a_fraction_of_the_thousands_is_asked_for_by_every_step(tmp_path):
    words = ["make", "--dry-run", "--old-file=env", "thousands", "FRACTION=0.003"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    steps = [line for line in done.stdout.splitlines() if "config/experiments/thousands.yaml" in line]
    assert [verb for line in steps for verb in ("validate", "snakemake", "summary", "study-page") if f"{verb} " in line] == [
        "validate", "snakemake", "summary", "study-page",
    ]  # fmt: skip
    assert all("config/experiments/thousands.yaml build/fraction-0.003.yaml" in line for line in steps)
    assert "printf 'fraction: %s\\n' '0.003' > build/fraction-0.003.yaml" in done.stdout
    overlay = tmp_path / "fraction.yaml"
    overlay.write_text("fraction: 0.003\n")
    test_commands_work(f".venv/bin/hrtem-ood validate config/experiments/thousands.yaml {overlay}")


RUNNING = re.findall(r"^    hrtem-ood (.*?) *(?:#.*)?$", (ROOT / "docs/running.md").read_text(), re.MULTILINE)


def test_the_page_on_running_shows_its_verbs():
    assert {command.split()[0] for command in RUNNING} == {"plan", "status", "gc", "check"}


def test_images_alone_can_be_asked_for():
    (command,) = re.findall(
        r"^    (.venv/bin/snakemake .*--until.*)$", (ROOT / "docs/running.md").read_text(), re.MULTILINE
    )
    done = subprocess.run(
        [
            warm.python(),
            "-m",
            *shlex.split(command.removeprefix(".venv/bin/")),
            "--dry-run",
            "--quiet",
            "rules",
            "--forceall",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    jobs = set(re.findall(r"^(\w+) +\d+$", done.stdout, re.MULTILINE))
    assert jobs == {"build", "simulate", "image", "index", "total"}, done.stdout + done.stderr


@pytest.mark.parametrize("command", [command for command in RUNNING if not command.startswith("check")])
def test_commands_around_a_run_work(command, tmp_path, monkeypatch):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.sleep", interrupt)  # --watch ends by Ctrl-C
    done = CliRunner().invoke(main, shlex.split(command), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "ampaign" in done.output


@pytest.mark.parametrize("command", [command for command in RUNNING if command.startswith("check")])
def test_finished_results_are_whole(command, finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    done = CliRunner().invoke(main, shlex.split(command), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert re.search(r"[1-9]\d* files of results were checked, .*: 0 damaged", done.output)


def test_results_open_as_their_readme_says(finished, monkeypatch):
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "results/README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(finished.folder)
    words: dict[str, object] = {}
    exec(snippet.replace("demo-", "tiny-"), words)  # our own file
    metrics = words["metrics"]
    assert {"network", "condition", "image"} <= set(metrics.dims)
    assert float(metrics.f1.max()) <= 1


def test_the_results_readme_lists_what_images_are_made_of(finished):
    text = (ROOT / "results/README.md").read_text()
    for folder in ("exit_waves", "datasets"):
        stored = store.read_zarr(next((finished.folder / "results" / folder).glob("*.zarr.zip")))
        for name, variable in stored.data_vars.items():
            assert f"`{name}` | {', '.join(variable.dims)} |" in text


def test_networks_open_as_their_page_says(finished, monkeypatch):
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "docs/prediction.md").read_text(), re.DOTALL)
    (snippet,) = (each for each in snippets if "curves" in each)
    monkeypatch.chdir(finished.folder)
    words: dict[str, object] = {}
    exec(snippet, words)  # our own file
    assert list(words["curves"]) == ["train_loss", "validation_loss", "learning_rate"]
    assert words["best"] == words["content"]["best_val_loss"] == words["curves"].validation_loss.min()
    assert not words["network"].training


def test_make_lists_its_targets():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ)
    for target in ("env", "demo", "test", "lint", "docs", "dag", "bench", "clean"):
        assert f"make {target} " in done.stdout

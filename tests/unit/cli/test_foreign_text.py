"""Hostile names in files, configurations and records, through every verb that shows them."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hrtem_ood.cli import main
from hrtem_ood.errors import UNPRINTABLE

SOURCE = Path(__file__).parents[3] / "src/hrtem_ood"
NAMES = ("[/bold]", "[red]x", "<script>alert(1)<", "a|b", ":cat:", "\x1b[2J", "\u202eb", "\x9b31m")

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 1)

    def forward(self, image):
        return self.layer(image)
"""


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def run(tmp_path, monkeypatch, raw, name):
    """Return a function that calls a verb where everything that may have a name has a hostile one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)  # a closing tag in a path is a folder and a file
    in_config = "x" if re.search(CONTROL, name) else name  # which a configuration may not hold
    (tmp_path / f"{in_config}.py").write_text(NET)
    architecture = {"name": "Net", "file": f"{in_config}.py", "parameters": {"mode": in_config}}
    raw["networks"]["unet"]["architecture"] = architecture
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True))
    results = tmp_path / "results"
    for folder in ("datasets", "evaluations", "transfer", "configs", "jobs/packs"):
        (results / folder).mkdir(parents=True)
    for folder in ("datasets", "evaluations", "transfer"):
        path = results / folder / f"{name.replace('/', '')}-0123456789.zarr.zip"
        path.write_text(name)
    other = json.dumps({"campaign": name, "labels": {name: name}})
    (results / "configs/x-0123456789.json").write_text(other)
    (results / "datasets/x-0123456789.zarr.zip").write_text("unused")

    def run(*words):
        done = CliRunner().invoke(main, words)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert not re.findall(UNPRINTABLE, done.output)
        return done

    return run


def test_verbs_show_text_and_obey_none(run, name, tmp_path):
    config = f"{name}.yaml"
    for words in (["validate"], ["plan"], ["plan", "--json"], ["status"], ["gc"], ["gc", "--json"], ["dag"]):
        done = run(*words, config)
        assert done.exit_code == 0, done.output
    shown = name.encode("unicode_escape").decode() if re.search(UNPRINTABLE, name) else name
    assert f"Campaign {shown} was run here" in re.sub(r"\s+", " ", run("gc", config).output)
    assert shown.replace("/", "") in re.sub(r"\s+", "", run("plan", config).output)
    # messages of mistakes
    for words in (["summary", config], ["validate", f"{name}{name}.yaml"], ["predict", f"{name}.ckpt", "x.tif"]):
        done = run(*words)
        assert done.exit_code in (1, 2)
        assert done.output.startswith("hrtem-ood: ")
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({"labels": {name: name}, "campaign": name}, allow_unicode=True))
    assert run("validate", "wrong.yaml").exit_code == 2


@pytest.mark.slow
def test_the_table_of_architectures_shows_their_parameters(run, name):
    done = run("architectures", f"{name}.yaml")
    assert done.exit_code == 0, done.output
    assert "Net(mode=" in done.output


CONTROL = "[\x00-\x1f\x7f]"

OUTPUT = re.compile(r"^(?! *(?:>>>|\.\.\.) ).*(?:click\.s?echo\(|(?<![\w.])print\()", re.MULTILINE)
"""A line of code that writes to the terminal, not one of an example in a docstring."""


def test_all_output_goes_through_one_place():
    """A new verb that calls click.echo or print would show control characters of others."""
    found = {str(path.relative_to(SOURCE)): len(re.findall(OUTPUT, path.read_text())) for path in SOURCE.rglob("*.py")}
    assert {path: count for path, count in found.items() if count} == {"cli/output.py": 2, "progress.py": 1}

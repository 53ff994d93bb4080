"""The acceptance suite of GPUs, as far as it goes without one: its options need no plugin, and its JSON loses no part."""

import json
import math
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.gpu.conftest import pytest_runtest_setup

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "benchmarks"))
from gpu_timing import measured  # noqa: E402

from gpu import outcomes  # noqa: E402

PYTHON = f"""#!/bin/sh
# A Python without the plugins of pytest that the machine need not have; nothing is installed, as this one has it all.
case "$1 $2" in
    "-m pip") exit 0 ;;
    "-m pytest") shift 2; exec {sys.executable} -m pytest -p no:xdist -p no:timeout "$@" ;;
    benchmarks/*) exec {sys.executable} "$@" --modules gpu_evaluation ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@pytest.mark.slow
def test_the_script_runs_to_its_end(tmp_path):
    python, result = tmp_path / "python", tmp_path / "result.json"
    python.write_text(PYTHON)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/some.whl").touch()
    done = subprocess.run(
        ["bash", str(ROOT / "gpu/accept.sh"), str(tmp_path / "wheels"), str(result)],
        env=os.environ | {"PYTHON": str(python), "ACCEPT_SECONDS": "1800", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(result.read_text())
    tests = told["tests"]
    assert tests["run"] == tests["skipped"] > 100
    assert tests["failed"] == tests["left_out"] == tests["missing"] == []
    assert tests["seconds"].keys() == {"learning", "others"}, "side by side"
    assert "measure nothing" in told["note"]
    assert told["failed"] == {}
    assert told["left_out"] == []
    assert any(name.startswith("evaluation") and name.endswith("[images/s]") for name in told["figures"])
    assert "tests: exit code 0, benchmarks: exit code 0" in done.stdout


@pytest.mark.parametrize(
    ("seconds", "wheels", "message"),
    [
        ("1.5", True, "ACCEPT_SECONDS is 1.5; valid are whole numbers"),
        ("08", True, "ACCEPT_SECONDS is 08"),
        ("9" * 20, True, "valid are whole numbers from 10 to 999999"),
        ("60", False, "holds no wheels; make gpu-wheels collects them"),
    ],
)
def test_wrong_words_are_told_before_anything_is_done(tmp_path, seconds, wheels, message):
    if wheels:
        (tmp_path / "some.whl").touch()
    command = ["bash", str(ROOT / "gpu/accept.sh"), str(tmp_path), str(tmp_path / "result.json")]
    environment = os.environ | {"PYTHON": "false", "ACCEPT_SECONDS": seconds}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_part_that_fails_loses_no_other():
    def fails():
        raise ValueError("no card")

    seen, left = [], []
    found = measured(
        {"a": lambda: {"x": 1.0}, "b": fails, "c": lambda: {"y": 2.0}},
        after_each=lambda so_far: (seen.append(dict(so_far.figures)), left.append(list(so_far.left_out))),
    )
    assert found.figures == {"x": 1.0, "y": 2.0}
    assert found.failed == {"b": "ValueError: no card"}
    assert found.left_out == []
    assert seen == [{}, {"x": 1.0}, {"x": 1.0}, {"x": 1.0, "y": 2.0}]
    assert left == [["a", "b", "c"], ["b", "c"], ["c"], []], "what a run that is killed leaves out"


def test_parts_for_which_no_time_is_left_are_named():
    found = measured({"a": lambda: {"x": 1.0}, "b": lambda: {"y": 2.0}}, until=time.time() - 1)
    assert (found.figures, found.left_out) == ({}, ["a", "b"])


@pytest.mark.parametrize(("until", "skips"), [(0, True), (math.inf, False), (None, False)])
def test_tests_for_which_no_time_is_left_are_left_out(monkeypatch, until, skips):
    monkeypatch.delenv("GPU_TESTS_UNTIL", raising=False)
    if until is not None:
        monkeypatch.setenv("GPU_TESTS_UNTIL", str(until))
    item = SimpleNamespace(path=ROOT / "tests/gpu/test_doctor.py")
    if skips:
        with pytest.raises(pytest.skip.Exception, match="no time"):
            pytest_runtest_setup(item)
    else:
        pytest_runtest_setup(item)
    pytest_runtest_setup(SimpleNamespace(path=ROOT / "tests/unit/test_errors.py"))


def test_outcomes_of_tests_are_told(tmp_path):
    """As pytest writes them."""
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\n"
        "def test_right(): pass\n"
        "def test_wrong(): assert False\n"
        "def test_late(): pytest.skip('no time is left')\n"
        "def test_other(): pytest.skip('CuPy is too old')\n"
    )
    junit = tmp_path / "some.xml"
    options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", "-c", os.devnull, f"--junitxml={junit}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)], capture_output=True, check=False, cwd=tmp_path
    )
    told = outcomes([junit, tmp_path / "lost.xml"])
    assert told.pop("seconds").keys() == {"some"}
    assert told == {
        "run": 4,
        "skipped": 1,
        "failed": ["test_some.test_wrong"],
        "left_out": ["test_some.test_late"],
        "missing": ["lost"],
    }

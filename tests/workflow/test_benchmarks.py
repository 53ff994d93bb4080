"""That benchmarks run: those that no other test of the code reaches, on a small campaign or in their quick mode."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests import warm

ROOT = Path(__file__).parents[2]


def run(name: str, *words: str) -> dict[str, Any]:
    """Run a benchmark, and return what its last line says."""
    done = subprocess.run(
        [warm.python(), "-m", name, *words],
        cwd=ROOT / "benchmarks",
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["benchmark"] == name
    return result


def test_the_analysis_is_measured() -> None:
    result = run("analysis", str(ROOT / "config/experiments/wider.yaml"))
    assert {"metrics [s]", "report [s]", "metrics / bound"} <= result["figures"].keys()
    assert {budget["name"] for budget in result["budgets"]} > {"metrics and report / bound"}


def test_a_quick_run_reaches_the_end() -> None:
    result = run("accuracy", "--quick")
    assert {budget["name"] for budget in result["budgets"]} <= result["figures"].keys()

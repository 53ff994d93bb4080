"""That benchmarks run: those of whole verbs, which no other test of the code reaches, on a small campaign."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_analysis_is_measured() -> None:
    command = [sys.executable, ROOT / "benchmarks/analysis.py", ROOT / "config/experiments/wider.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["benchmark"] == "analysis"
    assert {"metrics [s]", "report [s]", "metrics / bound"} <= told["figures"].keys()
    assert {budget["name"] for budget in told["budgets"]} > {"metrics and report [s]"}

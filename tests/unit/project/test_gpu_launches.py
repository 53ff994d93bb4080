"""What the host asks of a GPU stays little: counts of benchmarks/gpu_launches.py, which are the same on every machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_launches_stay_within_their_budgets():
    command = [sys.executable, str(ROOT / "benchmarks/gpu_launches.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    told = json.loads(done.stdout.splitlines()[-1])
    assert [each["name"] for each in told["budgets"] if not each["ok"]] == []
    figures = told["figures"]
    assert figures["kernels per slice, plain"] > 20 * figures["kernels per slice, as a GPU computes it"]
    assert figures["whole step: launches, plain"] > 20 * figures["whole step: launches, as a GPU computes it"]

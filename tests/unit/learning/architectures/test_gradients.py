"""Gradients of the shipped architectures are right, however few their channels are and whatever the processor is.

oneDNN writes past a buffer for some small convolutions, on some processors only; what comes of it is chance: a process
that dies, or a wrong gradient.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.unit.learning.architectures.gradients import WIDTHS

HERE = Path(__file__).parent
DILATED = HERE.parents[3] / "config/architectures/dilated.py"


def instruction_sets() -> list[str]:
    """Return the processor's own, and AVX2, whose vectors are half as long, where that is another."""
    return ["DEFAULT", "AVX2"] if torch.backends.cpu.get_cpu_capability() == "AVX512" else ["DEFAULT"]


@pytest.mark.slow
def test_gradients_are_those_of_float64() -> None:
    # threads that wait for each other sleep, where cores are busy with other tests
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, HERE / "gradients.py", DILATED, *instruction_sets()]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    lines = [tuple(json.loads(line)) for line in process.stdout.splitlines()]
    tried, errors = {line[:3] for line in lines}, {line[:3]: line[3] for line in lines if len(line) == 4}
    assert not tried - errors.keys(), f"the process died: {process.stderr}"
    assert len(errors) == 3 * len(WIDTHS) * 2 * len(instruction_sets())
    # rounding may turn a ReLU on or off, or max-pooling to another pixel, which shows where few channels are left
    assert {key: error for key, error in errors.items() if error > 0.1} == {}
    assert sorted(errors.values())[len(errors) // 2] < 1e-4

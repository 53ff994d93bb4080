"""A part of the mutated configurations, in some seconds; all of them: ``python -m tests.robustness.configurations``."""

import json
import subprocess
import sys

from tests.robustness.mutations import ROOT


def test_mutated_configurations_are_accepted_or_refused_in_words():
    # in a process of its own, which forks one for each case: it has one thread
    command = [sys.executable, "-m", "tests.robustness.configurations", "--number", "150", "--seed", "0", "--small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.stdout, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["problems"] == {}, done.stdout
    assert counts["cases"] == 150
    # mutations that nothing notices, or that leave nothing to check, would show nothing
    assert counts["outcomes"]["accepted"] >= 5
    assert counts["outcomes"]["refused"] >= 75

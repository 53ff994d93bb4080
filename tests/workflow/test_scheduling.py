"""Snakemake's scheduler decides when something has changed, and else sleeps."""

import subprocess
import sys
from pathlib import Path

import pytest

SHORT, WAITING = 20, 5

SNAKEFILE = f"""
rule all:
    input: "long", expand("waiting/{{n}}", n=range({WAITING}))

rule short:
    output: "short/{{n}}"
    shell: "date +%s.%N > {{output}}"

rule long:
    input: expand("short/{{n}}", n=range({SHORT}))
    output: "long"
    priority: 1
    shell: "sleep 3; touch {{output}}"

rule waiting:
    input: expand("short/{{n}}", n=range({SHORT}))
    output: "waiting/{{n}}"
    shell: "touch {{output}}"
"""

COUNTED = """
import sys
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler
decisions, select = [], JobScheduler.job_selector
JobScheduler.job_selector = lambda self, jobs: (decisions.append(len(jobs)), select(self, jobs))[1]
try:
    main()
finally:
    print("decisions", len(decisions))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def decisions(folder: Path, *words: str) -> int:
    command = [sys.executable, "-c", COUNTED, "--scheduler", "greedy", "--quiet", "all", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("decisions ")[1])


def test_while_jobs_wait_for_another_nothing_is_decided(folder: Path) -> None:
    # one decision for each job, when the one before it ends; Snakemake's own would decide 20 times a second during `long`
    assert decisions(folder, "--cores", "1") <= SHORT + WAITING + 3
    assert len(list((folder / "waiting").iterdir())) == WAITING


def test_a_limit_of_jobs_per_timespan_still_holds_and_is_left_again(folder: Path) -> None:
    decisions(folder, "--cores", "8", "--max-jobs-per-timespan", "4/1s")
    starts = sorted(float(path.read_text()) for path in (folder / "short").iterdir())
    assert len(starts) == SHORT
    # twenty jobs, four each second
    assert starts[-1] - starts[0] > 3

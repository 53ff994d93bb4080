"""Snakemake's scheduler decides when something has changed, and else sleeps."""

import os
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
import os, sys, time
import snakemake_logger_plugin_hrtem_ood  # before its methods are counted
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler
decisions, select, run = [], JobScheduler.job_selector, JobScheduler.run
JobScheduler.job_selector = lambda self, jobs: (decisions.append(len(jobs)), select(self, jobs))[1]
JobScheduler.run = lambda self, *words, **more: (run(self, *words, **more), time.sleep(float(os.environ["SUBMITTING_S"])))[0]
try:
    main()
finally:
    print("decisions", len(decisions))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def decisions(folder: Path, *words: str, submitting_s: float = 0.0) -> int:
    """Run Snakemake, which takes so long to submit some jobs, and return how often it chose jobs."""
    command = [sys.executable, "-c", COUNTED, "--scheduler", "greedy", "--quiet", "all", *words]
    environment = {**os.environ, "SUBMITTING_S": str(submitting_s)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
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


SLOW = """
rule all:
    input: expand("slow/{n}", n=range(6))

rule slow:
    output: "slow/{n}"
    shell: "date +%s.%N > {output}; sleep 15; date +%s.%N >> {output}"
"""


def test_jobs_that_the_limit_held_back_wait_for_no_other_job_where_submitting_takes_longer_than_the_timespan(
    tmp_path: Path,
) -> None:
    (tmp_path / "Snakefile").write_text(SLOW)
    decisions(tmp_path, "--cores", "8", "--max-jobs-per-timespan", "2/1s", submitting_s=1.5)
    begins, ends = zip(*(map(float, path.read_text().split()) for path in (tmp_path / "slow").iterdir()), strict=True)
    assert len(begins) == 6
    assert max(begins) < min(ends)

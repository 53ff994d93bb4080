"""Signals: a job ends with its Snakemake, even if that was killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hrtem_ood.artifacts.processes import process_runs, process_start
from hrtem_ood.execution.signals import SNAKEMAKE

JOB = """
import time
from hrtem_ood.execution.signals import end_with_snakemake
end_with_snakemake(0.05)
print("ready", flush=True)
time.sleep(120)
"""


def start_job(snakemake):
    environment = {key: value for key, value in os.environ.items() if key != SNAKEMAKE}
    environment |= {} if snakemake is None else {SNAKEMAKE: str(snakemake)}
    job = subprocess.Popen(
        [sys.executable, "-c", JOB], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True
    )
    job.stdout.readline()
    return job


@pytest.fixture
def snakemake():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"]) as process:
        yield process
        process.kill()


def test_a_job_ends_when_its_snakemake_is_killed_and_not_before(snakemake):
    with start_job(snakemake.pid) as job:
        time.sleep(0.5)
        assert process_runs(job.pid, process_start(job.pid))
        snakemake.kill()
        assert job.wait(30) == -signal.SIGTERM
        assert "Snakemake has ended" in job.stdout.read()


def test_a_job_of_a_snakemake_that_has_ended_before_it_could_look_ends(snakemake):
    snakemake.kill()
    snakemake.wait()
    with start_job(snakemake.pid) as job:
        assert job.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize("snakemake", [None, 0, 1, "x"])
def test_a_job_that_belongs_to_no_snakemake_goes_on(snakemake):
    with start_job(snakemake) as job:
        time.sleep(0.5)
        assert job.poll() is None
        job.kill()

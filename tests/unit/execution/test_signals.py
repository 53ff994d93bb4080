"""Signals: a job ends with its Snakemake, even if that was killed."""

import signal
import subprocess
import sys
import time

from hrtem_ood.artifacts.processes import process_runs, process_start

JOB = """
import time
from hrtem_ood.execution.signals import end_with_parent
end_with_parent(0.05)
print("ready", flush=True)
time.sleep(120)
"""
PARENT = """
import subprocess, sys
job = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
job.stdout.readline()
print(job.pid, flush=True)
job.wait()
"""


def test_a_job_ends_when_its_parent_is_killed_and_not_before():
    with subprocess.Popen([sys.executable, "-c", PARENT, JOB], stdout=subprocess.PIPE, text=True) as parent:
        job = int(parent.stdout.readline())
        start = process_start(job)
        time.sleep(0.5)
        assert process_runs(job, start)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for _ in range(200):
        if not process_runs(job, start):
            return
        time.sleep(0.1)
    raise AssertionError("it lives on")

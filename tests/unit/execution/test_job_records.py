"""Records of jobs: there while a job runs, gone when it ended well, telling when it did not."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from hrtem_ood.artifacts import store
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution import job_records
from hrtem_ood.execution.job_records import check_running, read, record_job

JOB = ("packs", "2networks-0123456789")


def path_of(results):
    return results / "jobs" / JOB[0] / f"{JOB[1]}.json"


def test_a_record_is_there_as_long_as_its_job_runs(tmp_path):
    with record_job(*JOB, tmp_path, [tmp_path / "a.json"]):
        (record,) = job_records.records(tmp_path)
        assert (record.kind, record.id, record.state) == (*JOB, "running")
        assert (record.host, record.pid) == (socket.gethostname(), os.getpid())
        assert record.configs == (str(tmp_path / "a.json"),)
        assert check_running([record]) == {record: True}
        another = replace(record, process_start=record.process_start - 100)
        assert check_running([another]) == {another: False}, "the number was given to another process"
    assert job_records.records(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (HrtemOodError("no room"), "failed", "no room"),
        (ValueError("three"), "failed", "ValueError: three"),
        (KeyboardInterrupt(), "stopped", "It received a signal to end."),
        (SystemExit(130), "stopped", "It received a signal to end."),
    ],
)
def test_a_job_that_does_not_end_well_leaves_its_record(tmp_path, error, state, told):
    with pytest.raises(type(error)), record_job(*JOB, tmp_path):
        raise error
    record = read(path_of(tmp_path))
    assert (record.state, record.error) == (state, told)
    assert record.ended >= record.started
    with record_job(*JOB, tmp_path):
        assert read(path_of(tmp_path)).state == "running"
    assert not path_of(tmp_path).exists(), "it succeeded at last"


def test_the_record_of_another_job_on_the_same_artifact_stays(tmp_path):
    with record_job(*JOB, tmp_path):
        other = replace(read(path_of(tmp_path)), pid=1)
        store.write_json(path_of(tmp_path), job_records.asdict(other))
    assert read(path_of(tmp_path)) == other


@pytest.mark.usefixtures("hearing_hangups")
@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGTERM, "stopped"), (signal.SIGHUP, "stopped"), (signal.SIGKILL, "running")]
)
def test_a_job_that_is_ended_by_a_signal(tmp_path, number, state):
    code = (
        "import time\nfrom pathlib import Path\nfrom hrtem_ood.execution.job_records import record_job\n"
        f"with record_job(*{JOB}, Path({str(tmp_path)!r})):\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not path_of(tmp_path).exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert check_running([read(path_of(tmp_path))]) == {read(path_of(tmp_path)): True}
        process.send_signal(number)
        process.wait(20)
    record = read(path_of(tmp_path))
    assert record.state == state
    assert check_running([record]) == {record: False}


def test_a_second_signal_does_not_leave_the_record_of_a_job_that_runs(tmp_path, monkeypatch):
    write = store.write_json

    def interrupted(path, content):
        if content["state"] == "stopped":
            signal.raise_signal(signal.SIGTERM)
        write(path, content)

    monkeypatch.setattr(store, "write_json", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), record_job(*JOB, tmp_path):
        signal.raise_signal(signal.SIGTERM)
    assert read(path_of(tmp_path)).state == "stopped"
    assert signal.getsignal(signal.SIGTERM) == before


def test_nohup_is_respected(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with record_job(*JOB, tmp_path):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not path_of(tmp_path).exists()


@pytest.fixture
def elsewhere(tmp_path):
    """Return a record of a job of SLURM on another host."""
    with pytest.raises(ValueError, match="x"), record_job(*JOB, tmp_path):
        raise ValueError("x")
    return replace(read(path_of(tmp_path)), state="running", host="node7.example", slurm_job="41")


def squeue(folder, monkeypatch, script):
    """Put a squeue on the path, which is what the boundary to SLURM looks like."""
    path = folder / "bin/squeue"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "runs"),
    [
        ("echo '41 RUNNING'", True),
        ("echo '40 RUNNING'", False),
        ("echo '41 PENDING'", False),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", False),
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", None),
    ],
)
def test_slurm_is_asked_about_jobs_on_other_hosts(tmp_path, monkeypatch, elsewhere, script, runs):
    squeue(tmp_path, monkeypatch, f"echo {shlex.quote('$@')} > /dev/null\n{script}")
    assert check_running([elsewhere]) == {elsewhere: runs}


def test_without_slurm_nobody_can_tell_of_another_host(monkeypatch, elsewhere):
    monkeypatch.setenv("PATH", "")
    assert check_running([elsewhere]) == {elsewhere: None}


def test_what_is_no_record_is_passed_over(tmp_path):
    path_of(tmp_path).parent.mkdir(parents=True)
    path_of(tmp_path).write_text("{}")
    (tmp_path / "jobs/packs/.x.json.012345678901.tmp").write_text("{")
    assert job_records.records(tmp_path) == []

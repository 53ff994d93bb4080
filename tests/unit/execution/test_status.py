"""How a campaign is getting on: counts that add up, and jobs told of as they are."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
import xarray as xr
from click.testing import CliRunner
from rich.console import Console

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.processes import process_start
from hrtem_ood.campaign.results import Results
from hrtem_ood.cli import main
from hrtem_ood.cli.render import status as rendered
from hrtem_ood.cli.render.status import status_table
from hrtem_ood.execution import slurm_queue
from hrtem_ood.execution.job_records import Record
from hrtem_ood.execution.slurm_queue import QueuedJob
from hrtem_ood.execution.status import status


@pytest.fixture
def results(lived, tmp_path):
    """Return the results of a finished campaign, which a test may change."""
    shutil.copytree(lived, tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def alive_pid():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def note(results, kind, id_, state, *, pid=2**22 + 1, host=None, ended=None, error=None):
    """Leave a record; by default of a process that is not there."""
    place, start = host or socket.gethostname(), process_start(pid)
    record = Record(id_, kind, state, place, pid, start, None, "2026-11-24T10:00:00+00:00", ended, (), error)
    store.write_json(record.path(results), asdict(record))


def row(found, name):
    (stage,) = (each for each in found.stages if each.stage == name)
    return stage


def text(found):
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(status_table(found))
    return console.export_text()


def test_of_nothing_structures_and_transfer_can_start(small, tmp_path):
    found = status(small, tmp_path)
    ready = {stage.stage: stage.ready for stage in found.stages if stage.ready}
    assert ready == {"structures": 4, "transfer": 1, "indexes": 1}
    assert row(found, "networks").blocked == len(small.networks)
    assert all(each.wanted == each.ready + each.blocked for each in found.stages)
    assert not found.done
    assert "No job is running." in text(found)


def test_when_all_is_there_it_is_done(small, results):
    note(results, "packs", next(iter(small.packs)), "failed", error="of an earlier attempt")
    found = status(small, results)
    assert found.done
    assert found.jobs == []
    assert all(each.done == each.wanted for each in found.stages)
    assert "The campaign is finished." in text(found)


def made_on(results, small, stage, id_, device):
    """Let an artifact say that a device made it."""
    path = Results(results).path(stage, id_)
    if stage == "packs":
        content = store.read_json(path)
        content["networks"] = {key: entry | {"device": device} for key, entry in content["networks"].items()}
        store.write_json(path, content)
    else:
        store.write_zarr(path, xr.Dataset(), store.provenance(small.datasets[id_], seconds=1, device=device))


def test_artifacts_of_several_devices_are_noted(small, results):
    assert status(small, results).notes == []
    made_on(results, small, "datasets", next(iter(small.datasets)), "NVIDIA H100")
    datasets = "datasets come from several devices: NVIDIA H100; cpu. Between devices, some counts differ by 1 "
    assert status(small, results).notes == [f"{datasets}(docs/gpu.md)."]
    made_on(results, small, "packs", next(iter(small.packs)), "NVIDIA A100")
    found = status(small, results)
    assert found.notes[1].startswith(
        "networks come from several devices: NVIDIA A100; cpu. Between devices, a network "
    )
    assert found.done, "nothing is stopped by it"
    assert f"Note: {datasets}" in " ".join(text(found).split())
    assert found.to_dict()["notes"] == found.notes


def test_what_cannot_be_read_has_no_device(small, results):
    for id_ in small.datasets:
        Results(results).path("datasets", id_).write_bytes(b"damaged")
    assert status(small, results).notes == []


def test_every_job_is_told_of_as_it_is(small, results, alive_pid):
    """One pack of each kind: running, on a host that cannot be asked, failed, killed; and the rest waits."""
    Results(results).path("metrics", small.metrics_id).unlink()
    packs = list(small.packs.values())
    assert len(packs) == 4
    for pack in packs:
        Results(results).path("packs", pack.id).unlink()
        for network in pack.networks[1:]:
            Results(results).path("networks", network.id).unlink()
        minutes = packs.index(pack) + 1
        os.utime(Results(results).path("networks", pack.networks[0].id), (time.time() - 60 * minutes,) * 2)
    running, away, failed, lost = packs
    note(results, "packs", running.id, "running", pid=alive_pid)
    note(results, "packs", away.id, "running", host="elsewhere.example")
    note(results, "packs", failed.id, "failed", ended="2026-11-24T10:30:00+00:00", error="no room\nat all")
    note(results, "packs", lost.id, "running")
    note(results, "packs", "2networks-0123456789", "failed", error="of another campaign")
    log = results / f"logs/packs/{failed.id}.log"
    log.parent.mkdir(parents=True)
    log.write_text("\n".join(f"line {number}" for number in range(20)))

    found = status(small, results)
    stage = row(found, "packs")
    assert (stage.done, stage.running, stage.failed, stage.ready, stage.blocked) == (0, 2, 2, 0, 0)
    networks = row(found, "networks")
    assert (networks.done, networks.running, networks.ready, networks.blocked) == (4, 2, 0, 2)
    assert networks.rate_per_h == pytest.approx(3 / 240 * 3600, rel=0.1)
    assert networks.remaining_h == pytest.approx(4 / networks.rate_per_h)
    assert (row(found, "metrics").ready, row(found, "metrics").blocked) == (0, 1)
    states = {job.id: job.state for job in found.jobs}
    assert states == {running.id: "running", away.id: "unchecked", failed.id: "failed", lost.id: "lost"}
    assert [job.state for job in found.jobs[:2]].count("failed") == 0, "running jobs come first"
    told = next(job for job in found.jobs if job.id == failed.id)
    assert told.last_lines[-1] == "line 19"
    assert told.hours == pytest.approx(0.5)
    assert told.networks == (1, 2)
    shown_ = text(found)
    for words in (
        f"packs/{failed.id}: failed",
        "line 19",
        "no room",
        str(log.name),
        "1 of 2 networks",
        "lost, started",
    ):
        assert words in shown_
    assert "line 3" not in shown_

    note(results, "packs", failed.id, "stopped", ended="2026-11-24T10:30:00+00:00")
    stage = row(status(small, results), "packs")
    assert (stage.failed, stage.ready) == (1, 1), "what was asked to stop goes on when it is run again"


def test_the_rate_is_that_since_the_last_pause(small, results):
    """Two datasets an hour ago, then three in a minute: 2 per 30 s."""
    Results(results).path("metrics", small.metrics_id).unlink()
    (Results(results).path("suites", next(iter(small.suites)))).unlink()
    *made, gone = [Results(results).path("datasets", id_) for id_ in small.datasets]
    gone.unlink()
    for evaluation in small.evaluations:
        Results(results).path("evaluations", evaluation).unlink()
    now = time.time()
    ages = [3000, 2990, 100, 70, 40, 10] + [5000] * len(made)
    for path, age in zip(made, ages, strict=False):
        os.utime(path, (now - age, now - age))
    stage = row(status(small, results), "datasets")
    assert stage.rate_per_h == pytest.approx(3 / 90 * 3600, rel=1e-3)
    assert stage.remaining_h == pytest.approx(90 / 3 / 3600, rel=1e-3)


def test_copied_files_have_no_rate(small, results):
    """Ten files in 0.1 s are 360,000 per hour; status would say `1.02e+06`."""
    Results(results).path("metrics", small.metrics_id).unlink()
    *made, gone = [Results(results).path("datasets", id_) for id_ in small.datasets]
    gone.unlink()
    now = time.time()
    for number, path in enumerate(made):
        os.utime(path, (now - 60 + 0.01 * number,) * 2)
    stage = row(status(small, results), "datasets")
    assert (stage.rate_per_h, stage.remaining_h) == (None, None)


@pytest.mark.parametrize(("per_h", "text"), [(43.14, "43.1"), (0.25, "0.25"), (1020.4, "1,020"), (35_999.0, "35,999")])
def test_rates_are_written_in_full(per_h, text):
    assert rendered._rate(per_h) == text


def test_the_verb_watches_until_all_is_there(small, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Results(results).path("configs", small.config_id)
    arguments = ["status", str(path), "--results", str(results)]
    watched = CliRunner().invoke(main, [*arguments, "--watch"], catch_exceptions=False)
    assert watched.exit_code == 0
    assert "The campaign is finished." in watched.output
    told = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)
    assert told["done"]
    Results(results).path("transfer", small.transfer.id).unlink()
    Results(results).path("metrics", small.metrics_id).unlink()
    watched = CliRunner().invoke(main, arguments)
    assert "No job is running." in watched.output


def test_jobs_that_slurm_does_not_start(small, tmp_path, monkeypatch):
    here = tmp_path.resolve()
    reasons = {"11": "PartitionTimeLimit", "12": "Priority", "13": "ReqNodeNotAvail"}
    jobs = [
        QueuedJob(number, "name", "PENDING", reason, here, "packs", f"id-{number}")
        for number, reason in reasons.items()
    ]
    asked = []

    def submitted_jobs(campaign, folder):
        asked.append((campaign, folder))
        return jobs

    monkeypatch.setattr(slurm_queue, "controller_jobs", lambda *_: [])
    monkeypatch.setattr(slurm_queue, "submitted_jobs", submitted_jobs)
    monkeypatch.setattr(shutil, "which", lambda _program: "/usr/bin/squeue")
    assert not status(small, tmp_path / "results").waiting
    assert not asked, "SLURM is asked only where it was used"
    (tmp_path / "results/logs/slurm").mkdir(parents=True)
    found = status(small, tmp_path / "results")
    assert asked == [(small.name, here)]
    assert [(job.slurm_job, job.never) for job in found.waiting] == [("11", True), ("13", False)]
    assert "packs/id-11: SLURM job 11 never starts, SLURM's reason is PartitionTimeLimit; see runtime" in text(found)
    assert "packs/id-13: SLURM job 13 waits, SLURM's reason is ReqNodeNotAvail" in text(found)
    json.dumps(found.to_dict())


def test_a_campaign_with_an_empty_file_is_not_finished(small, results):
    assert status(small, results).done
    paths = [Results(results).path("networks", next(iter(small.networks)))]
    paths.append(Results(results).path("suites", next(iter(small.suites.values())).id))
    for path in paths:
        path.write_bytes(b"")
    found = status(small, results)
    assert not found.done
    assert found.empty == [str(path) for path in paths]
    for name in ("networks", "suites"):
        assert row(found, name).done == row(found, name).wanted - 1
    said = " ".join(text(found).split())
    assert "2 artifacts are empty files" in said
    assert "The campaign is finished" not in said

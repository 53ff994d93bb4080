"""What is not needed: every file that no campaign asks for and this program made, and nothing else."""

import json
import os
import shutil
import time
from dataclasses import asdict

import pytest
from click.testing import CliRunner
from tests.unit.pretended import pretend

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.leases import Leases
from hrtem_ood.campaign.results import Results
from hrtem_ood.cli import main
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.job_records import Record, load, record_job
from hrtem_ood.execution.planning.garbage import delete, garbage, referenced_artifacts

ADDED = {
    "networks": {"unet": {"seed": [0, 1, 2]}},
    "conditions": {"far": {"defocus_A": 200, "dose_e_per_A2": 400}},
    "test_suites": {"far": {"structure_set": "test", "conditions": "far"}},
}


@pytest.fixture
def results(lived, tmp_path):
    shutil.copytree(lived, tmp_path / "results")
    return tmp_path / "results"


def every(results):
    return {path for path in results.rglob("*") if not path.is_dir()}


def found_in(found):
    return {path for paths in found.files.values() for path in paths}


def test_a_campaign_needs_what_it_made(small, results):
    found = garbage([small], results)
    assert found.files == {}
    assert found.others == {}
    assert every(results) == set(referenced_artifacts(small, results)), "nothing else is there"


def test_what_only_an_earlier_configuration_asked_for_goes(small, changed, results):
    before = every(results)
    grown = changed(ADDED)
    pretend(grown, results)
    assert len(grown.networks) == 12
    found = garbage([small], results)
    assert found_in(found) == every(results) - before
    assert len(found.files["networks"]) == 4
    assert found.others == {}, "it has the same name"
    assert garbage([small, grown], results).files == {}
    assert sum(found.sizes.values()) == sum(path.stat().st_size for path in found_in(found))
    delete(found, results)
    assert every(results) == before
    assert not (results / "reports" / grown.report_id).exists()


def test_a_campaign_that_is_not_named_is_told_of_by_name(small, changed, results):
    other = changed(ADDED | {"campaign": "other"})
    pretend(other, results)
    found = garbage([small], results)
    assert found.others == {"other": len(found_in(found))}
    config = Results(results).path("configs", other.config_id)
    config.write_text(json.dumps(json.loads(config.read_text()) | {"new_key": 1}))
    assert garbage([small], results).others == {"other": -1}, "of a version that knew another key"


def test_what_a_running_job_and_its_campaign_need_stays(small, changed, results):
    other = changed(ADDED | {"campaign": "other"})
    pretend(other, results)
    config = Results(results).path("configs", other.config_id)
    with record_job("packs", next(iter(other.packs)), results, [config]):
        found = garbage([small], results)
        assert found.files == {}
        assert "1 running jobs" in found.kept[0]
        config.unlink()
        with pytest.raises(HrtemOodError, match="the files that it needs are unknown"):
            garbage([small], results)


def test_what_this_program_did_not_make_stays(small, changed, results):
    other = changed({"campaign": "other", **ADDED})
    pretend(other, results)
    report = results / "reports" / other.report_id
    theirs = [
        results / "notes.txt", results / "networks/mine.ckpt", results / "networks/mine-0123456789.onnx",
        results / "datasets/notes-0123456789", report / "remarks.txt", results / "packs/.hidden.json",
    ]  # fmt: skip
    for path in theirs:
        path.write_text("mine")
    (results / "datasets/linked-0123456789.zarr.zip").symlink_to(results / "notes.txt")
    found = garbage([small], results)
    delete(found, results)
    assert all(path.exists() for path in theirs)
    assert (results / "datasets/linked-0123456789.zarr.zip").is_symlink()
    assert [path.name for path in report.iterdir()] == ["remarks.txt"]


def test_evaluations_from_which_scores_will_be_copied_stay(small, changed, results):
    singly = changed({"execution": {"networks_per_evaluation": 1}})
    old = {Results(results).path("evaluations", id_) for id_ in small.evaluations}
    found = garbage([singly], results)
    assert not old & found_in(found)
    assert f"{len(old)} evaluations" in found.kept[0]
    for job in singly.evaluations.values():
        shutil.copy(next(iter(old)), Results(results).path("evaluations", job.spec.id))
    assert old <= found_in(garbage([singly], results)), "once all are made, nobody needs them"


def test_leftovers_of_killed_jobs(small, results):
    """Temporary files once they are old, states of networks that are trained, records and logs of what nobody asks for."""
    network, gone = list(small.networks)[:2]
    Results(results).path("networks", gone).unlink()
    done, stopped, unasked = (results / f"networks/{name}.resume" for name in (network, gone, "unet-0123456789"))
    old, young, link = (
        results / "datasets/.df0-0123456789.zarr.zip.0123456789ab.tmp",
        results / f"reports/{small.report_id}/.report.html.0123456789ab.tmp",
        results / ".small.0123456789ab.tmp",
    )
    for path in (done, stopped, unasked, old, young):
        path.write_text("x")
    link.symlink_to(results / "reports" / small.report_id)
    past = time.time() - 2 * 24 * 3600
    os.utime(old, (past, past))
    os.utime(link, (past, past), follow_symlinks=False)
    log, unasked_log = (
        results / f"logs/packs/{name}.log" for name in (next(iter(small.packs)), "2networks-0123456789")
    )
    log.parent.mkdir(parents=True)
    log.touch()
    unasked_log.touch()
    failed = Record("2networks-0123456789", "packs", "failed", "host", 1, None, None, "2026-11-24T10:00:00+00:00")
    store.write_json(failed.path(results), asdict(failed))
    found = garbage([small], results)
    assert {group: set(paths) for group, paths in found.files.items()} == {
        "states of networks": {done, unasked},
        "logs and records": {unasked_log, failed.path(results)},
        "temporary files": {old, link},
    }
    assert found.kept == ["1 temporary files younger than a day"]


def test_the_link_to_a_report_goes_with_it(small, changed, results):
    other = changed({"campaign": "other"})
    pretend(other, results)
    for campaign in (small, other):
        store.update_symlink(results / campaign.name, results / "reports" / campaign.report_id)
    assert garbage([small], results).files["links"] == [results / "other"]


def test_nothing_is_deleted_while_snakemake_runs(small, changed, results):
    pretend(changed(ADDED), results)
    lock = results.parent / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    found = garbage([small], results)
    with pytest.raises(HrtemOodError, match="snakemake --unlock"):
        delete(found, results)
    assert all(path.exists() for path in found_in(found))


def test_the_verb_asks_before_it_deletes(small, changed, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = every(results)
    other = changed(ADDED | {"campaign": "other"})
    pretend(other, results)
    kept = tmp_path / "kept/configs" / f"{small.config_id}.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(small.config_json)
    arguments = ["gc", str(kept), "--results", str(results)]

    def run(*more, answer=None):
        done = CliRunner().invoke(main, [*arguments, *more], input=answer, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    everything = every(results)
    text = run()
    assert "Campaign other was run here and is not among those given" in text
    assert len(json.loads(run("--json"))["files"]["networks"]) == 4
    run("--delete", answer="n\n")
    assert every(results) == everything
    run("--delete", answer="y\n")
    assert every(results) == before
    assert "The campaigns use all files." in run("--delete", "--yes")
    kept = kept.with_name(f"{other.config_id}.json")
    kept.write_text(other.config_json)
    pretend(other, results)
    both = f"{Results(results).path('configs', small.config_id)}"
    done = CliRunner().invoke(main, ["gc", both, str(kept), "--results", str(results), "--delete", "--yes"])
    assert done.exit_code == 0
    assert every(results) == everything


# --- doubt means keep ---------------------------------------------------------------------------


@pytest.fixture
def theirs(tmp_path):
    """A folder outside the results, with a file that gc would delete inside."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    return folder


def test_nothing_is_deleted_behind_a_link(small, changed, results, theirs):
    other = changed(ADDED | {"campaign": "other"})
    pretend(other, results)
    unused = sorted(found_in(garbage([small], results)))
    assert unused
    for stage in ("networks", "datasets"):
        (results / stage).rename(theirs / stage)
        (results / stage).symlink_to(theirs / stage)
    figures = results / "reports" / other.report_id / "figures"
    figures.rename(theirs / "figures")
    figures.symlink_to(theirs / "figures")
    (results / "loop").symlink_to("loop")
    (results / ".loop.0123456789ab.tmp").symlink_to(".loop.0123456789ab.tmp")
    before = every(theirs)
    found = garbage([small], results)
    assert found_in(found)
    assert not any(path.is_relative_to(results / "networks") for path in found_in(found))
    for link in (results / "networks", results / "datasets", figures):
        assert any(f"files in {link}, a link to {theirs}" in kept for kept in found.kept)
    delete(found, results)
    assert every(theirs) == before
    assert figures.is_symlink()


@pytest.mark.parametrize("change", ["folder", "file", "content", "link"])
def test_what_changes_between_the_list_and_the_deletion_stays(small, changed, results, theirs, change):
    pretend(changed(ADDED | {"campaign": "other"}), results)
    found = garbage([small], results)
    path = found.files["networks"][0]
    (theirs / path.name).write_text("mine")
    if change == "folder":
        (results / "networks").rename(results / "old")
        (results / "networks").symlink_to(theirs)
    elif change == "link":
        path.unlink()
        path.symlink_to(theirs / path.name)
    else:
        content = path.read_bytes()
        if change == "file":
            path.unlink()
        path.write_bytes(content + b"more" * (change == "content"))
    done = delete(found, results)
    assert (theirs / path.name).read_text() == "mine"
    assert path.exists()
    assert path not in done.deleted
    assert any(kept.startswith(f"{path}: ") for kept in done.kept)
    assert done.deleted or change == "folder"


def test_results_that_are_a_link_are_locked_by_the_folder_that_holds_the_link(
    small, changed, results, tmp_path, monkeypatch
):
    pretend(changed(ADDED), results)
    work, between = tmp_path / "work", tmp_path / "between"
    for folder in (work, between):
        folder.mkdir()
    (between / "middle").symlink_to(results)
    (work / "results").symlink_to("../between/middle")
    found = garbage([small], work / "results")
    assert found_in(found)
    for holder in (work, between, results.parent):
        lock = holder / ".snakemake/locks/0.input.lock"
        lock.parent.mkdir(parents=True)
        lock.touch()
        with pytest.raises(HrtemOodError, match=f"Snakemake is running in {holder}, or was killed there"):
            delete(found, work / "results")
        lock.unlink()
    (work / ".snakemake/locks/0.input.lock").touch()
    direct = garbage([small], results)
    monkeypatch.chdir(work)
    with pytest.raises(HrtemOodError, match=f"Snakemake is running in {work}"):
        delete(direct, results)
    monkeypatch.chdir(between)  # whose Snakemake would write elsewhere
    (between / ".snakemake/locks/0.input.lock").touch()
    assert set(delete(direct, results).deleted) == found_in(direct)


def leftover(results, past_s):
    path = results / "datasets/.df0-0123456789.zarr.zip.0123456789ab.tmp"
    path.write_text("x")
    then = time.time() - past_s
    os.utime(path, (then, then))
    return path


DAY = 24 * 3600


@pytest.mark.parametrize("past_s", [3 * DAY, 40 * 365 * DAY, -2 * DAY])
def test_temporary_files_stay_while_a_job_may_run_whatever_the_clock_says(small, results, past_s):
    path = leftover(results, past_s)
    config = Results(results).path("configs", small.config_id)
    with record_job("datasets", "df0-0123456789", results, [config]):
        found = garbage([small], results)
        assert path not in found_in(found)
        assert "1 temporary files, as jobs are running" in found.kept
        # the clock was set while it ran: its start time seems another, but a process of that number runs
        record = load(results / "jobs/datasets/df0-0123456789.json")
        stored = asdict(record) | {"process_start": record.process_start - 10**6}
        store.write_json(record.path(results), stored)
        assert path not in found_in(garbage([small], results))
        store.write_json(record.path(results), asdict(record) | {"configs": list(record.configs)})
    found = garbage([small], results)
    assert (path in found_in(found)) == (past_s > 0)
    assert past_s > 0 or "1 temporary files from the future" in found.kept


def test_a_file_that_a_process_has_open_stays(small, results):
    path = leftover(results, 2 * DAY)
    found = garbage([small], results)
    with path.open("a"):
        done = delete(found, results)
        assert done == ([], [f"{path}: a process of this machine has it open"])
    assert delete(found, results).deleted == [path]


def test_temporary_files_of_networks_stay_beside_a_lease(small, results):
    path = results / "networks/.unet-0123456789.ckpt.0123456789ab.tmp"
    path.write_text("x")
    os.utime(path, (1, 1))
    lease = results / "networks/.unet-0123456789.ckpt.lease"
    for content in ("", "{", json.dumps({"where": "another host", "pid": 1, "start": 1.0, "token": "t"})):
        lease.write_text(content)
        found = garbage([small], results)
        assert path not in found_in(found)
        assert f"{lease} is the lease of a job that may be running" in found.kept[0]
    lease.unlink()
    with Leases() as leases:
        assert leases.try_acquire(results / "networks/unet-0123456789.ckpt")
        assert path not in found_in(garbage([small], results))
    assert path in found_in(garbage([small], results))


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"id": "x"}', "\0" * 99])
def test_a_record_that_cannot_be_read_keeps_everything(small, changed, results, content):
    pretend(changed(ADDED), results)
    listed = garbage([small], results)
    assert found_in(listed)
    path = results / "jobs/packs/x-0123456789.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    found = garbage([small], results)
    assert found.files == {}
    assert str(path) in found.kept[0]
    with pytest.raises(HrtemOodError, match="what it needs is unknown"):
        delete(listed, results)
    path.unlink()
    assert set(delete(listed, results).deleted) == found_in(listed)


def test_a_job_that_starts_after_the_list_stops_the_deletion(small, changed, results):
    pretend(changed(ADDED), results)
    found = garbage([small], results)
    config = Results(results).path("configs", small.config_id)
    with (
        record_job("packs", "x-0123456789", results, [config]),
        pytest.raises(HrtemOodError, match=r"A job has started .* Nothing was deleted; run gc again"),
    ):
        delete(found, results)
    assert all(path.exists() for path in found_in(found))


def test_an_evaluation_that_cannot_be_read_stays_where_scores_are_missing(small, changed, results):
    bad = results / "evaluations/2networks-0123456789.zarr.zip"
    bad.write_bytes(b"no zip")
    assert bad in found_in(garbage([small], results)), "no score is missing"
    found = garbage([changed({"execution": {"networks_per_evaluation": 1}})], results)
    assert bad not in found_in(found)
    assert any("1 evaluations that cannot be read" in kept for kept in found.kept)

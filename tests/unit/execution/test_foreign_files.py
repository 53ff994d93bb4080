"""One foreign or broken file in results/ keeps no verb from its work, and is named in one line."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile

import pytest
import yaml
from tests.unit.conftest import CONFIG

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.integrity import json_with_digest

pytestmark = pytest.mark.slow

FOLDERS = {
    "structures": ".extxyz", "exit_waves": ".zarr.zip", "datasets": ".zarr.zip", "networks": ".ckpt", "packs": ".json",
    "suites": ".json", "evaluations": ".zarr.zip", "transfer": ".zarr.zip", "predictors": ".zarr.zip",
    "metrics": ".zarr.zip", "indexes": ".csv", "configs": ".json", "jobs/packs": ".json",
}  # fmt: skip
RECORD = {
    "id": "foreign-0123456789", "kind": "packs", "state": "running", "host": socket.gethostname(), "pid": 1,
    "process_start": None, "slurm_job": None, "started": "2026-01-01T00:00:00+00:00", "ended": None,
    "configs": ["results/configs/a.json"], "error": None,
}  # fmt: skip


def fifo(path):
    os.mkfifo(path)


def unix_socket(path):
    server = socket.socket(socket.AF_UNIX)
    with contextlib.chdir(path.parent):  # such names are short
        server.bind(path.name)
    server.close()


def device(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path.name)


def broken_link(path):
    path.symlink_to("nowhere")


def folder(path):
    path.mkdir()


def deep_json(path):
    path.write_text('{"a":' * 100_000)


def deep_valid_json(path):
    path.write_text('{"id": "x", "digest": "y", "a":' + "[" * 900 + "]" * 900 + "}")


def not_utf8(path):
    path.write_bytes(b'{"id": "\xff\xfe\x00"}')


def empty(path):
    path.touch()


def huge(path):
    with path.open("wb") as file:
        file.truncate(50 * 2**30)  # takes no room


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("zarr.json", b" " * 2**26)


KINDS = [
    fifo, unix_socket, device, loop, broken_link, folder, deep_json, deep_valid_json, not_utf8, empty, huge, zip_bomb,
]  # fmt: skip


@pytest.fixture(scope="module")
def scene(lived, tmp_path_factory):
    """Return a working directory whose results hold every kind of foreign file in every folder."""
    place = tmp_path_factory.mktemp("foreign")
    shutil.copytree(lived, place / "results")
    (place / "config").mkdir()
    (place / "config/config.yaml").write_text(yaml.safe_dump(CONFIG))
    named = []
    for name, suffix in FOLDERS.items():
        (place / "results" / name).mkdir(parents=True, exist_ok=True)
        for number, kind in enumerate(KINDS):
            path = place / "results" / name / f"foreign-{number:010x}{suffix}"
            kind(path)
            named.append((name, path))
    for number, change in enumerate(
        [
            {"pid": "text"}, {"pid": -5}, {"pid": 10**30}, {"configs": ["a\0b"]}, {"started": "yesterday"},
            {"slurm_job": "1; rm"}, {"state": "odd"}, {"host": None}, {"process_start": "x"}, {"kind": "../packs"},
        ]
    ):  # fmt: skip
        id_ = f"record-{number:010x}"
        path = place / f"results/jobs/packs/{id_}.json"
        path.write_text(json_with_digest(RECORD | {"id": id_} | change))
        named.append(("jobs/packs", path))
    loop(place / "results/loop")
    return place, named


def run(place, *words):
    command = [sys.executable, "-m", "hrtem_ood", *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("words", [["plan"], ["status"], ["gc", "config/config.yaml"]])
def test_verbs_go_on(scene, words):
    place, named = scene
    done = run(place, *words)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    records = [str(path.relative_to(place)) for name, path in named if name == "jobs/packs"]
    if words != ["plan"]:
        lines = done.stderr.splitlines()
        assert all(sum(f" {path}" in line for line in lines) >= 1 for path in records), done.stderr
    assert json.loads(run(place, *words, "--json").stdout)


def test_plan_names_what_it_cannot_read(scene):
    place, named = scene
    change = place / "change.yaml"
    change.write_text(yaml.safe_dump({"simulation": {"sampling_A": 0.16}, "imaging": {"pixel_size_A": 0.64}}))
    unreadable = json.loads(run(place, "plan", str(change), "--json").stdout)["unreadable"]
    expected = [
        path for name, path in named if name in ("exit_waves", "datasets", "evaluations") and "loop" not in path.name
    ]
    assert {path.name for path in expected} <= {name.rpartition("/")[2] for name in unreadable}


def test_check_lists_them_all(scene):
    place, named = scene
    done = run(place, "check", "--json")
    assert done.returncode == 1, done.stderr
    damaged = json.loads(done.stdout)["damaged"]
    assert {str(path.relative_to(place)) for _, path in named} <= damaged.keys()
    assert all(path in message for path, message in damaged.items())


def test_gc_deletes_nothing_while_a_record_cannot_be_read(scene):
    place, _ = scene
    path = next((place / "results/structures").glob("*.extxyz"))
    unused = path.with_name("unused-0123456789.extxyz")
    unused.write_bytes(path.read_bytes())
    done = run(place, "gc", "config/config.yaml", "--delete", "--yes")
    assert done.returncode == 1
    assert "Nothing was deleted" in done.stderr
    assert unused.exists()
    unused.unlink()


def test_a_record_of_this_program_is_read(tmp_path):
    from hrtem_ood.execution import job_records

    path = tmp_path / "jobs/packs/foreign-0123456789.json"
    store.write_json(path, RECORD)
    assert job_records.load(path).pid == 1

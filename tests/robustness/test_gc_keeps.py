"""Hazards at random from a seed while `gc` lists and deletes: nothing outside goes, nothing needed goes, doubt keeps."""

import copy
import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from tests.unit.conftest import CONFIG
from tests.unit.pretended import pretend

from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.planning.garbage import delete, garbage, referenced_artifacts

TRIALS = 25
STAGES = (
    "structures",
    "exit_waves",
    "datasets",
    "networks",
    "packs",
    "evaluations",
    "reports",
    "configs",
    "jobs",
    "logs",
)

EFFECTIVE: list[bool] = []
"""Whether a trial deleted something."""


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Hazards:
    """What may be the matter with a results folder, each in a method; returns whether nothing at all may be deleted."""

    def __init__(self, rng: random.Random, results: Path, outside: Path) -> None:
        self.rng, self.results, self.outside = rng, results, outside

    def folder_is_a_link(self) -> bool:
        folder = self.results / self.rng.choice([name for name in STAGES if (self.results / name).is_dir()])
        if not folder.is_symlink():
            folder.rename(self.outside / folder.name)
            folder.symlink_to(self.outside / folder.name)
        return False

    def file_is_a_link(self) -> bool:
        path = self.rng.choice([path for path in self.results.rglob("*") if path.is_file() and not path.is_symlink()])
        path.rename(self.outside / path.name)
        path.symlink_to(self.outside / path.name)
        return False

    def link_to_everything(self) -> bool:
        (self.results / self.rng.choice(["all", ".all.0123456789ab.tmp"])).symlink_to(self.outside)
        return False

    def snakemake_runs(self) -> bool:
        lock = self.results.parent / ".snakemake/locks/0.output.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
        return True

    def record_is_broken(self) -> bool:
        path = self.results / "jobs/packs/x-0123456789.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.rng.choice([b"", b"{", b"[1]", b"\xff\xfe", json.dumps({"id": "x-0123456789"}).encode()]))
        return True

    def clock_jumps(self) -> bool:
        jump = self.rng.choice([-1, 1]) * self.rng.randint(1, 10**9)
        for path in self.results.rglob("*"):
            if not path.is_symlink():
                os.utime(path, (1, max(0, time.time() + jump)))
        return False


def change(rng: random.Random, results: Path, outside: Path) -> None:
    """Let something happen between the list and the deletion."""
    folders = [path for path in results.iterdir() if path.is_dir() and not path.is_symlink()]
    folder = rng.choice(folders)
    if rng.random() < 0.5:  # the very files that were listed, now elsewhere
        folder.rename(outside / "swapped")
    else:
        folder.rename(results.parent / "moved")
        shutil.copytree(results.parent / "moved", outside / "swapped", symlinks=True)
    folder.symlink_to(outside / "swapped")


@pytest.fixture(scope="module")
def lived_there(tmp_path_factory):
    """Return a campaign and its results, among those of a larger one."""
    raw = copy.deepcopy(CONFIG)
    small, folder = load_campaign(raw), tmp_path_factory.mktemp("gc") / "results"
    pretend(small, folder)
    pretend(load_campaign(merge(raw, {"networks": {"unet": {"seed": [0, 1, 2]}}})), folder)
    return small, folder


@pytest.mark.parametrize("trial", range(TRIALS))
def test_nothing_is_lost(lived_there, tmp_path, trial):
    rng = random.Random(trial)
    small, source = lived_there
    results, outside = tmp_path / "work/results", tmp_path / "outside"
    shutil.copytree(source, results)
    outside.mkdir()
    hazards = Hazards(rng, results, outside)
    names = [name for name, value in vars(Hazards).items() if callable(value) and not name.startswith("_")]
    nothing = [getattr(hazards, name)() for name in rng.sample(names, rng.randint(1, 3))]
    needed = {path: path.read_bytes() for path in referenced_artifacts(small, results)}
    found = garbage([small], results)
    if rng.random() < 0.5:
        change(rng, results, outside)
    before = content_of(outside)
    try:
        done = delete(found, results)
    except HrtemOodError:
        assert any(nothing) or not (results / "jobs").exists() or (results / "jobs").is_symlink()
        done = None
    assert done is None or not any(nothing) or not done.deleted
    assert content_of(outside) == before
    assert {path: path.read_bytes() for path in needed} == needed
    EFFECTIVE.append(done is not None and bool(done.deleted))


def test_and_yet_most_trials_delete_something():
    assert sum(EFFECTIVE) >= len(EFFECTIVE) / 3

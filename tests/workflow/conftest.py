"""A tiny campaign that Snakemake runs for real, end to end, and words to ask it what it would do next."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from tests import warm

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.execution.planning.plan import Plan, plan

ROOT = Path(__file__).parents[2]

_HERE_AT_WORK = threading.RLock()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, alone: threads share the working directory."""
    with _HERE_AT_WORK, contextlib.chdir(folder):
        yield


_SCENES = {
    "material": "Au",
    "cell_A": 25.6,
    "particles": {"radius_A": [5, 7], "separation_A": 4},
    "substrate": {"thickness_A": 4},
    "vacuum_A": 2,
}

TINY = {
    "campaign": "tiny",
    "materials": {"Au": {"formula": "Au", "structure": "fcc", "a_A": 4.0782}},
    "structure_sets": {
        "train": _SCENES | {"n_structures": 6, "seed": 1},
        "test": _SCENES | {"n_structures": 3, "seed": 2},
    },
    "simulation": {"sampling_A": 0.2, "slice_thickness_A": 2, "n_frozen_phonons": 1},
    "imaging": {"pixel_size_A": 0.8},
    "conditions": {
        "over": {"defocus_A": -100, "dose_e_per_A2": 1000},
        "under": {"defocus_A": 100, "dose_e_per_A2": 1000},
    },
    "training_sets": {
        "single": {
            "structure_set": "train",
            "conditions": ["over", "under"],
            "n_images": 4,
            "n_validation_structures": 2,
        },
        "mixed": {
            "structure_set": "train",
            "conditions": ["over", "under"],
            "mixture": True,
            "n_images": 4,
            "n_validation_structures": 2,
        },
    },
    "networks": {
        "unet": {
            "training_sets": ["single", "mixed"],
            "architecture": {"base_channels": 4, "depth": 2},
            "epochs": 2,
            "batch_size": 2,
            "seed": [0, 1],
        }
    },
    "test_suites": {"test": {"structure_set": "test", "conditions": ["over", "under"]}},
    "report": {"dpi": 60},
    "execution": {"structures_per_shard": 3, "networks_per_job": 4, "device": "cpu"},
}

JOBS = {
    "build": 3,
    "simulate": 3,
    "image": 4,
    "train": 3,
    "suite": 1,
    "evaluate": 3,
    "transfer": 1,
    "predictors": 1,
    "metrics": 1,
    "report": 1,
    "index": 1,
}
"""Jobs of a clean run."""


def path_without_slurm(folder: Path) -> str:
    """Return a PATH without commands of SLURM: they may be installed, and even a cluster run for other tests."""
    folder.mkdir()
    for program in ("bash", "env", "which"):
        (folder / program).symlink_to(str(shutil.which(program)))
    return str(folder)


@dataclass
class Project:
    """A working directory with a configuration, on which Snakemake is run."""

    folder: Path
    tiny: ClassVar[dict[str, Any]] = TINY
    all_jobs: ClassVar[dict[str, int]] = JOBS

    def copy(self, folder: Path) -> "Project":
        """Return a copy that a test may change."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def configure(self, raw: dict[str, Any]) -> None:
        """Write the default configuration."""
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config/config.yaml").write_text(yaml.safe_dump(raw))

    def command(self, python: str = sys.executable) -> list[str]:
        """Return the words that call Snakemake on the project."""
        command = [python, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
        return [*command, "--directory", str(self.folder)]

    def snakemake(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run Snakemake as in the repository's root, with its default profile; it and its jobs start warm."""
        command = [*self.command(warm.python()), *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"} | (environment or {})
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=environment, timeout=600, check=False
        )

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, int]:
        """Run to the end and return the jobs that ran, by rule."""
        done = self.snakemake(*arguments, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return job_stats(done.stdout + done.stderr)

    def would_run(self, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, int]:
        """Return the jobs that a dry run announces, by rule."""
        return self.run("--dry-run", *arguments, environment=environment)

    def after(self, change: dict[str, Any]) -> dict[str, int]:
        """Return the jobs that a dry run announces when a file with ``change`` is merged on the configuration.

        A plan announces the same.
        """
        path = self.folder / "change.yaml"
        path.write_text(yaml.safe_dump(change))
        found = self.would_run("--configfile", str(path))
        assert self.plan(change).jobs == found
        return found

    def plan(self, change: dict[str, Any] | None = None) -> Plan:
        """Return the plan for the configuration with a change."""
        return plan(self.campaign(change), self.folder / "results")

    def planned(self, environment: dict[str, str]) -> dict[str, Any]:
        """Return what the verb `plan` says in an environment."""
        command = [warm.python(), "-m", "hrtem_ood", "plan", "--json"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=os.environ | environment,
            timeout=60,
            check=True,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def campaign(self, change: dict[str, Any] | None = None) -> Campaign:
        """Return the campaign that the configuration asks for."""
        raw = yaml.safe_load((self.folder / "config/config.yaml").read_text())
        with inside(self.folder):  # files that it names are relative
            return load_campaign(merge(raw, change or {}))

    def artifacts(self, stage: str) -> dict[str, int]:
        """Return the artifacts of a stage with their times of writing [ns]."""
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "results" / stage).iterdir()}


def job_stats(text: str) -> dict[str, int]:
    """Read the table of jobs that Snakemake prints, without the targets."""
    if "Nothing to be done" in text:
        return {}
    table = text.split("Job stats:", 1)[1].split("total", 1)[0]
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    counts.pop("all", None)
    return counts

"""Snakemake on a machine with GPUs, by `nvidia-smi`: what jobs ask for, and that they go on where CuPy cannot use the card."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.conftest import TINY, Project, path_without_slurm

from hrtem_ood.campaign.load import merge

BROKEN = 'raise ImportError("libcudart.so.13: cannot open shared object file: No such file or directory")\n'
CARDS = ("0, GPU-aaaa, NVIDIA H100, 81559, 4, 580.65.06", "1, GPU-bbbb, NVIDIA H100, 81559, 4, 580.65.06")


def run(project: Project, folder: Path, *words: str, cards: int = 1) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on a machine with cards and a CuPy without CUDA's libraries."""
    programs, cupy = folder / "bin", folder / "site/cupy/__init__.py"
    path = path_without_slurm(programs)
    lines = "\n".join(CARDS[:cards])
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\necho '{lines}'\n")
    (programs / "nvidia-smi").chmod(0o755)
    cupy.parent.mkdir(parents=True)
    cupy.write_text(BROKEN)
    of_torch = folder / "site/torch-2.13.0.dist-info/METADATA"  # not as the build without CUDA
    of_torch.parent.mkdir()
    of_torch.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n")
    environment = os.environ | {
        "PATH": path,
        "PYTHONPATH": os.pathsep.join([str(cupy.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        environment.pop(name, None)
    command = [*project.command(), *words]
    return subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, env=environment, timeout=600, check=False
    )


def project_of(folder: Path, **execution: Any) -> Project:
    project = Project(folder / "project")
    project.folder.mkdir()
    project.configure(merge(TINY, {"execution": {"device": "auto"} | execution}))
    return project


@pytest.mark.parametrize(
    ("cards", "execution", "words", "slots"),
    [
        (1, {}, [], {"GPU-aaaa.0"}),
        (2, {}, [], {"GPU-aaaa.0", "GPU-bbbb.0"}),
        (2, {}, ["--resources", "gpu=1"], {"GPU-aaaa.0"}),
        (1, {"jobs_per_gpu": 2}, [], {"GPU-aaaa.0", "GPU-aaaa.1"}),
        (2, {"device": "cpu"}, [], set()),
    ],
    ids=["one card", "two cards", "one of two", "two jobs on a card", "cpu"],
)
def test_jobs_take_slots(
    tmp_path: Path, cards: int, execution: dict[str, Any], words: list[str], slots: set[str]
) -> None:
    project = project_of(tmp_path, **execution)
    done = run(project, tmp_path, "--until", "simulate", *words, cards=cards)
    assert done.returncode == 0, done.stderr
    logs = [path.read_text() for path in (project.folder / "results/logs/exit_waves").iterdir()]
    assert len(logs) == 3
    for log in logs:
        told = "CuPy computes on the CPU: CuPy is installed, but not the CUDA libraries that it needs" in log
        assert told == bool(slots)
        assert "device: cpu" in log
        assert "waiting for a GPU" not in log, "Snakemake starts no more than there are slots"
    assert {path.name for path in tmp_path.glob("hrtem-ood-gpus-*/*")} == slots


@pytest.mark.parametrize(
    ("execution", "words", "granted"),
    [
        ({"jobs_per_gpu": 3}, [], {"gpu": 6, "threads": 2}),
        ({}, ["--resources", "gpu=1"], {"gpu": 1, "threads": 2}),
        ({"device": "cpu"}, [], {"gpu": 0, "threads": 2}),
    ],
    ids=str,
)
def test_a_job_of_single_tasks_has_the_machine_for_itself(
    tmp_path: Path, execution: dict[str, Any], words: list[str], granted: dict[str, int]
) -> None:
    """Else as many jobs as there are slots would start as many tasks each."""
    project = project_of(tmp_path, network_jobs="individual", **execution)
    done = run(project, tmp_path, "--dry-run", "--printshellcmds", *words, cards=2)
    assert done.returncode == 0, done.stderr
    found = [json.loads(text) for text in re.findall(r"--resources '(.*?)'", done.stdout + done.stderr)]
    assert len(found) == 6, "three packs, and their evaluations"
    assert all(each.items() >= granted.items() for each in found), found

"""On a machine with a GPU that CuPy cannot use: jobs take its slot one after the other, say why, and go on."""

import os
import subprocess
from pathlib import Path

from tests.workflow.conftest import TINY, Project

from hrtem_ood.campaign.load import merge

BROKEN = 'raise ImportError("libcudart.so.13: cannot open shared object file: No such file or directory")\n'


def run(project: Project, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on a machine with one card, by `nvidia-smi`, and a CuPy without CUDA's libraries."""
    program, cupy = folder / "bin/nvidia-smi", folder / "site/cupy/__init__.py"
    for path, text in (
        (program, "#!/bin/sh\necho '0, GPU-aaaa, NVIDIA H100, 81559, 4, 580.65.06'\n"),
        (cupy, BROKEN),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(cupy.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    command = [*project.command(), *words]
    return subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, env=environment, timeout=600, check=False
    )


def test_one_job_per_gpu(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    project.configure(merge(TINY, {"execution": {"device": "auto"}}))
    done = run(project, tmp_path, "--until", "simulate")
    assert done.returncode == 0, done.stderr
    logs = [path.read_text() for path in (project.folder / "results/logs/exit_waves").iterdir()]
    assert len(logs) == 3
    for log in logs:
        assert "CuPy computes on the CPU: CuPy is installed, but not the CUDA libraries that it needs" in log
        assert "device: cpu" in log
        assert "waiting for a GPU" not in log, "Snakemake starts no more than there are slots"
    (slots,) = tmp_path.glob("hrtem-ood-gpus-*")
    assert [path.name for path in slots.iterdir()] == ["GPU-aaaa.0"]

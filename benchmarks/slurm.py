"""What it costs to train a network as part of a pack, as a task of a SLURM array, and as a Snakemake job of its own.

python benchmarks/slurm.py, as root on Debian: it starts a real SLURM cluster (tests/cluster/slurm-cluster) and wipes it
away. Tiny networks are trained for real, four jobs at once; of an array, all tasks that the cluster has room for. Packs are
of the default size. Overhead is what is left when the time spent on training, as
the networks' files tell it, is taken away. Processor time is that of Snakemake and of all jobs, as SLURM accounts it.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from report import Budget, report

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.workflow.conftest import ROOT, TINY

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign, merge

SCRIPT = ROOT / "tests/cluster/slurm-cluster"
AT_ONCE = 4
KINDS: dict[str, dict[str, Any]] = {
    "pack": {"networks": 96, "execution": {"networks_per_job": 32}},
    "array": {"networks": 24, "execution": {"networks_per_job": 24, "network_jobs": "individual"}},
    "job each": {"networks": 12, "execution": {"networks_per_job": 1}},
}
"""As many networks as take a while; costs are per network."""


@dataclass(frozen=True)
class Cost:
    """Of one network.

    Attributes
    ----------
    wall_s, cpu_s : float, [s]
        In all.
    training_s : float, [s]
        Of that, training.
    """

    wall_s: float
    cpu_s: float
    training_s: float


@contextmanager
def cluster() -> Iterator[None]:
    """Start a cluster and wipe it away."""
    subprocess.run([SCRIPT, "start"], check=True)
    try:
        yield
    finally:
        subprocess.run([SCRIPT, "stop"], check=True)


def snakemake(folder: Path, *arguments: str) -> None:
    """Run Snakemake on the project in a folder."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", env=environment, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def slurm_cpu_s(since: str) -> float:
    """Processor time of all jobs that began after some time, as the database tells it."""
    time.sleep(3)  # it learns of a job's end a little later
    command = ["sacct", "--noheader", "--parsable2", "--starttime", since, "--format=JobID,TotalCPU"]
    lines = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
    steps = [line.split("|") for line in lines if "." in line.split("|")[0]]
    return sum(_seconds(told) for _, told in steps)


def _seconds(told: str) -> float:
    days, _, clock = told.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds + 86400 * float(days or 0)


def run(kind: str, folder: Path, first_seed: int) -> Cost:
    """Train new networks in one of the ways."""
    count, execution = KINDS[kind]["networks"], KINDS[kind]["execution"]
    seeds = list(range(first_seed, first_seed + count))
    raw = configured({"networks": {"unet": {"training_sets": ["single"], "seed": seeds}}, "execution": execution})
    (folder / "config/config.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    since = time.strftime("%Y-%m-%dT%H:%M:%S")
    time.sleep(1)
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    snakemake(
        folder, "networks", "--workflow-profile", str(ROOT / "profiles/slurm"), "--jobs", str(AT_ONCE),
        "--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "1",
    )  # fmt: skip
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    head = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cpu = head + slurm_cpu_s(since)
    networks = load_campaign(raw).networks
    training = sum(store.read_checkpoint(folder / f"results/networks/{id_}.ckpt")["seconds"] for id_ in networks)
    return Cost(wall / count, cpu / count, training / count)


def configured(change: dict[str, Any]) -> dict[str, Any]:
    """Return the tiny campaign of the tests with one condition to train under, and a change."""
    raw: dict[str, Any] = merge(merge(TINY, {"training_sets": {"single": {"conditions": ["over"]}}}), change)
    del raw["training_sets"]["mixed"]
    return raw


def main() -> None:
    """Measure all ways, one after the other, on one cluster."""
    if os.getuid():
        report("slurm", {"measured": 0.0}, [], ["Not measured: a SLURM cluster can only be started by root."])
        return
    with tempfile.TemporaryDirectory() as name, cluster():
        folder = Path(name)
        (folder / "config").mkdir()
        raw = configured({"networks": {"unet": {"training_sets": ["single"]}}})
        (folder / "config/config.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
        snakemake(folder, "datasets", "--cores", "2")
        costs = {kind: run(kind, folder, 1000 * (1 + number)) for number, kind in enumerate(KINDS)}
    figures: dict[str, float] = {}
    for kind, cost in costs.items():
        figures[f"{kind}: wall per network [s]"] = cost.wall_s
        figures[f"{kind}: processor time per network [s]"] = cost.cpu_s
        figures[f"{kind}: overhead per network [s]"] = cost.cpu_s - cost.training_s
    each, pack = costs["job each"], costs["pack"]
    figures["job each / pack: wall"] = each.wall_s / pack.wall_s
    figures["job each / pack: overhead"] = (each.cpu_s - each.training_s) / (pack.cpu_s - pack.training_s)
    limits = [Budget("job each / pack: wall", 8, "min"), Budget("job each / pack: overhead", 8, "min")]
    counts = ", ".join(f"{kind}: {given['networks']}" for kind, given in KINDS.items())
    report(
        "slurm",
        figures,
        limits,
        [
            f"Networks: {counts}; {AT_ONCE} jobs at once, packs of up to 32. A SLURM cluster of nine nodes on this machine."
        ],
    )


if __name__ == "__main__":
    main()

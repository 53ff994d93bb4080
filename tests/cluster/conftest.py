"""A real SLURM cluster, and a small campaign of slow networks on it, to be disturbed."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.conftest import ROOT, Project

from hrtem_ood import store
from hrtem_ood.campaign.load import merge

SCRIPT = Path(__file__).with_name("slurm-cluster")
HERE = Path(__file__).parent
PROFILE = ROOT / "profiles/slurm"
OFTEN = ["--snakefile", str(ROOT / "Snakefile"), "networks", "--slurm-init-seconds-before-status-checks", "2"]
OFTEN += ["--max-status-checks-per-second", "1"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


def daemons(*words: str) -> None:
    """Start or stop the cluster or one of its daemons."""
    done = subprocess.run([str(SCRIPT), *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def slurm(*words: str) -> str:
    """Run a command of SLURM, and return what it prints."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Start a cluster, once, and wipe it away in the end."""
    if os.getuid() != 0:
        pytest.skip("a SLURM cluster can only be started by root")
    if shutil.which("apt-get") is None and shutil.which("slurmctld") is None:
        pytest.skip("SLURM is installed from Debian's packages, and there is no apt-get")
    daemons("start")
    yield
    daemons("stop")


SLOW = """
import time
from torch import nn

class Nap(nn.Module):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
    def forward(self, images):
        if self.training:
            time.sleep(self.seconds)
        return images

class Fails(nn.Module):
    def forward(self, images):
        if self.training:
            raise ValueError("this network never trains")
        return images

def Slow(channels, nap):
    return nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), Nap(nap), nn.Conv2d(channels, 2, 1))

def Broken(channels):
    return nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), Fails(), nn.Conv2d(channels, 2, 1))
"""
"""Architectures that take their time, but little of the processor's, and one that fails."""

CHANGE: dict[str, Any] = {
    "training_sets": {"single": {"conditions": ["over"]}},
    "networks": {
        "unet": {
            "training_sets": ["single"],
            "architecture": {"name": "Slow", "file": "slow.py", "parameters": {"channels": 4, "nap": 0.2}},
            "epochs": 50,
            "seed": [0, 1],
        }
    },
    "execution": {"save_every_s": 2},
}
"""Two networks of some 20 seconds, in one pack."""


def changed(project: Project, change: dict[str, Any]) -> None:
    """Write a project's configuration: the tiny campaign with slow networks, and a change on top."""
    raw = merge(merge(project.tiny, CHANGE), change)
    # `merge` only adds
    raw["networks"]["unet"]["architecture"] = merge(CHANGE, change)["networks"]["unet"]["architecture"]
    del raw["training_sets"]["mixed"]
    (project.folder / "slow.py").write_text(SLOW)
    project.configure(raw)


@dataclass
class Campaign:
    """A campaign that is run on the cluster.

    Attributes
    ----------
    project : Project
    reference : dict
        Scores of every network, by id, without disturbance.
    """

    project: Project
    reference: dict[str, Any]
    heads: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._keep_logs, daemon=True).start()

    def _keep_logs(self) -> None:
        """Give every log another name: Snakemake deletes that of an earlier attempt."""
        kept = self.folder / "kept"
        kept.mkdir()
        while kept.exists():
            for path in [
                *self.folder.glob("results/logs/packs/*.log"),
                *self.folder.glob("results/logs/tasks/*/*.out"),
            ]:
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    os.link(path, kept / f"{path.stat().st_ino}.log")
            time.sleep(0.1)

    @property
    def folder(self) -> Path:
        return self.project.folder

    def change(self, change: dict[str, Any]) -> None:
        changed(self.project, change)

    def start(self, *arguments: str, extra: str = "", signal: str = "USR2@90") -> subprocess.Popen[str]:
        """Start Snakemake on the cluster, with the profile that users have, asking more often."""
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(PROFILE), "--nolock"]
        command += [*OFTEN, "--set-resources", f"train:slurm_extra='--signal={signal} {extra}'", *arguments]
        with (self.folder / "head.txt").open("a") as out:
            head = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out, text=True, start_new_session=True)
        self.heads.append(head)
        return head

    def hrtem_ood(self, *words: str) -> str:
        """Run a verb in the campaign's folder."""
        command = [sys.executable, "-m", "hrtem_ood", *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, *arguments: str, minutes: int = 60) -> str:
        """Submit a head as users do; return its SLURM job."""
        words = [f"--snakemake={word}" for word in [*OFTEN, *arguments]]
        told = self.hrtem_ood("submit", "--profile", str(PROFILE), "--minutes", str(minutes), *words)
        job = told.split()[3].rstrip(";")
        assert job.isdigit(), told
        return job

    def out(self) -> str:
        """What Snakemake printed, and heads."""
        return "".join(
            path.read_text()
            for path in [self.folder / "head.txt", *self.folder.glob("results/logs/head/*.out")]
            if path.exists()
        )

    def log(self) -> str:
        """Logs of all trainings, all attempts."""
        time.sleep(0.3)
        return "".join(path.read_text() for path in sorted((self.folder / "kept").glob("*.log")))

    def jobs(self) -> dict[str, str]:
        """SLURM jobs of this campaign that are not over, with their node."""
        lines = slurm("squeue", "--noheader", "--format=%A|%Z|%N|%j").splitlines()
        rows = [line.split("|") for line in lines]
        return {
            job: node
            for job, where, node, name in rows
            if Path(where) == self.folder and not name.startswith("hrtem-ood-")
        }

    def over(self, job: str) -> None:
        """Wait for a SLURM job to end."""
        wait(lambda: job not in slurm("squeue", "--noheader", "--format=%A").split(), f"job {job} to end", 400)

    def training(self) -> str:
        """Wait until a network is in training and has saved a state; return the SLURM job."""
        wait(lambda: list((self.folder / "results/networks").glob("*.resume")), "a network in training")
        (job,) = self.jobs()
        return job

    def end(self, head: subprocess.Popen[str], *, well: bool = True) -> None:
        """Wait for Snakemake to end."""
        code = head.wait(400)
        assert (code == 0) == well, self.out() + self.log()

    def check(self, *, resumed: bool = True) -> None:
        """Nothing was trained twice, what was stopped went on, and the metrics are those without disturbance."""
        log = self.log()
        campaign = self.project.campaign()
        trained = Counter(line.split()[1].rstrip(":") for line in log.splitlines() if "validation loss" in line)
        assert trained == Counter(list(campaign.networks)), log
        assert ("training goes on after epoch" in log) == resumed, log
        assert "training starts anew" not in log
        networks = self.folder / "results/networks"
        assert not list(networks.glob("*.resume"))
        assert not list(networks.glob(".*"))
        self.project.run("--cores", "1", f"results/metrics/{campaign.metrics_id}.zarr.zip")
        assert scores(self.project) == {id_: self.reference[id_] for id_ in campaign.networks}


def scores(project: Project) -> dict[str, Any]:
    """Scores of every network of a project, by id."""
    metrics = store.read_zarr(project.folder / f"results/metrics/{project.campaign().metrics_id}.zarr.zip")
    return {str(id_): metrics.mean_f1.sel(network=id_).values.tolist() for id_ in metrics.network.values}


def wait(for_: Callable[[], Any], what: str, seconds: float = 150) -> Any:
    """Wait for something to be true."""
    begin = time.monotonic()
    while not (found := for_()):
        assert time.monotonic() - begin < seconds, f"waited {seconds} s for {what}"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="session")
def reference(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the scores of all networks of the tests, trained on this machine without disturbance."""
    project = finished.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    changed(project, {"networks": {"unet": {"seed": [0, 1, 2]}}, "execution": {"networks_per_job": 1}})
    project.run("--cores", "3", f"results/metrics/{project.campaign().metrics_id}.zarr.zip")
    return scores(project)


@pytest.fixture(scope="session")
def new_campaign(
    cluster: None,  # noqa: ARG001  # it is there
    finished: Project,
    reference: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Campaign]]:
    """Return a function that makes campaigns whose data are there, and whose networks are not."""
    made: list[Campaign] = []
    root = tmp_path_factory.mktemp("cluster")

    def new(name: str) -> Campaign:
        project = finished.copy(root / name)
        shutil.rmtree(project.folder / "results/logs")
        campaign = Campaign(project, reference)
        campaign.change({})
        made.append(campaign)
        return campaign

    yield new
    for campaign in made:
        for head in campaign.heads:
            if head.poll() is None:
                head.kill()
        with contextlib.suppress(subprocess.SubprocessError):
            for job in campaign.jobs():
                slurm("scancel", job)

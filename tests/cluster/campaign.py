"""A small campaign of slow networks on a SLURM cluster, and words to follow it."""

import contextlib
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
import yaml
from tests import warm
from tests.workflow.conftest import ROOT, Project, inside

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.execution.network_jobs import evaluate_networks

HERE = Path(__file__).parent
PROFILE = ROOT / "profiles/slurm"
OFTEN = ["--snakefile", str(ROOT / "Snakefile"), "--max-status-checks-per-second", "1"]
OFTEN += ["--slurm-init-seconds-before-status-checks", "2"]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE / "often"), os.environ.get("PYTHONPATH", "")])}


def slurm(*words: str) -> str:
    """Run a command of SLURM, and return what it prints."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


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

class Slow(nn.Sequential):
    def __init__(self, channels, nap):
        super().__init__(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), Nap(nap), nn.Conv2d(channels, 2, 1))

class Broken(nn.Sequential):
    def __init__(self, channels):
        super().__init__(nn.Conv2d(1, channels, 3, padding=1), Fails(), nn.Conv2d(channels, 2, 1))
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
    "execution": {"checkpoint_interval_s": 2},
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
    reference : future dict of str to Dataset
        Scores of every network, by id, without disturbance.
    """

    project: Project
    reference: Future[dict[str, xr.Dataset]]
    heads: list[subprocess.Popen[str]] = field(default_factory=list)
    profile: Path = PROFILE

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep_logs)
        self._keeper.start()

    def close(self) -> None:
        """Keep no more logs; a thread that lives until Python ends is stopped anywhere, while it lists a folder, too."""
        self._over.set()
        self._keeper.join()

    def _keep_logs(self) -> None:
        """Give every log another name: Snakemake deletes that of an earlier attempt."""
        kept = self.folder / "kept"
        kept.mkdir()
        while not self._over.wait(0.5):
            for path in [
                *self.folder.glob("results/logs/packs/*.log"),
                *self.folder.glob("results/logs/tasks/*/*.out"),
            ]:
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    os.link(path, kept / f"{path.stat().st_ino}.log")

    @property
    def folder(self) -> Path:
        return self.project.folder

    def change(self, change: dict[str, Any]) -> None:
        changed(self.project, change)

    def start(
        self, *resources: str, target: str = "networks", extra: str = "--signal=USR2@90"
    ) -> subprocess.Popen[str]:
        """Start Snakemake on the cluster, with the profile that users have, asking more often."""
        command = [warm.python(), "-m", "snakemake", target, "--workflow-profile", str(PROFILE), "--nolock"]
        command += [*OFTEN, "--set-resources", f"train:slurm_extra='{extra}'", *resources]
        with (self.folder / "head.txt").open("a") as out:
            head = subprocess.Popen(
                command, cwd=self.folder, stdout=out, stderr=out, text=True, start_new_session=True, env=ENVIRONMENT
            )
        self.heads.append(head)
        return head

    def hrtem_ood(self, *words: str) -> str:
        """Run a verb in the campaign's folder."""
        command = [warm.python(), "-m", "hrtem_ood", *words]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, *arguments: str, minutes: int = 60, partition: str = "main") -> str:
        """Submit a head as users do; return its SLURM job."""
        words = [f"--snakemake={word}" for word in ["networks", *OFTEN, *arguments]]
        where = ["--minutes", str(minutes), "--partition", partition]
        told = self.hrtem_ood("submit", "--profile", str(self.profile), *where, *words)
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
        time.sleep(0.7)  # they are kept every 0.5 s
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

    def no_jobs(self) -> None:
        """Wait until SLURM lists none: those that were cancelled stay in the queue for a moment."""
        wait(lambda: not self.jobs(), "the last job to leave the queue", 60)

    def over(self, job: str) -> None:
        """Wait for a SLURM job to end."""
        wait(lambda: job not in slurm("squeue", "--noheader", "--format=%A").split(), f"job {job} to end", 900)

    def training(self) -> str:
        """Wait until a network is in training and has saved a state; return the SLURM job."""
        wait(lambda: list((self.folder / "results/networks").glob("*.resume")), "a network in training")
        (job,) = self.jobs()
        return job

    def end(self, head: subprocess.Popen[str], *, well: bool = True) -> None:
        """Wait for Snakemake to end."""
        code = head.wait(900)
        assert (code == 0) == well, self.out() + self.log()

    def trained_once(self) -> str:
        """Every network was trained to its end, once; return all logs."""
        log = self.log()
        trained = Counter(line.split()[1].rstrip(":") for line in log.splitlines() if "validation loss" in line)
        assert trained == Counter(ids(self.project)), log
        assert "training restarts" not in log
        networks = self.folder / "results/networks"
        assert not list(networks.glob("*.resume"))
        assert not list(networks.glob(".*"))
        return log

    def check(self, *, resumed: bool = True) -> None:
        """Nothing was trained twice, what was stopped went on, and scores are those without disturbance."""
        log = self.trained_once()
        assert ("training resumes after epoch" in log) == resumed, log
        found = scores(self.project)
        assert sorted(found) == sorted(ids(self.project))
        for id_, theirs in found.items():
            xr.testing.assert_equal(theirs, self.reference.result(300)[id_])


def ids(project: Project) -> list[str]:
    """Ids of a project's networks."""
    return list(project.campaign().networks)


def scores(project: Project) -> dict[str, xr.Dataset]:
    """Scores of every network of a project on every test image, by id; computed here, where there are none yet."""
    config, results = Path("config/config.yaml"), Path("results")
    found: dict[str, xr.Dataset] = {}
    with inside(project.folder):
        for id_ in load_campaign(yaml.safe_load(config.read_text())).evaluations:
            path = results / f"evaluations/{id_}.zarr.zip"
            if not path.exists():
                evaluate_networks(id_, (config,), results)
            evaluation = store.read_zarr(path)
            for network in evaluation.network.values:
                found[str(network)] = evaluation.sel(network=network)
    return found


def wait(for_: Callable[[], Any], what: str, seconds: float = 300) -> Any:
    """Wait for something to be true."""
    begin = time.monotonic()
    while not (found := for_()):
        assert time.monotonic() - begin < seconds, f"waited {seconds} s for {what}"
        time.sleep(0.5)
    return found

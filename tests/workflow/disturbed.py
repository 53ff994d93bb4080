"""A campaign that is killed again and again, beside one that is left alone: their metrics must be the same, bit for bit.

``test_disturbed.py`` does this to the tiny campaign. To do it to another one, in the root of the repository:

    python -m tests.workflow.disturbed --times 12 config/experiments/thousands.yaml build/fraction-0.01.yaml

It runs the campaign twice below the temporary folder, which needs room for both; with ``--folder``, below that one, where
the undisturbed run stays, so that a larger fraction can go on from it.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.campaign.results import Results
from hrtem_ood.execution.job_records import Record, read

ROOT = Path(__file__).parents[2]
SPARE = 2**16
"""Bytes that a full disk has left."""
LARGE = "size=16g"
LONGEST_S = 600.0
"""Time in which Snakemake gives up after a job of a tiny campaign has failed: others go on."""


@dataclass
class Run:
    """A folder in which Snakemake is called.

    Attributes
    ----------
    folder : Path
    command : sequence of str
        Calls Snakemake on the campaign.
    rng : random.Random
        Chooses what happens, and when.
    patience_s : float
        Time that Snakemake has to end by itself after something has happened; then it is killed as well.
    happened : list of str
        What has happened so far.
    """

    folder: Path
    command: Sequence[str]
    rng: random.Random
    patience_s: float = LONGEST_S
    happened: list[str] = field(default_factory=list)

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.folder / "results"

    def start(self) -> "subprocess.Popen[bytes]":
        """Call Snakemake in a session of its own, as a shell would."""
        subprocess.run([*self.command, "--unlock"], cwd=self.folder, capture_output=True, check=False)
        with (self.folder / "run.log").open("ab") as log:
            return subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)

    def finish(self) -> None:
        """Call Snakemake until all is there. Jobs that a killed one has left may be at work a moment longer, and fail it."""
        for _ in range(5):
            if self.start().wait() == 0:
                return
        raise RuntimeError(f"{self.folder / 'run.log'} says why the campaign cannot be finished")

    def running_jobs(self) -> list[Record]:
        """Return the records of jobs that run."""
        records = [read(path) for path in (self.results / "jobs").rglob("*.json")]
        return [each for each in records if each is not None and each.state == "running"]

    def await_a_job(self, process: "subprocess.Popen[bytes]", kinds: Sequence[str]) -> Record | None:
        """Wait for a job of some stages, and a moment longer; None if the campaign ends before."""
        while process.poll() is None:
            jobs = [each for each in self.running_jobs() if each.kind in kinds]
            if jobs:
                time.sleep(self.rng.uniform(0, 1))
                return self.rng.choice(jobs)
            time.sleep(0.02)
        return None


def kill_a_job(run: Run, process: "subprocess.Popen[bytes]", job: Record) -> None:
    """SIGKILL of a job; Snakemake goes on with others, and fails."""
    _kill(job.pid, signal.SIGKILL)
    _end(run, process)


def kill_snakemake(_run: Run, process: "subprocess.Popen[bytes]", _job: Record) -> None:
    """SIGKILL of Snakemake; its jobs notice it and end."""
    process.kill()
    process.wait()


def press_ctrl_c(run: Run, process: "subprocess.Popen[bytes]", _job: Record) -> None:
    """SIGINT to Snakemake and all its jobs."""
    os.killpg(process.pid, signal.SIGINT)
    _end(run, process)


def fill_the_disk(run: Run, process: "subprocess.Popen[bytes]", _job: Record) -> None:
    """Leave no room in the results folder, until Snakemake gives up; then make room."""
    used = shutil.disk_usage(run.results).used
    _mount("remount", run.results, f"size={used + SPARE}")
    try:
        _end(run, process)
    finally:
        _mount("remount", run.results, LARGE)


Disturbance = Callable[[Run, "subprocess.Popen[bytes]", Record], None]

KILLS: tuple[Disturbance, ...] = (kill_a_job, kill_snakemake, press_ctrl_c)

STAGES = ("structures", "exit_waves", "datasets", "packs", "evaluations", "predictors", "metrics", "reports")


def disturb(run: Run, chosen: Sequence[Disturbance], stages: Sequence[str] = STAGES) -> None:
    """Let things happen to a campaign, one after the other, each while a job of a chosen stage runs, then finish it.

    Parameters
    ----------
    run : Run
    chosen : sequence of callable
    stages : sequence of str
        One for each, from the first again when there are fewer; whatever runs in its place once its jobs are done.
    """
    for number, happens in enumerate(chosen):
        process = run.start()
        after = STAGES[STAGES.index(stages[number % len(stages)]) :]
        job = run.await_a_job(process, after)
        if job is None:  # nothing is left to disturb
            break
        happens(run, process, job)
        run.happened.append(f"{happens.__name__} during {job.kind}")
    run.finish()


def differences(metrics: Path, other: Path) -> list[str]:
    """Return the names of all arrays of two metrics stores that differ in any bit."""
    one, two = store.read_zarr(metrics), store.read_zarr(other)
    two = two.sel(network=one.network)
    names = sorted({*map(str, one.variables), *map(str, two.variables)})
    return [
        name for name in names if name not in two or name not in one or not _same(one[name].values, two[name].values)
    ]


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    if one.dtype.kind in "fiub":
        return one.dtype == two.dtype and one.tobytes() == two.tobytes()
    return [str(each) for each in one.ravel()] == [str(each) for each in two.ravel()]


def _end(run: Run, process: "subprocess.Popen[bytes]") -> None:
    """Wait for Snakemake; one that does not end by itself is killed, which the campaign has to survive as well."""
    try:
        process.wait(run.patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _kill(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _mount(how: str, folder: Path, size: str) -> None:
    options = size if how == "new" else f"remount,{size}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=True)


@contextmanager
def own_disk(folder: Path) -> Iterator[bool]:
    """Give a folder a disk of its own in memory, which can be filled; False where this process may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _mount("new", folder, LARGE)
    except (OSError, subprocess.CalledProcessError):
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def main() -> None:
    """Run a campaign undisturbed and disturbed, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--times", type=int, default=12, help="kills, besides one full disk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=30, help="seconds that Snakemake has to end after each")
    parser.add_argument("--folder", type=Path, help="where the runs are made; otherwise a temporary folder")
    chosen = parser.parse_args()
    configs = [str(path.resolve()) for path in chosen.configs]
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", *configs]
    words += ["--workflow-profile", str(ROOT / "profiles/default")]
    metrics = load_campaign_from_files(chosen.configs).metrics_id
    rng = random.Random(chosen.seed)
    with nullcontext(chosen.folder) if chosen.folder else tempfile.TemporaryDirectory() as name:
        runs = [Run(Path(name).resolve() / each, words, rng, chosen.patience) for each in ("alone", "disturbed")]
        for run in runs:
            shutil.copytree(ROOT / "config", run.folder / "config", dirs_exist_ok=True)
        runs[0].finish()
        with own_disk(runs[1].results) as can_fill:
            happens = [KILLS[number % len(KILLS)] for number in range(chosen.times)]
            happens[len(happens) // 2 : 0] = [fill_the_disk] * can_fill
            # in the order of the data's way: once a late stage has begun, nothing happens to an early one
            disturb(runs[1], happens, sorted((rng.choice(STAGES[:5]) for _ in happens), key=STAGES.index))
            found = differences(*(Results(run.results).path("metrics", metrics) for run in runs))
    sys.stdout.write(f"{len(runs[1].happened)} times: {'; '.join(runs[1].happened)}\n")
    sys.stdout.write(f"different: {', '.join(found)}\n" if found else "The metrics are the same, bit for bit.\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

"""How long Snakemake takes to see what there is to do in config/paper.yaml, beside a naive workflow of the same size.

Every figure is of a whole process, `snakemake --dry-run --quiet` where nothing else is said: wall time, and peak resident
memory as the kernel tells at its end. That option ends when it is known what runs; `--quiet rules`, which counts it, and
others go through every job once more. The peer is what one writes first: one training and one evaluation per network,
where every evaluation names all test sets as inputs and every training one dataset; datasets come from nowhere. It has as
many networks and test sets, the same profile, and nothing to load. `hrtem-ood plan` and `hrtem-ood status` are timed, too.

    python benchmarks/dag.py [--quick]
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import yaml
from report import Budget, report

from hrtem_ood.artifacts.store import write_json
from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, merge, read_yaml
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.stage_table import JOB_STAGES
from hrtem_ood.execution.job_records import Record

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
REPEATS = 3

TENTH = {
    "networks": {
        "unet": {"seed": [0]},
        "resnet_unet": {"seed": [0], "learning_rate": [1.0e-4, 3.0e-4, 1.0e-3, 2.0e-3]},
    }
}
"""On top of config/paper.yaml: a tenth of its networks, on the same training sets and suites."""

FEWEST = {"networks": {name: {"seed": [0], "learning_rate": [1.0e-3]} for name in ("unet", "resnet_unet")}}
SINGLY = {"execution": {"networks_per_job": 1}}

TOUCH = """
from snakemake.cli import main
from snakemake.executors.touch import Executor
Executor.SLEEPING_TIME = 0  # at each job, which adds up to minutes
main()
"""
"""Snakemake, for a run that writes its records of every job and runs none."""

EMPTY = "rule all:\n"
PEER = """
NETWORKS, TRAINING, TESTS = {networks}, {training}, {tests}

rule all:
    input: expand("evaluations/{{network}}.json", network=range(NETWORKS))

rule image:
    output: "datasets/{{dataset}}.zip"
    shell: "image {{wildcards.dataset}} {{output}}"

rule train:
    input: lambda wildcards: f"datasets/training{{int(wildcards.network) % TRAINING}}.zip"
    output: "networks/{{network}}.ckpt"
    shell: "train {{wildcards.network}} {{input}} {{output}}"

rule evaluate:
    input: "networks/{{network}}.ckpt", expand("datasets/test{{test}}.zip", test=range(TESTS))
    output: "evaluations/{{network}}.json"
    shell: "evaluate {{input}} {{output}}"
"""


@dataclass(frozen=True)
class Process:
    """What a process took: wall time [s], and peak resident memory [MB]."""

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Folder:
    """A working directory in which Snakemake is called."""

    path: Path

    @classmethod
    def of_campaign(cls, path: Path) -> "Folder":
        """Return a folder with the repository's configuration, and without results."""
        path.mkdir(parents=True)
        shutil.copytree(CONFIG, path / "config")
        return cls(path)

    def ours(self, *words: str, change: Mapping[str, object] | None = None) -> list[str]:
        """Return the words that call Snakemake on the paper campaign; by default for a dry run."""
        configs = [self.path / "config/paper.yaml"]
        if change:
            configs.append(self.path / f"change{len(list(self.path.glob('change*')))}.yaml")
            configs[-1].write_text(yaml.safe_dump(dict(change)), encoding="utf-8")
        return [*self._snakemake(ROOT / "Snakefile", words), "--configfile", *map(str, configs)]

    def verb(self, *words: str, change: Mapping[str, object]) -> list[str]:
        """Return the words that call a verb of the command line on the paper campaign."""
        configs = self.ours(change=change)[-2 if change else -1 :]
        return [sys.executable, "-m", "hrtem_ood", *words, *configs, "--results", str(self.path / "results")]

    def other(self, text: str, *words: str) -> list[str]:
        """Return the words that call Snakemake on another workflow."""
        (self.path / "Snakefile").write_text(text, encoding="utf-8")
        return self._snakemake(self.path / "Snakefile", words)

    def _snakemake(self, snakefile: Path, words: Sequence[str]) -> list[str]:
        # an option follows `--quiet`, which would swallow a target; the profile is that of a run in the repository's root
        words = words or ("--dry-run", "--quiet")
        command = [sys.executable, "-m", "snakemake", *words, "--snakefile", str(snakefile)]
        return [*command, "--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(self.path)]


def run(command: Sequence[str]) -> Process:
    """Run a process to its end and measure it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        begin = perf_counter()
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it again
        if process.returncode:
            told.seek(0)
            sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}:\n{told.read()}")
    return Process(seconds, usage.ru_maxrss * 1024 / 1e6)


def in_turn(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, Process]:
    """Run some processes in turn, and return the median time and memory of each."""
    runs: dict[str, list[Process]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            runs[name].append(run(command))
    return {
        name: Process(median(one.seconds for one in done), median(one.megabytes for one in done))
        for name, done in runs.items()
    }


def campaign_of(change: Mapping[str, object]) -> Campaign:
    """Return the paper campaign with a change."""
    raw = merge(read_yaml(CONFIG / "config.yaml"), read_yaml(CONFIG / "paper.yaml"))
    return load_campaign(merge(raw, change))


def fill(folder: Folder, campaign: Campaign, change: Mapping[str, object]) -> None:
    """Leave what a finished run leaves: every artifact, though empty, and Snakemake's records of every job."""
    for stage in JOB_STAGES:
        for id_ in dag.artifact_ids(campaign, stage):
            for output in dag.job_outputs(stage, id_, campaign):
                path = folder.path / "results" / output
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    python, _, _, *words = folder.ours("--touch", "--forceall", "--quiet", change=change)
    run([python, "-c", TOUCH, *words])


def clean(folder: Folder, full: Mapping[str, object], small: Mapping[str, object], repeats: int) -> dict[str, Process]:
    """Measure what starts from nothing."""
    cases = {
        "empty workflow": folder.other(EMPTY),
        "clean": folder.ours(change=full),
        "clean, with the table of jobs": folder.ours("--dry-run", "--quiet", "rules", change=full),
        "clean, a tenth": folder.ours(change=small),
        "clean, a job per network": folder.ours(change=merge(full, SINGLY)),
        "clean, a job per network, a tenth": folder.ours(change=merge(small, SINGLY)),
        "empty workflow, parsing": folder.other(EMPTY, "--list-rules"),
        "parsing": folder.ours("--list-rules", change=full),
        "plan, clean": folder.verb("plan", change=full),
    }
    return in_turn(cases, repeats)


def built(folder: Folder, campaign: Campaign, full: Mapping[str, object], repeats: int) -> dict[str, Process]:
    """Measure with everything there, and what one job's process on a cluster sees."""
    fill(folder, campaign, full)
    done = in_turn({"built": folder.ours(change=full)}, repeats)
    pack = f"results/{dag.job_outputs('packs', next(iter(campaign.packs)))[0]}"
    (folder.path / pack).unlink()
    done |= in_turn({"one job's process": folder.ours(pack, "--dry-run", "--quiet", change=full)}, repeats)
    half_trained(folder, campaign)
    return done | in_turn({"status, half of it trained": folder.verb("status", change=full)}, repeats)


def half_trained(folder: Folder, campaign: Campaign) -> None:
    """Leave what is there while networks are trained: half of them, and the records of jobs that run or failed."""
    results, packs = folder.path / "results", list(campaign.packs.values())
    (results / dag.job_outputs("metrics", campaign.metrics_id)[0]).unlink()
    for stage in ("reports", "evaluations"):
        shutil.rmtree(results / stage)
    (results / "networks").mkdir()
    for number, pack in enumerate(packs):
        if number % 2:
            (results / dag.job_outputs("packs", pack.id)[0]).unlink(missing_ok=True)
            continue
        for network in pack.networks:
            Results(results).path("networks", network.id).touch()
    record = Record("", "packs", "running", socket.gethostname(), os.getpid(), None, None, "2026-01-01T00:00:00+00:00")
    for number, pack in enumerate(packs[1:400:2]):
        one = replace(record, id=pack.id)
        if number % 4 == 0:
            one = replace(one, state="failed", ended=record.started, error="no room")
        write_json(one.path(results), asdict(one))


def peer(folder: Folder, campaign: Campaign) -> Process:
    """Measure the naive workflow, once."""
    trained = {id_ for each in campaign.training_set_by_id.values() for id_ in each.datasets}
    tested = {id_ for suite in campaign.suites.values() for id_ in suite.datasets}
    text = PEER.format(networks=len(campaign.networks), training=len(trained), tests=len(tested))
    return run(folder.other(text))


def growth(done: Mapping[str, Process], case: str, networks: float) -> float:
    """Return how time grows, without that of an empty workflow, over how networks do."""
    nothing = done["empty workflow"].seconds
    return (done[case].seconds - nothing) / (done[f"{case}, a tenth"].seconds - nothing) / networks


def main() -> None:
    """Measure and report."""
    quick = "--quick" in sys.argv
    full, small, repeats = (TENTH, FEWEST, 1) if quick else ({}, TENTH, REPEATS)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        # before this process loads a campaign: a new process counts its parent's memory as its own until it is replaced
        done = clean(Folder.of_campaign(here / "clean"), full, small, repeats)
        campaign = campaign_of(full)
        done |= built(Folder.of_campaign(here / "built"), campaign, full, repeats)
        done["peer, clean"] = peer(Folder.of_campaign(here / "peer"), campaign)
    networks = len(campaign.networks) / len(campaign_of(small).networks)
    figures = {f"{case} [s]": process.seconds for case, process in done.items()}
    figures |= {f"{case} [MB]": done[case].megabytes for case in ("clean", "built", "peer, clean")}
    nothing = done["empty workflow"].seconds
    figures |= {
        f"{case} / empty workflow": done[case].seconds / nothing
        for case in ("clean", "built", "clean, a job per network", "plan, clean", "status, half of it trained")
    }
    figures |= {
        "parsing, without that of an empty workflow [s]": done["parsing"].seconds
        - done["empty workflow, parsing"].seconds,
        "growth of time / growth of networks": growth(done, "clean", networks),
        "growth of time / growth of networks, a job per network": growth(done, "clean, a job per network", networks),
        "peer / ours, time": done["peer, clean"].seconds / done["clean"].seconds,
        "peer / ours, memory": done["peer, clean"].megabytes / done["clean"].megabytes,
    }
    report(
        "dag",
        figures,
        [
            Budget("clean / empty workflow", 2.1, "max"),
            Budget("built / empty workflow", 1.2, "max"),
            Budget("clean [MB]", 250, "max"),
            Budget("clean, a job per network / empty workflow", 25, "max"),
            Budget("plan, clean / empty workflow", 4, "max"),
            Budget("status, half of it trained / empty workflow", 2.5, "max"),
            Budget("growth of time / growth of networks", 1, "max"),
        ],
        [
            f"{len(campaign.networks)} networks, {sum(len(dag.artifact_ids(campaign, stage)) for stage in JOB_STAGES)} jobs; "
            f"a tenth: {networks:.3g} times fewer networks on the same training sets and suites.",
            f"Medians of {repeats} in turn, the peer once. Whole processes, at least as long as an empty workflow's.",
        ],
    )


if __name__ == "__main__":
    main()

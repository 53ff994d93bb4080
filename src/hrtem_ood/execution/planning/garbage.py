"""Files that none of the given campaigns uses.

Only files of this program are considered, recognised by folder and name: artifacts with the ten digits of their id,
checkpoints of interrupted training, logs and records of jobs, and temporary files of killed jobs.
"""

import contextlib
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.leases import may_be_held
from hrtem_ood.artifacts.processes import process_start
from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign, EvaluationJob
from hrtem_ood.campaign.load import load_campaign, load_kept_campaign, read_yaml
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.stage_table import FILE_STAGES, JOB_STAGES
from hrtem_ood.errors import ArtifactError, ConfigError, HrtemOodError
from hrtem_ood.execution.job_records import FOLDER, Record, all_records, check_running, records
from hrtem_ood.execution.planning.deletion import Deletion, FileState, check_unlocked, delete_files, link_above
from hrtem_ood.execution.planning.inventory import StoredArtifacts
from hrtem_ood.execution.planning.previous_run import configurations
from hrtem_ood.execution.planning.score_reuse import ReusableScores
from hrtem_ood.execution.slurm_client import job_states

TEMPORARY_S = 24 * 3600.0
"""A temporary file that has not been written for this time [s], while no job runs, belongs to a killed job."""

TEMPORARY = "temporary files"

_ID = r"[A-Za-z0-9._+-]+-[0-9a-f]{10}"
_TEMPORARY = re.compile(rf"\.({_ID}\.[a-z.]+|[a-z_]+\.[a-z]+)\.[0-9a-f]{{12}}\.tmp")
_JOB_FILES = {"logs": ".log", "benchmarks": ".tsv", FOLDER: ".json"}
"""Folders that have one file per job, in subfolders by stage, and the suffixes of these files."""


@dataclass(frozen=True)
class Garbage:
    """Files that no campaign uses.

    Attributes
    ----------
    files : dict of str to list of Path
        By stage, or by kind.
    states : dict of Path to FileState
        States of the files; one that changes before deletion is kept.
    others : dict of str to int
        Other campaigns that were run here, with the number of these files that they use; -1 where their configuration
        is not valid any more.
    kept : list of str
        Unused files that are kept, and why.
    running : frozenset of Record
        Jobs that run, or may run.
    """

    files: dict[str, list[Path]]
    states: dict[Path, FileState]
    others: dict[str, int]
    kept: list[str] = field(default_factory=list)
    running: frozenset[Record] = frozenset()

    @property
    def sizes(self) -> dict[Path, int]:
        """Sizes of the files [B]."""
        return {path: state.size for path, state in self.states.items()}

    def bytes(self, group: str) -> int:
        """Size of a group of files [B]."""
        return sum(self.states[path].size for path in self.files[group])

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON-like values: files with their sizes, by group."""
        files = {group: {str(path): self.states[path].size for path in paths} for group, paths in self.files.items()}
        return {"files": files, "others": self.others, "kept": self.kept}


def garbage(campaigns: Sequence[Campaign], results: Path) -> Garbage:
    """List the files that no given campaign and no running job uses.

    Parameters
    ----------
    campaigns : sequence of Campaign
    results : Path
        The results folder, which is only read.

    Returns
    -------
    Garbage

    Raises
    ------
    HrtemOodError
        Where a job is running whose configuration cannot be read.
    """
    return _Search(campaigns, results).garbage()


def check_deletable(results: Path) -> None:
    """Check that nothing may need files of a results folder without anyone being able to know.

    Raises
    ------
    HrtemOodError
        While Snakemake is running, or where the record of a job cannot be read.
    """
    check_unlocked(results)
    _, unreadable = all_records(results)
    if unreadable:
        raise HrtemOodError(
            "\n".join(
                [*unreadable.values(), "Such a job may be running, and what it needs is unknown. Nothing was deleted."]
            )
        )


def delete(unused: Garbage, results: Path) -> Deletion:
    """Delete files, and the folders of reports that are then empty.

    Returns
    -------
    Deletion
        Files that were deleted, and files that were kept, with the reason.

    Raises
    ------
    HrtemOodError
        As :func:`check_deletable`, or where a job has started since the files were listed: it may need any file.
    """
    check_deletable(results)
    if not set(_running(results)) <= unused.running:
        raise HrtemOodError(
            f"A job has started in {results} since the files were listed, and may need them. Nothing was deleted; run gc "
            "again."
        )
    return delete_files(unused.states, results, unless_open=unused.files.get(TEMPORARY, ()))


class _Search:
    def __init__(self, campaigns: Sequence[Campaign], results: Path) -> None:
        self.results = results
        self.running = _running(results)
        self.campaigns = [*campaigns, *(_of_record(record, results) for record in self.running)]
        self.names = {campaign.name for campaign in self.campaigns}
        self.kept: list[str] = []

    def garbage(self) -> Garbage:
        unreadable = list(all_records(self.results)[1])
        if unreadable:
            names = ", ".join(map(str, unreadable[:3])) + (", …" if len(unreadable) > 3 else "")
            self.kept.append(
                f"all files, because the records of jobs {names} cannot be read, so what these jobs need is unknown. Delete "
                "these records if no such job is running"
            )
            return Garbage({}, {}, {}, self.kept)
        needed = self._needed()
        files = {stage: list(self._artifacts(stage, needed)) for stage in FILE_STAGES}
        files["states of networks"] = [
            path for path in self._in("networks", ".resume") if self._is_obsolete(path, needed)
        ]
        files["logs and records"] = list(self._job_files(needed))
        files[TEMPORARY] = list(self._temporaries())
        states = self._states(files)
        unused = {path for stage in FILE_STAGES for path in files[stage]} & states.keys()
        links = [path for path in self.results.glob("*") if path.is_symlink()]
        files["links"] = [path for path in links if _leads_into(path, unused, self.results)]
        states |= self._states({"links": files["links"]})
        files = {group: kept for group, paths in files.items() if (kept := [path for path in paths if path in states])}
        if self.running:
            self.kept.append(f"files of the campaigns of {len(self.running)} running jobs")
        return Garbage(files, states, self._others(unused), self.kept, frozenset(self.running))

    def _states(self, files: Mapping[str, list[Path]]) -> dict[Path, FileState]:
        """Return the states of files, without those behind a link, which may be in another folder."""
        states: dict[Path, FileState] = {}
        behind: Counter[Path] = Counter()
        for path in (path for paths in files.values() for path in paths):
            link = link_above(path, self.results)
            if link is not None:
                behind[link] += 1
                continue
            with contextlib.suppress(FileNotFoundError):
                states[path] = FileState.of(path.lstat())
        self.kept += [
            f"{count:,} files in {link}, a link to {link.readlink()}: gc deletes nothing behind links"
            for link, count in behind.items()
        ]
        return states

    def _needed(self) -> set[Path]:
        """Return the paths of all artifacts of the campaigns, and of evaluations that hold scores of missing ones."""
        needed = {path for campaign in self.campaigns for path in referenced_artifacts(campaign, self.results)}
        missing: dict[str, EvaluationJob] = {}
        for campaign in self.campaigns:
            exists = dag.existence_check(self.results, campaign)
            missing |= {id_: job for id_, job in campaign.evaluations.items() if not exists("evaluations", id_)}
        others = list(self._artifacts("evaluations", needed)) if missing else []
        if others:
            stored = StoredArtifacts(self.results)
            cells = ReusableScores(stored)
            sources = {source for job in missing.values() for source in cells.sources(job)}
            useful = [path for path in others if store.artifact_id_of(path) in sources]
            doubtful = [path for path in others if str(path) in stored.unreadable]
            needed.update(useful, doubtful)
            if doubtful:
                self.kept.append(f"{len(doubtful)} evaluations that cannot be read, e.g. {doubtful[0]}")
            if useful:
                self.kept.append(f"{len(useful)} evaluations from which scores will be copied")
        return needed

    def _in(self, folder: str, suffix: str) -> Iterator[Path]:
        """Yield the files of a folder whose names have an id."""
        pattern = re.compile(_ID + re.escape(suffix))
        for path in sorted((self.results / folder).glob("*")):
            if pattern.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                yield path

    def _artifacts(self, stage: str, needed: set[Path]) -> Iterator[Path]:
        if stage != "reports":
            yield from (path for path in self._in(stage, FILE_STAGES[stage].suffix or "") if path not in needed)
            return
        for folder in sorted((self.results / stage).glob("*")):
            if re.fullmatch(_ID, folder.name) and folder.is_dir():
                paths = [self.results / path for path in dag.job_outputs(stage, folder.name)]
                yield from (path for path in paths if path.is_file() and path not in needed)

    def _is_obsolete(self, path: Path, needed: set[Path]) -> bool:
        """Whether the checkpoint of a network is of no use: the network is trained, or no campaign needs it."""
        network = path.with_suffix(".ckpt")
        return network.exists() or network not in needed

    def _job_files(self, needed: set[Path]) -> Iterator[Path]:
        running = {record.path(self.results) for record in self.running}
        for folder, suffix in _JOB_FILES.items():
            for stage in JOB_STAGES:
                for path in self._in(f"{folder}/{stage}", suffix):
                    output = self.results / dag.job_outputs(stage, path.name.removesuffix(suffix))[0]
                    if output not in needed and path not in running:
                        yield path

    def _temporaries(self) -> Iterator[Path]:
        """Yield temporary files that no job can be writing; their age alone does not prove it, as clocks may jump."""
        kept: Counter[str] = Counter()
        folders = [*FILE_STAGES, "reports/*", "reports/*/*", f"{FOLDER}/*", "."]
        for path in sorted({path for folder in folders for path in self.results.glob(f"{folder}/.*.tmp")}):
            if not _TEMPORARY.fullmatch(path.name) and not path.is_symlink():
                continue
            with contextlib.suppress(FileNotFoundError):  # renamed or removed just now
                reason = self._why_kept(path, time.time() - path.lstat().st_mtime)
                if reason is None:
                    yield path
                else:
                    kept[reason] += 1
        self.kept += [f"{count} temporary files{reason}" for reason, count in kept.items()]

    def _why_kept(self, path: Path, age_s: float) -> str | None:
        """Return why a temporary file may still be in use, as the end of a sentence; None if it is not."""
        if self.running:
            return ", as jobs are running"
        if path.parent.name in ("networks", "packs") and self._leases:
            return f", as {self._leases[0]} is the lease of a job that may be running; delete it if that has ended"
        if 0 <= age_s <= TEMPORARY_S:
            return " younger than a day"
        return " from the future" if age_s < 0 else None

    @cached_property
    def _leases(self) -> list[Path]:
        """Leases of networks whose holders may be alive."""
        return [path for path in sorted((self.results / "networks").glob(".*.lease")) if may_be_held(path)]

    @cached_property
    def _configurations(self) -> Mapping[str, list[str]]:
        """Ids of the configurations of other campaigns that were run here, by campaign."""
        ids: dict[str, list[str]] = {}
        for id_, config in configurations(self.results).items():
            if config.get("campaign") not in self.names:
                ids.setdefault(str(config.get("campaign")), []).append(id_)
        return ids

    def _others(self, unused: set[Path]) -> dict[str, int]:
        others: dict[str, int] = {}
        for name, ids in self._configurations.items():
            theirs: set[Path] = set()
            try:
                for id_ in ids:
                    raw = read_yaml(Results(self.results).path("configs", id_))
                    theirs.update(referenced_artifacts(load_campaign(raw), self.results))
            except ConfigError:
                others[name] = -1
                continue
            if theirs & unused:
                others[name] = len(theirs & unused)
        return others


def referenced_artifacts(campaign: Campaign, results: Path) -> Iterable[Path]:
    """Yield the paths of all artifacts of a campaign, whether they exist or not."""
    for stage in JOB_STAGES:
        for id_ in dag.artifact_ids(campaign, stage):
            yield from (results / path for path in dag.job_outputs(stage, id_, campaign))
    yield from (Results(results).path("networks", id_) for id_ in campaign.networks)
    yield Results(results).path("configs", campaign.config_id)


def _running(results: Path) -> list[Record]:
    """Return the records of jobs that run or may run: a job counts as running unless it has certainly ended."""
    states = check_running([record for record in records(results) if record.state == "running"])
    ended = [record for record, runs in states.items() if runs is False]
    numbers = {record.slurm_job for record in ended if record.slurm_job}
    requeued = job_states(numbers) if numbers else {}
    here = socket.gethostname()
    return [
        record
        for record, runs in states.items()
        if runs is not False
        # SLURM will start it again, or does not answer
        or (record.slurm_job is not None and (requeued is None or record.slurm_job in requeued))
        # a process of that number runs; its start time may differ only because the system's clock was set
        or (record.host == here and process_start(record.pid) is not None)
    ]


def _of_record(record: Record, results: Path) -> Campaign:
    """Return the campaign that a running job belongs to."""
    try:
        (config,) = record.configs
        return load_kept_campaign(results / "configs" / Path(config).name)
    except (ConfigError, ArtifactError, ValueError):  # ValueError: not one configuration
        raise HrtemOodError(
            f"{record.path(results)}: this job is running, and its configuration cannot be read from "
            f"{results / 'configs'}, so the files that it needs are unknown. Wait until it has ended; if it is not "
            "running any more, delete that record."
        ) from None


def _leads_into(link: Path, unused: set[Path], results: Path) -> bool:
    """Whether a link leads to a report that is to be deleted."""
    target = Path(os.path.realpath(link))  # which stops in a loop of links, where resolve() fails
    return target.parent == (results / "reports").resolve() and any(
        Path(os.path.realpath(path)).is_relative_to(target)
        for path in unused
        if path.is_relative_to(results / "reports")
    )

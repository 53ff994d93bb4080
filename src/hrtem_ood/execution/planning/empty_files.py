"""Artifacts that are empty files, as a full disk or a broken copy leaves them: no artifacts, but a run sees them as present."""

import os
from collections.abc import Iterator
from pathlib import Path

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.stage_table import JOB_STAGES


def empty_artifacts(campaign: Campaign, results: Path) -> list[Path]:
    """Return the campaign's artifacts that are regular files of 0 bytes, in the order of the data's flow.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder; each stage's folder is listed once.
    """
    wanted: dict[str, set[str]] = {}
    for stage in ("networks", *JOB_STAGES):
        for id_ in dag.artifact_ids(campaign, stage):
            for path in dag.job_outputs(stage, id_, campaign):
                folder, _, name = path.rpartition("/")
                wanted.setdefault(folder, set()).add(name)
    return [path for folder, names in wanted.items() for path in sorted(_empty(results / folder, names))]


def _empty(folder: Path, names: set[str]) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in names and _is_empty(entry):
                    yield folder / entry.name
    except OSError:  # missing, or no folder
        return


def _is_empty(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file() and entry.stat().st_size == 0
    except OSError:  # removed just now, or a link that leads nowhere
        return False

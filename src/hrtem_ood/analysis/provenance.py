"""How the artifacts of a campaign were made: time, devices, code and software."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results


@dataclass(frozen=True)
class StageProvenance:
    """How the artifacts of one stage were made.

    Attributes
    ----------
    stage : str
    files : int
        Artifacts that are there; intermediate ones may have been removed.
    wanted : int
        Artifacts that the campaign has.
    seconds : float, [s]
        Wall time, summed over the artifacts.
    devices, revisions : tuple of str
        All that occur.
    """

    stage: str
    files: int
    wanted: int
    seconds: float
    devices: tuple[str, ...]
    revisions: tuple[str, ...]


def campaign_provenance(campaign: Campaign, results: Path) -> tuple[list[StageProvenance], dict[str, str]]:
    """Read how a campaign's artifacts were made.

    Training is told of by the packs, with the seconds of their networks, whichever job trained them. Suites are mere lists of
    datasets, and structures are quick to draw: neither has a row of its own.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.

    Returns
    -------
    stages : list of StageProvenance
    software : dict of str to str
        Versions by package; several, where artifacts were made with different ones.
    """
    readers: dict[str, tuple[Iterable[str], Callable[[Path], dict[str, Any]]]] = {
        "exit_waves": (campaign.exit_waves, store.zarr_attributes),
        "datasets": (campaign.datasets, store.zarr_attributes),
        "packs": (campaign.packs, _pack),
        "evaluations": (campaign.evaluations, store.zarr_attributes),
        "transfer": ([campaign.transfer.id], store.zarr_attributes),
    }
    stages: list[StageProvenance] = []
    versions: dict[str, set[str]] = {}
    for stage, (ids, read) in readers.items():
        paths = [Results(results).path(stage, id_) for id_ in ids]
        found = [read(path) for path in paths if path.exists()]
        stages.append(
            StageProvenance(
                stage,
                len(found),
                len(paths),
                sum(float(made["seconds"]) for made in found),
                _all(made["device"] for made in found),
                _all(made["git_revision"] for made in found),
            )
        )
        for made in found:
            for package, version in json.loads(made["software"]).items():
                versions.setdefault(package, set()).add(version)
    return stages, {package: ", ".join(sorted(found)) for package, found in sorted(versions.items())}


def _pack(path: Path) -> dict[str, Any]:
    made = store.read_json(path)
    return made | {"seconds": sum(network["seconds"] for network in made["networks"].values())}


def _all(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))

"""Provenance of the artifacts of a campaign: time, devices, code and software."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.stage_table import STAGES


@dataclass(frozen=True)
class StageProvenance:
    """Provenance of the artifacts of one stage.

    Attributes
    ----------
    stage : str
    files : int
        Existing artifacts; intermediate ones may have been removed.
    total : int
        All artifacts of the campaign.
    seconds : float, [s]
        Wall time, summed over the artifacts.
    devices, revisions : tuple of str
        All that occur; of packs, the devices of their networks.
    """

    stage: str
    files: int
    total: int
    seconds: float
    devices: tuple[str, ...]
    revisions: tuple[str, ...]

    @property
    def note(self) -> str:
        """What is to be kept in mind where these artifacts come from several devices; else empty."""
        return mixed_devices_note(self.stage, self.devices)


EFFECTS = {
    "exit_waves": "waves differ by rounding",
    "datasets": "some counts differ by 1",
    "packs": "a network depends on its device as on its seed",
    "evaluations": "scores differ by rounding",
}
"""What mixed devices mean, by stage (docs/gpu.md)."""


def mixed_devices_note(stage: str, devices: Iterable[str]) -> str:
    """Return a note on artifacts of a stage that come from several devices; empty where they come from one.

    Parameters
    ----------
    stage : str
        A key of :data:`EFFECTS`, or another, for which there is no note.
    devices : iterable of str
        Of each artifact.
    """
    names = sorted(set(devices))
    if len(names) < 2 or stage not in EFFECTS:
        return ""
    label = "networks" if stage == "packs" else STAGES[stage].label
    return f"{label} come from several devices: {'; '.join(names)}. Between devices, {EFFECTS[stage]} (docs/gpu.md)."


def devices_of(stage: str, record: Mapping[str, Any]) -> list[str]:
    """Return the devices of an artifact; of a pack, those of its networks.

    Parameters
    ----------
    stage : str
    record : mapping
        Its attributes; of a pack, its content.
    """
    if stage != "packs":
        return [str(record["device"])]
    return [str(entry.get("device", record["device"])) for entry in record["networks"].values()]


def campaign_provenance(campaign: Campaign, results: Path) -> tuple[list[StageProvenance], dict[str, str]]:
    """Read the provenance of a campaign's artifacts.

    Training has the seconds of all networks of the packs, of whichever job. Test suites, which are lists of datasets, and
    structures, which take little time, have no row.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.

    Returns
    -------
    stages : list of StageProvenance
    software : dict of str to str
        Versions by package; several, where they differ between artifacts.
    """
    readers: dict[str, tuple[Iterable[str], Callable[[Path], dict[str, Any]]]] = {
        "exit_waves": (campaign.exit_waves, store.zarr_attributes),
        "datasets": (campaign.datasets, store.zarr_attributes),
        **({"labelled_sets": (campaign.labelled_sets, store.zarr_attributes)} if campaign.labelled_sets else {}),
        "packs": (campaign.packs, _pack),
        "evaluations": (campaign.evaluations, store.zarr_attributes),
        "transfer": ([campaign.transfer.id], store.zarr_attributes),
    }
    stages: list[StageProvenance] = []
    versions: dict[str, set[str]] = {}
    for stage, (ids, read) in readers.items():
        paths = [Results(results).path(stage, id_) for id_ in ids]
        records = [read(path) for path in paths if path.exists()]
        stages.append(
            StageProvenance(
                stage,
                len(records),
                len(paths),
                sum(float(record["seconds"]) for record in records),
                _all(device for record in records for device in devices_of(stage, record)),
                _all(record["git_revision"] for record in records),
            )
        )
        for record in records:
            for package, version in json.loads(record["software"]).items():
                versions.setdefault(package, set()).add(version)
    return stages, {package: ", ".join(sorted(several)) for package, several in sorted(versions.items())}


def _pack(path: Path) -> dict[str, Any]:
    record = store.read_json(path)
    return record | {"seconds": sum(network["seconds"] for network in record["networks"].values())}


def _all(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))

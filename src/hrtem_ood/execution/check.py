"""Check of a results folder: every byte of every artifact against the digests that it carries and that others record."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.files import damaged
from hrtem_ood.artifacts.integrity import check_extxyz
from hrtem_ood.artifacts.sealed_zip import SealedZip
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_kept_campaign
from hrtem_ood.campaign.stage_table import FILE_STAGES
from hrtem_ood.errors import ArtifactError, ConfigError, HrtemOodError
from hrtem_ood.execution import job_records
from hrtem_ood.execution.planning.garbage import referenced_artifacts
from hrtem_ood.execution.recorded_digests import RecordedDigests
from hrtem_ood.progress import track
from hrtem_ood.transfer.forecast.choose_file import FOLDER as FORECASTERS
from hrtem_ood.transfer.forecast.forecaster_files import read_forecaster

RESUME = ".resume"
"""End of the names of files that hold the state of a network whose training was interrupted."""


@dataclass(frozen=True)
class Check:
    """Result of the check of a results folder.

    Attributes
    ----------
    results : str
    files : dict of str to int
        Numbers of files that were checked, by stage.
    bytes : int, [B]
        Size of them all.
    damaged : dict of str to str
        Error messages, by path.
    foreign : list of str
        Paths of files in folders of artifacts that this program did not write; they are not checked.
    """

    results: str
    files: dict[str, int]
    bytes: int
    damaged: dict[str, str]
    foreign: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON-like values."""
        return asdict(self)


def check(results: Path, campaign: Campaign | None = None) -> Check:
    """Read all artifacts of a results folder, and compare each with its digests; nothing is changed.

    Networks and datasets are also compared with the digests that packs, suites and evaluations record of them.

    Reports, logs and benchmarks carry no digests: no job reads them.

    Parameters
    ----------
    results : Path
    campaign : Campaign, optional
        Check its artifacts only, as far as they exist.

    Returns
    -------
    Check

    Raises
    ------
    HrtemOodError
        Where there is no such folder.
    """
    if not results.is_dir():
        raise HrtemOodError(f"{results} is no folder. Give the results folder, or the configuration of a campaign.")
    wanted = None if campaign is None else set(referenced_artifacts(campaign, results))
    ours, foreign = [], []
    for stage, path, is_ours in _files(results):
        if is_ours and (wanted is None or path in wanted):
            ours.append((stage, path))
        elif not is_ours and wanted is None:
            foreign.append(str(path))
    files: dict[str, int] = {}
    errors: dict[str, str] = {}
    size = 0
    digests = RecordedDigests()
    for stage, path in track(ours, f"files of {results}", len(ours)):
        try:
            size += path.stat().st_size
            content = _CHECKS[path.suffix if path.suffix == RESUME or stage not in _CHECKS else stage](path)
            _add_digests(digests, stage, path, content)
        except HrtemOodError as error:
            errors[str(path)] = str(error)
        except MemoryError:
            errors[str(path)] = f"{path} takes more memory to read than there is, so it was not checked."
        except Exception as error:  # a foreign file must not keep the others from being checked
            errors[str(path)] = str(damaged(path, f"{type(error).__name__}: {error}"))
        files[stage] = files.get(stage, 0) + 1
    for path, message in digests.differences():
        errors.setdefault(str(path), message)
    return Check(str(results), files, size, errors, foreign)


def _files(results: Path) -> Iterator[tuple[str, Path, bool]]:
    """Yield stage, path, and whether this program wrote it, of all files in folders of artifacts but temporary ones."""
    for stage, row in FILE_STAGES.items():
        if not row.suffix:
            continue
        for path in sorted((results / stage).glob("*")):
            if not path.name.startswith("."):
                is_state = stage == "networks" and path.name.endswith(RESUME)
                yield stage, path, path.name.endswith(row.suffix) or is_state
    for path in sorted((results / FORECASTERS).glob("*")):
        if not path.name.startswith("."):
            yield FORECASTERS, path, path.suffix == ".json"
    for path in sorted((results / job_records.FOLDER).glob("*/*")):
        if not path.name.startswith("."):
            yield job_records.FOLDER, path, path.suffix == ".json"


def _add_digests(digests: RecordedDigests, stage: str, path: Path, content: Any) -> None:
    """Note the digest of a network or dataset, and those that a pack, suite or evaluation records."""
    if stage == "networks" and path.suffix != RESUME:
        digests.add_network(path, content)
    elif stage in ("datasets", "labelled_sets"):
        digests.add_dataset(path, content)
    elif stage in ("packs", "suites", "evaluations"):
        digests.add_record(stage, path, content)


def _check_zarr(path: Path) -> dict[str, Any]:
    """Check every member; return the attributes."""
    with SealedZip(path) as archive:
        archive.check_all()
    with store.open_zarr(path, dask=False) as dataset:
        return dict(dataset.attrs)


def _check_dataset(path: Path) -> dict[str, Any]:
    attributes = _check_zarr(path)
    with store.open_zarr(path, dask=False) as dataset:
        store.check_images(path, dataset.attrs, dataset["counts"], dataset["label"])
    return attributes


def _check_network(path: Path) -> dict[str, Any]:
    from hrtem_ood.learning.checkpoint import read_network

    content = read_network(path)
    return {key: content[key] for key in ("id", "diverged", "sha256_of_weights")}  # not the weights


def _check_structures(path: Path) -> None:
    check_extxyz(path)
    store.structures_attributes(path)


def _check_config(path: Path) -> None:
    try:
        load_kept_campaign(path)
    except ConfigError as error:
        raise ArtifactError(f"{path} is damaged, or is no longer a valid configuration. {error}") from error


def _check_state(path: Path) -> None:
    store.read_checkpoint(path, expect_id=path.name.removesuffix(RESUME))


_CHECKS: dict[str, Callable[[Path], Any]] = {
    "datasets": _check_dataset,
    "networks": _check_network,
    "configs": _check_config,
    FORECASTERS: read_forecaster,
    job_records.FOLDER: job_records.load,
    ".zip": _check_zarr,
    ".extxyz": _check_structures,
    ".json": store.read_json,
    ".csv": store.read_table,
    RESUME: _check_state,
}
"""Checks by stage, else by the end of the name."""

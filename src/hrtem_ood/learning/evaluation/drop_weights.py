"""Dropping the weights of networks that are scored, where a campaign keeps none."""

import csv
import io
import json
import stat
from collections.abc import Iterable
from pathlib import Path

from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.checkpoint import drop_weights, read_network
from hrtem_ood.progress import log

LARGEST_INDEX = 2**30
"""Largest index that is read [B]."""

COLUMNS = ["stage", "id", "path", "names"]
"""Those that an index must have; with ``parameters`` behind them, its rows can be compared with one another."""


def drop_scored_weights(networks: Iterable[str], evaluations: Iterable[Path], results: Path, campaign: str) -> None:
    """Take the weights out of networks' files once every suite of the campaign has scored them.

    Networks that another campaign asks for keep theirs. Where it is in doubt what others ask for, all do.

    Parameters
    ----------
    networks : iterable of str
        Ids of networks that are tested together.
    evaluations : iterable of Path
        Their evaluations, on every suite. Until all of them are there, nothing happens.
    results : Path
    campaign : str
        Name of the campaign that keeps no weights.
    """
    # Of jobs that end at once, the last to write sees all files; a second time does no harm.
    if not all(path.exists() for path in evaluations):
        return
    folder = results / "networks"
    if folder.is_symlink():
        log(f"all networks keep their weights: {folder} is a link, so they may be those of another results folder")
        return
    try:
        shared = networks_used_elsewhere(results, campaign)
    except ArtifactError as error:
        log(f"all networks keep their weights, as another campaign may ask for them: {error}")
        return
    dropped = 0
    for id_ in networks:
        path = Results(results).path("networks", id_)
        if id_ in shared:
            log(f"{id_} keeps its weights: campaign {shared[id_]} asks for it, too")
        elif path.is_symlink():
            log(f"{id_} keeps its weights: {path} is a link")
        elif path.exists() and not read_network(path)["diverged"]:
            drop_weights(path)
            dropped += 1
    log(f"all suites are scored: {dropped} networks lose their weights, as execution.keep_weights is false")


def networks_used_elsewhere(results: Path, campaign: str) -> dict[str, str]:
    """Return the networks that other campaigns list in their indexes, those of earlier versions of them included.

    Parameters
    ----------
    results : Path
    campaign : str
        The campaign that does not count.

    Returns
    -------
    dict of str to str
        Name of a campaign by id of network.

    Raises
    ------
    ArtifactError
        Where an index is not whole, so that it does not tell all networks of its campaign.
    """
    found: dict[str, str] = {}
    for path in sorted((results / "indexes").glob("*.csv")):
        name, networks = _campaign_and_networks(path)
        if name != campaign:
            found |= dict.fromkeys(networks, name)
    return found


def _campaign_and_networks(path: Path) -> tuple[str, set[str]]:
    """Read whose index a file is and which networks it lists, and check that nothing is missing.

    The last row is that of the transfer, with the campaign's name. Networks are listed twice, each in a row of its own and
    in the parameters of the evaluations, and both must agree.
    """
    doubt = f"{path} is damaged or cut off. Delete it and run snakemake for its campaign to create it anew."
    try:
        rows = _rows(path)
        ends = [row for row in rows if row["stage"] == "transfer"]
        listed = {row["id"] for row in rows if row["stage"] == "networks"}
        tested = {
            id_
            for row in rows
            if row["stage"] == "evaluations"
            for id_ in (json.loads(row["parameters"])["networks"] if "parameters" in row else [])
        }
        whole = listed == tested if "parameters" in rows[-1] else True
        (end,) = ends
    except (OSError, ValueError, LookupError, TypeError, RecursionError, csv.Error) as error:
        raise ArtifactError(f"{doubt} ({type(error).__name__}: {error!s:.80})") from error
    if not whole or end is not rows[-1] or not path.name.startswith(f"{end['names']}-"):
        raise ArtifactError(doubt)
    return end["names"], listed


def _rows(path: Path) -> list[dict[str, str]]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_INDEX:
        raise ValueError("no regular file, or too large")
    text = path.read_bytes().decode("utf-8")
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    before = csv.field_size_limit(LARGEST_INDEX)  # an evaluation of many networks has long parameters
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    finally:
        csv.field_size_limit(before)
    if not rows or rows[0] not in (COLUMNS, [*COLUMNS, "parameters"]) or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("other columns than those of an index")
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

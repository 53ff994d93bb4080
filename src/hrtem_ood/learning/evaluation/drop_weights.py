"""Removal of the weights of scored networks, for campaigns that keep none."""

import csv
from collections.abc import Iterable
from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.checkpoint import drop_weights, read_network
from hrtem_ood.progress import log


def drop_scored_weights(networks: Iterable[str], evaluations: Iterable[Path], results: Path, campaign: str) -> None:
    """Remove the weights from networks' files once they are scored on every suite of the campaign.

    Networks that another campaign uses keep their weights. If an index cannot be read, all do.

    Parameters
    ----------
    networks : iterable of str
        Ids of networks that are tested together.
    evaluations : iterable of Path
        Their evaluations, on every suite. Nothing happens until all of them exist.
    results : Path
    campaign : str
        Name of the campaign that keeps no weights.
    """
    # If jobs end at the same time, the last one finds all files; dropping twice is harmless.
    if not all(path.exists() for path in evaluations):
        return
    folder = results / "networks"
    if folder.is_symlink():
        log(f"all networks keep their weights: {folder} is a link, so other results folders may share them")
        return
    try:
        shared = networks_used_elsewhere(results, campaign)
    except ArtifactError as error:
        log(f"all networks keep their weights, as another campaign may use them: {error}")
        return
    dropped = 0
    for id_ in networks:
        path = Results(results).path("networks", id_)
        if id_ in shared:
            log(f"{id_} keeps its weights: campaign {shared[id_]} uses it, too")
        elif path.is_symlink():
            log(f"{id_} keeps its weights: {path} is a link")
        elif path.exists() and not read_network(path)["diverged"]:
            drop_weights(path)
            dropped += 1
    log(f"all suites are scored: {dropped} networks lose their weights, as execution.keep_weights is false")


def networks_used_elsewhere(results: Path, campaign: str) -> dict[str, str]:
    """Return the networks that other campaigns list in their indexes, including earlier versions of these campaigns.

    Parameters
    ----------
    results : Path
    campaign : str
        The campaign whose index is not read.

    Returns
    -------
    dict of str to str
        Name of a campaign by id of network.

    Raises
    ------
    ArtifactError
        If an index cannot be read, so that the networks of its campaign are unknown.
    """
    campaigns: dict[str, str] = {}
    for path in sorted((results / "indexes").glob("*.csv")):
        rows = list(csv.DictReader(store.read_table(path).splitlines(keepends=True)))
        names = {row["names"] for row in rows if row["stage"] == "transfer"}  # of the campaign
        if campaign not in names:
            campaigns |= {row["id"]: ", ".join(names) for row in rows if row["stage"] == "networks"}
    return campaigns

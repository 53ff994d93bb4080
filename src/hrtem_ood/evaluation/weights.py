"""Dropping the weights of networks that are scored, where a campaign keeps none."""

import csv
from collections.abc import Iterable
from pathlib import Path

from hrtem_ood.campaign.campaign import artefact
from hrtem_ood.networks.checkpoint import drop_weights
from hrtem_ood.progress import log


def drop_weights_of(networks: Iterable[str], results: Path, campaign: str) -> None:
    """Take the weights out of networks' files, except of those that another campaign asks for.

    Parameters
    ----------
    networks : iterable of str
        Ids.
    results : Path
    campaign : str
        Name of the campaign that keeps no weights.
    """
    shared = asked_for_by_others(results, campaign)
    dropped = 0
    for id_ in networks:
        path = results / artefact("networks", id_)
        if id_ in shared:
            log(f"{id_} keeps its weights: campaign {shared[id_]} asks for it, too")
        elif path.exists():
            drop_weights(path)
            dropped += 1
    log(f"all suites are scored: {dropped} networks lose their weights, as execution.keep_weights is false")


def asked_for_by_others(results: Path, campaign: str) -> dict[str, str]:
    """Return the networks that other campaigns list in their ``index.csv``.

    Parameters
    ----------
    results : Path
    campaign : str
        The campaign that does not count.

    Returns
    -------
    dict of str to str
        Name of a campaign by id of network.
    """
    found: dict[str, str] = {}
    for path in sorted(results.glob("*/index.csv")):
        if path.parent.name != campaign:
            with path.open(newline="") as file:
                found |= {row["id"]: path.parent.name for row in csv.DictReader(file) if row["stage"] == "networks"}
    return found

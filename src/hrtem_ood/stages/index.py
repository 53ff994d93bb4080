"""Stage `index`: the table of all artifacts of a campaign."""

from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results


def index(campaign: Campaign, results: Path) -> None:
    """Write the table of every artifact id of a campaign, with its path, names and parameters: ``indexes/<id>.csv``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    """
    # pandas takes a second to import
    from hrtem_ood.analysis.artifact_index import index_table
    from hrtem_ood.analysis.tables import csv

    store.write_table(Results(results).path("indexes", campaign.index_id), csv(index_table(campaign)))

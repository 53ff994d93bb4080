"""Stage `analyze`: metrics, tables, figures and the report of a campaign.

Each is a job of its own, which imports what it needs: statistics and drawing take seconds to load, the rest do not.
"""

import time
from pathlib import Path

from hrtem_ood import analysis, store
from hrtem_ood.analysis.outputs import REPORT, table_names
from hrtem_ood.campaign.campaign import Campaign, artefact
from hrtem_ood.memory import keep_freed_memory


def metrics(campaign: Campaign, results: Path) -> None:
    """Gather all evaluations of a campaign into one store, ``metrics/<id>.zarr.zip``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: evaluations, packs and transfer are read.
    """
    from hrtem_ood.analysis.metrics import metrics_dataset, write_scores

    begin = time.monotonic()
    keep_freed_memory()
    made = store.Made(campaign.metrics_id, "metrics", analysis.VERSION, campaign.config_json)
    with store.writing_zarr(results / artefact("metrics", campaign.metrics_id)) as writer:
        dataset = metrics_dataset(campaign, results, write_scores(campaign, results, writer))
        writer.complete(dataset, store.provenance(made, seconds=time.monotonic() - begin, device="cpu"))


def report(campaign: Campaign, results: Path) -> None:
    """Write a campaign's tables, figures and report, the report last, and let ``results/<campaign>`` lead there.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics, predictors, transfer and some test datasets are read, and the attributes of whatever else is
        there.
    """
    from hrtem_ood.analysis.analysed import analysed
    from hrtem_ood.analysis.figures.drawing import all_figures
    from hrtem_ood.analysis.report import report_html
    from hrtem_ood.analysis.tables import csv

    keep_freed_memory()
    folder, found = results / artefact("reports", campaign.report_id), analysed(campaign, results)
    for name in table_names(campaign):
        store.write_text(folder / f"tables/{name}.csv", csv(found.tables[name]))
    figures = all_figures(campaign, results, found)
    for name, content in figures.items():
        store.write_bytes(folder / name, content)
    store.write_text(folder / REPORT, report_html(campaign, results, found, figures))
    store.link(results / campaign.name, folder)


def index(campaign: Campaign, results: Path) -> None:
    """Write the table of every artefact id of a campaign, with its path, names and parameters: ``indexes/<id>.csv``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
    """
    from hrtem_ood.analysis.index import index_table
    from hrtem_ood.analysis.tables import csv

    store.write_text(results / artefact("indexes", campaign.index_id), csv(index_table(campaign)))

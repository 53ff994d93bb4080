"""Stage `analyze`: metrics, tables, figures and the report of a campaign.

What draws, resamples and gathers takes seconds to import, so each verb imports its own.
"""

import time
from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.report_files import REPORT, table_names
from hrtem_ood.campaign.results import Results
from hrtem_ood.malloc import keep_freed_memory


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
    made = store.SimpleArtifactInfo(campaign.metrics_id, "metrics", STAGE_VERSIONS["metrics"], campaign.config_json)
    with store.writing_zarr(Results(results).path("metrics", campaign.metrics_id)) as writer:
        dataset = metrics_dataset(campaign, results, write_scores(campaign, results, writer))
        writer.finalize(dataset, store.provenance(made, seconds=time.monotonic() - begin, device="cpu"))


def report(campaign: Campaign, results: Path) -> None:
    """Write a campaign's tables, figures and report, the report last, and let ``results/<campaign>`` lead there.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics, predictors, transfer and some test datasets are read, and the attributes of whatever else is
        there.
    """
    from hrtem_ood.analysis.results import analyse_campaign
    from hrtem_ood.analysis.tables import csv
    from hrtem_ood.report.figures.render import all_figures
    from hrtem_ood.report.html_report import report_html

    keep_freed_memory()
    folder, found = Results(results).path("reports", campaign.report_id), analyse_campaign(campaign, results)
    for name in table_names(campaign):
        store.write_text(folder / f"tables/{name}.csv", csv(found.tables[name]))
    figures = all_figures(campaign, results, found)
    for name, content in figures.items():
        store.write_bytes(folder / name, content)
    store.write_text(folder / REPORT, report_html(campaign, results, found, figures))
    store.update_symlink(results / campaign.name, folder)


def index(campaign: Campaign, results: Path) -> None:
    """Write the table of every artifact id of a campaign, with its path, names and parameters: ``indexes/<id>.csv``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
    """
    from hrtem_ood.analysis.artifact_index import index_table
    from hrtem_ood.analysis.tables import csv

    store.write_text(Results(results).path("indexes", campaign.index_id), csv(index_table(campaign)))

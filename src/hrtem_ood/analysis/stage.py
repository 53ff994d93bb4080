"""Stage `analyze`: metrics, tables, figures and the report of a campaign."""

import time
from pathlib import Path

from hrtem_ood import analysis, store
from hrtem_ood.analysis.cells import cells, read_metrics
from hrtem_ood.analysis.correlation import predictor_table
from hrtem_ood.analysis.figures.drawing import all_figures
from hrtem_ood.analysis.index import index_table
from hrtem_ood.analysis.metrics import metrics_dataset
from hrtem_ood.analysis.outputs import REPORT
from hrtem_ood.analysis.report import report_html
from hrtem_ood.analysis.tables import all_tables, csv
from hrtem_ood.campaign.campaign import Campaign


def metrics(campaign: Campaign, results: Path, output: Path) -> None:
    """Gather all evaluations of a campaign into one store.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: evaluations, packs and transfer are read.
    output : Path
        ``results/<campaign>/metrics.zarr.zip``.
    """
    begin = time.monotonic()
    dataset = metrics_dataset(campaign, results)
    provenance = store.provenance(campaign.transfer, seconds=time.monotonic() - begin, device="cpu")
    own = {"id": campaign.metrics_id, "stage": "metrics", "stage_version": analysis.VERSION}
    store.write_zarr(output, dataset, provenance | own | {"parameters": campaign.config_json})


def report(campaign: Campaign, results: Path, folder: Path) -> None:
    """Write a campaign's tables, figures and report, the report last.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: transfer and the test datasets are read, and the attributes of whatever else is there.
    folder : Path
        ``results/<campaign>``, where the metrics are.
    """
    gathered = read_metrics(campaign, folder)
    reduced = cells(campaign, gathered)
    predictors = predictor_table(reduced)
    for name, text in all_tables(gathered, reduced, predictors).items():
        store.write_text(folder / name, text)
    figures = all_figures(campaign, results, reduced, predictors)
    for name, content in figures.items():
        store.write_bytes(folder / name, content)
    store.write_text(folder / REPORT, report_html(campaign, results, gathered, reduced, predictors, figures))


def index(campaign: Campaign, output: Path) -> None:
    """Write the table of every artefact id of a campaign, with its path, names and parameters.

    Parameters
    ----------
    campaign : Campaign
    output : Path
        ``results/<campaign>/index.csv``.
    """
    store.write_text(output, csv(index_table(campaign)))

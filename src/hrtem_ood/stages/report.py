"""Stage `report`: tables, figures and the report of a campaign.

Analysis and drawing take seconds to import, so the function imports them.
"""

from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.report_files import REPORT, table_names
from hrtem_ood.campaign.results import Results
from hrtem_ood.malloc import keep_freed_memory


def report(campaign: Campaign, results: Path) -> None:
    """Write a campaign's tables, figures and report, the report last, and update the link ``results/<campaign>``.

    Where there are cells enough, its forecaster is written to ``results/forecasters``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics, predictors, transfer and some test datasets are read, and the provenance of the other
        artifacts.
    """
    from hrtem_ood.analysis.results import analyse_campaign
    from hrtem_ood.analysis.tables import csv
    from hrtem_ood.report.data import ReportData
    from hrtem_ood.report.figures.catalogue import all_figures
    from hrtem_ood.report.html_report import report_html
    from hrtem_ood.transfer.forecast.choose_file import FOLDER
    from hrtem_ood.transfer.forecast.forecaster_files import write_forecaster

    keep_freed_memory()
    folder = Results(results).path("reports", campaign.report_id)
    data = ReportData(campaign, results, analyse_campaign(campaign, results))
    for name in table_names(campaign):
        store.write_text(folder / f"tables/{name}.csv", csv(data.results.tables[name]))
    figures = all_figures(data)
    for name, content in figures.items():
        store.write_bytes(folder / name, content)
    if data.results.fitted is not None:
        write_forecaster(results / FOLDER, data.results.fitted.forecaster)
    store.write_text(folder / REPORT, report_html(data, figures))
    store.update_symlink(results / campaign.name, folder)

"""`hrtem-ood summary`: scores of a finished campaign."""

from pathlib import Path

import click

from hrtem_ood.cli.options import check_finished, configs_argument, results_option
from hrtem_ood.cli.output import print_text


@click.command()
@configs_argument
@results_option
def summary(configs: tuple[Path, ...], results: Path) -> None:
    """Show the answer and the scores of a finished campaign."""
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.campaign.report_files import REPORT
    from hrtem_ood.campaign.results import Results
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.cli.render.summary import answer_lines, forecaster_lines, measured_tables, summary_table

    campaign, folder = load_campaign_from_files(configs), Results(results)
    check_finished(campaign, configs, results)
    for line in answer_lines(campaign, results):
        print_text(line)
    print_on_terminal("", summary_table(campaign, results), *measured_tables(campaign, results))
    print_text("\n".join(forecaster_lines(campaign, results)))
    print_text(f"Metrics: {folder.path('metrics', campaign.metrics_id)}")
    print_text(f"Report: {folder.path('reports', campaign.report_id) / REPORT}")

"""`hrtem-ood study-page`: a page about a finished campaign."""

import shlex
from pathlib import Path

import click

from hrtem_ood.cli.options import FILE, FOLDER, configs_argument, results_option
from hrtem_ood.cli.output import print_text


@click.command("study-page")
@configs_argument
@results_option
@click.option("--page", type=FILE, required=True, help="Markdown file to write; overwritten.")
@click.option("--figures", type=FOLDER, required=True, help="Folder for its figures.")
def study_page(configs: tuple[Path, ...], results: Path, page: Path, figures: Path) -> None:
    """Write a Markdown page about a finished campaign.

    It has the tables and figures of the results, and how to read them.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.report.study_page import write_page

    words = ["hrtem-ood", "study-page", *configs, "--page", page, "--figures", figures]
    command = shlex.join(map(str, words))
    write_page(load_campaign_from_files(configs), results, page, figures, command)
    print_text(f"{page}, {figures}")

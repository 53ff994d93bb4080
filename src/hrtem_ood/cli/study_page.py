"""The verb that writes down what a campaign found."""

import shlex
from pathlib import Path

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import FILE, FOLDER, results_option


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
@click.option("--page", type=FILE, required=True, help="Markdown file to write; overwritten.")
@click.option("--figures", type=FOLDER, required=True, help="Folder for its pictures.")
def results(configs: tuple[Path, ...], results: Path, page: Path, figures: Path) -> None:
    """Write a page on what a finished campaign found: its tables, figures, and how they are to be read."""
    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.report.study_page import write_page

    words = ["hrtem-ood", "results", *configs, "--page", page, "--figures", figures]
    command = shlex.join(map(str, words))
    write_page(load_campaign(read_configs(configs)), results, page, figures, command)
    click.echo(f"{page}, {figures}")

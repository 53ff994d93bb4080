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
@click.option("--data", type=FOLDER, help="Folder for the table of its cells.  [default: none is written]")
@click.option(
    "--beside",
    type=FILE,
    metavar="CELLS",
    help="Published cells of another campaign, whose law of mixtures is written beside this one's.  [default: none]",
)
def study_page(
    configs: tuple[Path, ...], results: Path, page: Path, figures: Path, data: Path | None, beside: Path | None
) -> None:
    """Write a Markdown page about a finished campaign.

    It has the tables and figures of the results, and how to read them. With --data, every cell is published, too: score,
    forecast, predictors and descriptors.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.errors import ConfigError
    from hrtem_ood.report.study_page import write_page

    if not page.name:
        raise ConfigError("--page: give the name of a Markdown file, for example docs/results.md.")
    words = ["hrtem-ood", "study-page", *configs, "--page", page, "--figures", figures]
    words += [] if data is None else ["--data", data]
    words += [] if beside is None else ["--beside", beside]
    command = shlex.join(map(str, words))
    cells = write_page(load_campaign_from_files(configs), results, page, figures, command, data, beside)
    print_text(", ".join(map(str, [page, figures, *cells])))

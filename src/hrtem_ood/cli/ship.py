"""`hrtem-ood ship`: the best network of a campaign becomes the one that comes with the package."""

import shlex
from pathlib import Path

import click

from hrtem_ood.cli.options import FILE, FOLDER, check_finished, configs_argument, results_option
from hrtem_ood.cli.output import print_text
from hrtem_ood.errors import ConfigError


@click.command()
@configs_argument
@results_option
@click.option(
    "--chosen-by",
    "suites",
    multiple=True,
    required=True,
    metavar="SUITE",
    help="Test suite on which the network must be best; repeat for several.",
)
@click.option("--page", type=FILE, required=True, help="Model card to write (Markdown); overwritten.")
@click.option("--note", type=FILE, help="Markdown file whose text the card has, too.")
@click.option("--folder", type=FOLDER, help="Folder to copy the network to.  [default: that of the installed package]")
def ship(
    configs: tuple[Path, ...],
    results: Path,
    suites: tuple[str, ...],
    page: Path,
    note: Path | None,
    folder: Path | None,
) -> None:
    """Ship the best network of a finished campaign.

    Copies the network that scores best on simulated test suites into the package, for `predict` and `score` without a
    network, and writes its model card.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.learning.inference.shipped_network import FOLDER as PACKAGE
    from hrtem_ood.report.model_card import write_card

    campaign = load_campaign_from_files(configs)
    check_finished(campaign, configs, results)
    words = [
        "hrtem-ood",
        "ship",
        *configs,
        *(word for name in suites for word in ("--chosen-by", name)),
        "--page",
        page,
    ]
    if note is not None:
        words += ["--note", note]
    command = shlex.join(map(str, words))
    lines = [] if note is None else _lines(note)
    shipped = write_card(campaign, results, suites, page, command, note=lines, folder=folder or PACKAGE)
    print_text(f"shipped {shipped}\nwrote {page}")


def _lines(note: Path) -> list[str]:
    try:
        return note.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"--note: {note} is no text in UTF-8: byte {error.start} is not.") from error

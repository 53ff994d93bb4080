"""`hrtem-ood status`: progress of a campaign."""

import time
from contextlib import suppress
from pathlib import Path

import click

from hrtem_ood.cli.options import FiniteRange, configs_argument, json_option, results_option
from hrtem_ood.cli.output import print_json


@click.command()
@configs_argument
@results_option
@click.option("--watch", is_flag=True, help="Repeat until the campaign is finished, or Ctrl-C.")
@click.option(
    "--interval",
    type=FiniteRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between repetitions, with --watch.",
)
@json_option
def status(configs: tuple[Path, ...], results: Path, watch: bool, interval: float, as_json: bool) -> None:
    """Show progress: done, running, failed and waiting jobs."""
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.execution.status import status as run

    campaign = load_campaign_from_files(configs)
    current = run(campaign, results)
    if as_json:
        print_json(current.to_dict())
        return
    from rich.live import Live

    from hrtem_ood.cli.render.console import make_console, print_on_terminal
    from hrtem_ood.cli.render.status import status_table

    if not watch:
        print_on_terminal(status_table(current))
        return
    with suppress(KeyboardInterrupt), Live(status_table(current), console=make_console(), auto_refresh=False) as live:
        while not current.done:
            time.sleep(interval)
            current = run(campaign, results)
            live.update(status_table(current), refresh=True)

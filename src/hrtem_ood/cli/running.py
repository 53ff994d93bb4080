"""Verbs that tell what a run will make, how it is getting on, and what is left over."""

import json
import os
from pathlib import Path

import click

from hrtem_ood.cli.group import main
from hrtem_ood.cli.options import results_option


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every pack to be made.")
def plan(configs: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Tell what a run would make, why, and what it would cost, before anything is spent."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.planning.plan import plan as run
    from hrtem_ood.planning.shown import shown

    made = run(load_campaign(read_configs(configs)), results)
    if as_json:
        click.echo(json.dumps(made.to_dict(), ensure_ascii=False))
    else:
        Console(width=None if os.isatty(1) else 120).print(shown(made))

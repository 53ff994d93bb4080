"""Verbs that tell what a run will make, how it is getting on, and what is left over."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import results_option


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every pack to be made.")
def plan(configs: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Tell what a run would make, why, and what it would cost, before anything is spent."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.cli.render.plan import plan_table
    from hrtem_ood.execution.planning.plan import plan as run

    made = run(load_campaign(read_configs(configs)), results)
    if as_json:
        click.echo(json.dumps(made.to_dict(), ensure_ascii=False))
    else:
        Console(width=None if os.isatty(1) else 120).print(plan_table(made))


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
@click.option("--watch", is_flag=True, help="Show it again and again, until all is there or Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Seconds between, with --watch."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(configs: tuple[Path, ...], results: Path, watch: bool, every: float, as_json: bool) -> None:
    """Tell how far a campaign is: what is done, runs, failed (and why) and waits."""
    from rich.console import Console
    from rich.live import Live

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.cli.render.status import status_table
    from hrtem_ood.execution.status import status as run

    campaign = load_campaign(read_configs(configs))
    if as_json:
        click.echo(json.dumps(run(campaign, results).to_dict(), ensure_ascii=False))
        return
    console = Console(width=None if os.isatty(1) else 120)
    found = run(campaign, results)
    if not watch:
        console.print(status_table(found))
        return
    with suppress(KeyboardInterrupt), Live(status_table(found), console=console, auto_refresh=False) as live:
        while not found.done:
            time.sleep(every)
            found = run(campaign, results)
            live.update(status_table(found), refresh=True)


@main.command()
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG...")
@results_option
@click.option("--delete", is_flag=True, help="Delete it, after a question.")
@click.option("--yes", is_flag=True, help="Ask no question.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def gc(configs: tuple[str, ...], results: Path, delete: bool, yes: bool, as_json: bool) -> None:
    """Tell what none of some campaigns needs any more, with sizes, and delete it if asked to.

    Each CONFIG is a campaign of its own; one that is merged of several files is written a.yaml,b.yaml.
    """
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.cli.render.plan import garbage_table
    from hrtem_ood.execution.planning import garbage

    campaigns = [load_campaign(read_configs([Path(name) for name in each.split(",")])) for each in configs]
    found = garbage.garbage(campaigns, results)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        Console(width=None if os.isatty(1) else 120).print(garbage_table(found))
    if not delete or not found.files:
        return
    if not yes and not click.confirm(f"Delete {len(found.sizes):,} files?", err=True):
        return
    garbage.delete(found, results)
    click.echo(f"{len(found.sizes):,} files are deleted.", err=as_json)

"""`hrtem-ood gc`: files that no campaign uses."""

from pathlib import Path

import click

from hrtem_ood.cli.options import json_option, results_option
from hrtem_ood.cli.output import print_json, print_text


@click.command()
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG...")
@results_option
@click.option("--delete", is_flag=True, help="Delete the files, after confirmation.")
@click.option("--yes", is_flag=True, help="Delete without confirmation.")
@json_option
def gc(configs: tuple[str, ...], results: Path, delete: bool, yes: bool, as_json: bool) -> None:
    """List files that no given campaign uses, or delete them.

    Each CONFIG is a campaign of its own. For one that is merged from several files, write a.yaml,b.yaml.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.execution.planning import garbage

    campaigns = [load_campaign_from_files([Path(name) for name in each.split(",")]) for each in configs]
    unused = garbage.garbage(campaigns, results)
    if as_json:
        print_json(unused.to_dict())
    else:
        from hrtem_ood.cli.render.console import print_on_terminal
        from hrtem_ood.cli.render.gc import garbage_table

        print_on_terminal(garbage_table(unused))
    if not delete:
        return
    garbage.check_deletable(results)
    if not unused.files:
        return
    if not yes and not click.confirm(f"Delete {len(unused.states):,} files?", err=True):
        return
    done = garbage.delete(unused, results)
    for kept in done.kept:
        print_text(f"kept: {kept}", err=True)
    print_text(f"{len(done.deleted):,} files are deleted.", err=as_json)

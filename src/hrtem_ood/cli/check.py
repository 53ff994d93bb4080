"""`hrtem-ood check`: whether the files of a results folder are whole."""

from pathlib import Path

import click

from hrtem_ood.cli.options import json_option, results_option
from hrtem_ood.cli.output import print_json


@click.command()
@click.argument("where", required=False, type=click.Path(path_type=Path), metavar="[RESULTS|CONFIG]")
@results_option
@json_option
@click.pass_context
def check(ctx: click.Context, where: Path | None, results: Path, as_json: bool) -> None:
    """Check every file of a results folder against its digest.

    With a CONFIG, the artifacts of its campaign only. Nothing is changed. The exit code is 1 where a file is damaged.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.execution.check import check as run

    if where is None or where.is_dir() or not where.exists():
        checked = run(where or results)
    else:
        checked = run(results, load_campaign_from_files([where]))
    if as_json:
        print_json(checked.to_dict())
    else:
        from hrtem_ood.cli.render.check import check_table
        from hrtem_ood.cli.render.console import print_on_terminal

        print_on_terminal(check_table(checked))
    ctx.exit(1 if checked.damaged else 0)

"""`hrtem-ood dag`: the stages of a campaign as a flow chart."""

from pathlib import Path

import click

from hrtem_ood.cli.options import configs_argument
from hrtem_ood.cli.output import print_text


@click.command()
@configs_argument
def dag(configs: tuple[Path, ...]) -> None:
    """Print the stages of a campaign as a Mermaid flow chart.

    It has the number of jobs and files of each.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.campaign.mermaid import mermaid_graph

    print_text(mermaid_graph(load_campaign_from_files(configs)), end="")

"""`hrtem-ood architectures`: cost and receptive field of architectures."""

from pathlib import Path

import click

from hrtem_ood.cli.options import configs_argument


@click.command()
@configs_argument
def architectures(configs: tuple[Path, ...]) -> None:
    """List architectures: parameters, FLOPs, receptive field.

    Those of the campaign, each tried on an image, and those built in. Runs the Python files that the configuration names
    for architectures.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.cli.render.architectures import architectures_table
    from hrtem_ood.cli.render.console import print_on_terminal

    print_on_terminal(architectures_table(load_campaign_from_files(configs)))

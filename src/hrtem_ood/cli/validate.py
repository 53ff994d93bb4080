"""`hrtem-ood validate`: checks of a configuration."""

from pathlib import Path

import click

from hrtem_ood.cli.options import configs_argument


@click.command()
@configs_argument
def validate(configs: tuple[Path, ...]) -> None:
    """Check a configuration and show the size of its campaign.

    Several files are merged in turn on top of config/config.yaml, as by snakemake --configfile.
    """
    from hrtem_ood.campaign.config_warnings import config_warnings
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.cli.render.console import note, print_on_terminal
    from hrtem_ood.cli.render.validate import campaign_table

    campaign = load_campaign_from_files(configs)
    check_inputs(campaign)
    if any(architecture.file for grid in campaign.config.networks.values() for architecture in grid.architecture):
        from hrtem_ood.learning.architectures.of_campaign import check_user_architectures  # imports torch, in seconds

        check_user_architectures(campaign)
    print_on_terminal(campaign_table(campaign), *map(note, config_warnings(campaign)))

"""`hrtem-ood validate`: checks of a configuration."""

from pathlib import Path

import click

from hrtem_ood.cli.options import configs_argument


@click.command()
@configs_argument
def validate(configs: tuple[Path, ...]) -> None:
    """Check a configuration and show the size of its campaign.

    Several files are merged in turn on top of config/config.yaml, as by snakemake --configfile. Python files that they
    name are read, and not run; `hrtem-ood architectures` runs those of architectures, and tries them on images.
    """
    from hrtem_ood.campaign.config_warnings import config_warnings
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.cli.render.console import note, print_on_terminal
    from hrtem_ood.cli.render.validate import campaign_table

    campaign = load_campaign_from_files(configs)
    check_inputs(campaign)
    if campaign.labelled_sets:
        from hrtem_ood.learning.inference.labelled_sets import check_micrographs

        check_micrographs(campaign)
    print_on_terminal(campaign_table(campaign), *map(note, config_warnings(campaign)))

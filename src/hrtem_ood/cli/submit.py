"""`hrtem-ood submit`: a campaign on a SLURM cluster."""

from pathlib import Path

import click

from hrtem_ood.cli.options import FOLDER, configs_argument
from hrtem_ood.cli.output import print_text


@click.command()
@configs_argument
@click.option(
    "--profile",
    type=FOLDER,
    default=Path("profiles/slurm"),
    show_default=True,
    help="Profile of Snakemake.",
)
@click.option("--minutes", type=click.IntRange(min=2), default=1440, show_default=True, help="Time limit of the head.")
@click.option(
    "--memory-GB",
    "memory_GB",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Memory of the head.",
)
@click.option("--partition", help="Partition of the head.  [default: as in the profile]")
@click.option("--account", help="Account of the head.  [default: as in the profile]")
@click.option("--snakemake", "more", multiple=True, metavar="ARGUMENT", help="Another argument for Snakemake.")
def submit(
    configs: tuple[Path, ...],
    profile: Path,
    minutes: int,
    memory_GB: int,
    partition: str | None,
    account: str | None,
    more: tuple[str, ...],
) -> None:
    """Run a campaign on a SLURM cluster.

    Snakemake runs in a separate SLURM job, the head, which is requeued at its time limit and continues.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.execution import slurm_controller

    # report an unreadable file before jobs are submitted
    campaign = load_campaign_from_files(configs)
    check_inputs(campaign)
    if campaign.labelled_sets:
        from hrtem_ood.learning.inference.labelled_sets import check_micrographs

        check_micrographs(campaign)
    paths = tuple(path.resolve() for path in configs)
    job = slurm_controller.submit(
        slurm_controller.CampaignController(paths, profile.resolve(), more),
        minutes=minutes,
        memory_GB=memory_GB,
        partition=partition,
        account=account,
    )
    print_text(f"submitted: SLURM job {job}; its output is {slurm_controller.LOGS / f'{job}_0_log.out'}")

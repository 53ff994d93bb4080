"""`hrtem-ood cancel`: stopping a submitted campaign."""

from pathlib import Path

import click

from hrtem_ood.cli.options import configs_argument
from hrtem_ood.cli.output import print_text


@click.command()
@configs_argument
def cancel(configs: tuple[Path, ...]) -> None:
    """Stop a submitted campaign; finished artifacts stay.

    The head, which runs Snakemake, is cancelled first, then its jobs.
    """
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.execution import slurm_queue
    from hrtem_ood.execution.job_records import FOLDER, HEAD

    name = load_campaign_from_files(configs).name
    heads, jobs = slurm_queue.cancel_campaign(name, Path.cwd())
    (Path("results") / FOLDER / HEAD / f"{name}.json").unlink(missing_ok=True)
    print_text(f"cancelled: {heads} head, {jobs} jobs")

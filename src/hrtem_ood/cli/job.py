"""`hrtem-ood job`: verbs of the jobs that this program submits to SLURM or starts as processes."""

import os
from pathlib import Path

import click

from hrtem_ood.cli.options import FOLDER, config_option, results_option


@click.group(hidden=True)
def job() -> None:
    """Run a job that this program has submitted."""


@job.command()
@config_option
@click.option("--profile", type=FOLDER, required=True, help="Profile of Snakemake.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def head(config: tuple[Path, ...], profile: Path, arguments: tuple[str, ...]) -> None:
    """Run a campaign to its end, with further ARGUMENTS for Snakemake."""
    from hrtem_ood.execution.preemption import keep_warnings

    keep_warnings()
    from hrtem_ood.execution.slurm_controller import CampaignController

    CampaignController(config, profile, arguments)()


@job.command("network-task")
@config_option
@results_option
@click.option("--token", required=True, help="Token of the submission; the outcome repeats it.")
@click.option("--index", type=click.IntRange(min=0), required=True, help="Index of the network to run.")
@click.argument("stage_", metavar="STAGE", type=click.Choice(["packs", "evaluations"]))
@click.argument("id_", metavar="ID")
@click.argument("networks", nargs=-1, required=True)
def network_task(
    config: tuple[Path, ...],
    results: Path,
    token: str,
    index: int,
    stage_: str,
    id_: str,
    networks: tuple[str, ...],
) -> None:
    """Train or score one network of a pack or an evaluation."""
    from hrtem_ood.execution.network_jobs import run_network
    from hrtem_ood.execution.signals import end_with_snakemake

    if os.environ.get("SUBMITIT_EXECUTOR") == "local":  # tasks of SLURM go on, and the next job waits for them
        end_with_snakemake()
    if index >= len(networks):
        raise click.BadParameter(f"{index} is not below the number of networks, {len(networks)}.", param_hint="--index")
    run_network(stage_, id_, networks[index], config, results, token)

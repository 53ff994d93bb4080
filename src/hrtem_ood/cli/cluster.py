"""Verbs that run campaigns on a SLURM cluster."""

import os
from pathlib import Path

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import results_option
from hrtem_ood.errors import HrtemOodError

CONFIGS = click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")


@main.command()
@CONFIGS
@click.option(
    "--profile",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("profiles/slurm"),
    show_default=True,
    help="Snakemake's profile.",
)
@click.option("--minutes", type=click.IntRange(min=2), default=1440, show_default=True, help="Time limit of the head.")
@click.option("--memory-GB", "memory_GB", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--partition", help="Of the head; by default as in the profile.")
@click.option("--account", help="Of the head; by default as in the profile.")
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
    """Run a campaign on a SLURM cluster, Snakemake itself included, as a job that goes on after its time limit."""
    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.execution import slurm_controller

    # a file that no job can read is told of now, not when thousands of jobs wait for it
    check_inputs(load_campaign(read_configs(configs)))
    whole = tuple(path.resolve() for path in configs)
    job = slurm_controller.submit(
        slurm_controller.CampaignController(whole, profile.resolve(), more),
        minutes=minutes,
        memory_GB=memory_GB,
        partition=partition,
        account=account,
    )
    click.echo(f"submitted: SLURM job {job}; its output is {slurm_controller.LOGS / f'{job}_0_log.out'}")


@main.command()
@CONFIGS
def cancel(configs: tuple[Path, ...]) -> None:
    """End a campaign that was submitted: its head, then its jobs. What is finished stays."""
    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.execution import slurm_queue
    from hrtem_ood.execution.job_records import FOLDER, HEAD

    name = load_campaign(read_configs(configs)).name
    heads, jobs = slurm_queue.cancel_campaign(name, Path.cwd())
    (Path("results") / FOLDER / HEAD / f"{name}.json").unlink(missing_ok=True)
    click.echo(f"cancelled: {heads} head, {jobs} jobs")


@main.command()
@results_option
def doctor(results: Path) -> None:
    """Look at GPU, CuPy, PyTorch, FFTs, scratch space and SLURM: tell what is wrong, and how to mend it."""
    from rich.console import Console
    from rich.table import Table

    from hrtem_ood.execution.doctor import run_checks

    colour = {"good": "green", "absent": "dim", "wrong": "red"}
    table = Table("", "state", "found", "what to do")
    found = run_checks(results)
    for each in found:
        table.add_row(each.name, f"[{colour[each.state]}]{each.state}", each.details, each.fix)
    Console(width=None if os.isatty(1) else 160).print(table)
    if any(each.state == "wrong" for each in found):
        raise HrtemOodError("something is wrong here, as the table tells.")

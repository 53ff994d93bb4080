"""Verbs for people."""

import os
from pathlib import Path

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import FILE, FOLDER, Device, device_option, results_option


@main.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
def validate(configs: tuple[Path, ...]) -> None:
    """Check configurations, merged as snakemake --configfile does, and tell what they amount to."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.cli.render.validate import campaign_table, warnings

    campaign = load_campaign(read_configs(configs))
    check_inputs(campaign)
    if any(architecture.file for grid in campaign.config.networks.values() for architecture in grid.architecture):
        from hrtem_ood.cli.render.architectures import check_user_architectures  # takes seconds to import

        check_user_architectures(campaign)
    console = Console(width=None if os.isatty(1) else 120)
    console.print(campaign_table(campaign))
    for warning in warnings(campaign):
        console.print(f"[yellow]note:[/yellow] {warning}")


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
def summary(configs: tuple[Path, ...], results: Path) -> None:
    """Show the results of a finished campaign as a short table, and where its metrics and its report are."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.campaign.report_files import REPORT
    from hrtem_ood.campaign.results import Results
    from hrtem_ood.report.summary import summary_table

    campaign = load_campaign(read_configs(configs))
    console = Console(width=None if os.isatty(1) else 120)
    console.print(summary_table(campaign, results))
    console.print(f"Metrics: {Results(results).path('metrics', campaign.metrics_id)}", soft_wrap=True)
    console.print(f"Report: {Results(results).path('reports', campaign.report_id) / REPORT}", soft_wrap=True)


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
def dag(configs: tuple[Path, ...]) -> None:
    """Draw a campaign's stages, with the number of jobs and files of each, as a Mermaid flow chart."""
    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.campaign.mermaid import mermaid_graph

    click.echo(mermaid_graph(load_campaign(read_configs(configs))), nl=False)


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
def architectures(configs: tuple[Path, ...]) -> None:
    """Show what the architectures of a campaign, and those built in, cost and see."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.cli.render.architectures import architectures_table

    campaign = load_campaign(read_configs(configs))
    Console(width=None if os.isatty(1) else 120).print(architectures_table(campaign))


@main.command()
@click.argument("network", type=FILE)
@click.argument("images", nargs=-1, required=True, type=FILE, metavar="IMAGE...")
@click.option("--output", type=FOLDER, default=Path("predictions"), show_default=True, help="Folder to write to.")
@click.option(
    "--pixel-size-A",
    "pixel_size_A",
    type=click.FloatRange(min=0, min_open=True),
    help="Pixel [Å]; by default as the files tell.",
)
@click.option(
    "--condition", metavar="KEY=VALUE,...", help="Imaging condition of the images, to be held against training."
)
@results_option
@device_option
def predict(
    network: Path,
    images: tuple[Path, ...],
    output: Path,
    pixel_size_A: float | None,
    condition: str | None,
    results: Path,
    device: Device,
) -> None:
    """Segment micrographs (TIFF, MRC, DM3, DM4) with a trained network, and tell how far it can be trusted."""
    from hrtem_ood.cli.render import prediction
    from hrtem_ood.learning.inference import segment_micrographs
    from hrtem_ood.learning.inference.condition_option import parse_condition

    stated = None if condition is None else parse_condition(condition)
    user = segment_micrographs.load(network)
    click.echo("\n".join(prediction.network_lines(user)))
    if stated is not None:
        judged, path = segment_micrographs.assess_condition(user, stated, results, output)
        click.echo("\n".join([*prediction.assessment_lines(judged, user), f"  wrote {path}"]))
    for made in segment_micrographs.predict(user, images, output, pixel_size_A=pixel_size_A, device=device):
        click.echo("\n".join(prediction.segmentation_lines(made, user)))
    if stated is None:
        click.echo(prediction.how_to_state())


@main.command()
@click.argument("network", type=FILE)
@click.option("--output", type=FILE, required=True, help="ONNX file to write.")
def export(network: Path, output: Path) -> None:
    """Write a trained network as ONNX, from counts to the probability of particle, for other programs."""
    from hrtem_ood.learning.inference.onnx_export import export as run

    run(network, output)
    click.echo(f"wrote {output}")


@main.command()
@click.option("--schema", type=FILE, required=True, help="JSON schema to write.")
@click.option("--page", type=FILE, required=True, help="Reference page to write.")
def reference(schema: Path, page: Path) -> None:
    """Write the configuration's JSON schema and reference page."""
    from hrtem_ood.artifacts.store import write_text
    from hrtem_ood.config.reference import reference_text, schema_text

    write_text(schema, schema_text())
    write_text(page, reference_text())

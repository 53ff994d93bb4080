"""Verbs that draw what a configuration asks for, before it is run."""

import tempfile
from pathlib import Path

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import FOLDER, Device, device_option, results_option

configs_argument = click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
output_option = click.option(
    "--output", type=FOLDER, default=Path("previews"), show_default=True, help="Folder to write to."
)


@main.group()
def preview() -> None:
    """Draw what a campaign asks for, before it is run."""


@preview.command()
@configs_argument
@output_option
@click.option("--number", type=click.IntRange(1, 8), default=3, show_default=True, help="Scenes of each set.")
def structures(configs: tuple[Path, ...], output: Path, number: int) -> None:
    """Draw the first scenes of every structure set, along the beam and from the side."""
    from hrtem_ood.artifacts.store import write_bytes
    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.report.previews.scenes import draw_scenes_of, first_scenes

    campaign = load_campaign(read_configs(configs))
    check_inputs(campaign)
    for name in campaign.used_structure_sets:
        path = output / f"structures-{name}.png"
        write_bytes(path, draw_scenes_of(name, first_scenes(campaign, name, number)))
        click.echo(path)


@preview.command()
@configs_argument
@output_option
@results_option
@device_option
def conditions(configs: tuple[Path, ...], output: Path, results: Path, device: Device) -> None:
    """Draw contrast transfer, envelopes and an example image of every condition."""
    from hrtem_ood.artifacts.store import write_bytes
    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.report.previews.conditions import draw_conditions
    from hrtem_ood.stages.example_images import ExampleImages

    campaign = load_campaign(read_configs(configs))
    with tempfile.TemporaryDirectory() as scratch:
        examples = ExampleImages(campaign, results, Path(scratch), device)
        for name, listed in campaign.conditions.items():
            pages = draw_conditions(name, listed, campaign.config, examples.of)
            for number, page in enumerate(pages, 1):
                path = output / (f"conditions-{name}-{number}.png" if len(pages) > 1 else f"conditions-{name}.png")
                write_bytes(path, page)
                click.echo(path)

"""`hrtem-ood preview`: pictures of what a configuration describes."""

import tempfile
from pathlib import Path

import click

from hrtem_ood.cli.options import FOLDER, Device, configs_argument, device_option, results_option
from hrtem_ood.cli.output import print_text

output_option = click.option(
    "--output", type=FOLDER, default=Path("previews"), show_default=True, help="Folder to write to."
)


@click.group()
def preview() -> None:
    """Draw structures and conditions before a run."""


@preview.command()
@configs_argument
@output_option
@click.option("--number", type=click.IntRange(1, 8), default=3, show_default=True, help="Structures of each set.")
def structures(configs: tuple[Path, ...], output: Path, number: int) -> None:
    """Draw the first structures of every set.

    Along the beam and from the side.
    """
    from hrtem_ood.artifacts.store import write_bytes
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.campaign.structure_inputs import check_inputs
    from hrtem_ood.report.previews.scenes import draw_scenes_of, first_scenes

    campaign = load_campaign_from_files(configs)
    check_inputs(campaign)
    for name in campaign.used_structure_sets:
        path = output / f"structures-{name}.png"
        write_bytes(path, draw_scenes_of(name, first_scenes(campaign, name, number)))
        print_text(path)


@preview.command()
@configs_argument
@output_option
@results_option
@device_option
def conditions(configs: tuple[Path, ...], output: Path, results: Path, device: Device) -> None:
    """Draw transfer, envelopes and an image of every condition."""
    from hrtem_ood.artifacts.store import write_bytes
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.report.previews.conditions import draw_conditions
    from hrtem_ood.stages.example_images import ExampleImages

    campaign = load_campaign_from_files(configs)
    with tempfile.TemporaryDirectory() as scratch:
        examples = ExampleImages(campaign, results, Path(scratch), device)
        for name, listed in campaign.conditions.items():
            pages = draw_conditions(name, listed, campaign.config, examples.of)
            for number, page in enumerate(pages, 1):
                path = output / (f"conditions-{name}-{number}.png" if len(pages) > 1 else f"conditions-{name}.png")
                write_bytes(path, page)
                print_text(path)

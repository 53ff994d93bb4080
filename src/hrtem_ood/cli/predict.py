"""`hrtem-ood predict`: segmentation of micrographs."""

from pathlib import Path

import click

from hrtem_ood.cli.options import FILE, FOLDER, Device, architecture_file_option, device_option, results_option
from hrtem_ood.cli.output import print_text


@click.command()
@click.argument("network", type=FILE)
@click.argument("images", nargs=-1, required=True, type=FILE, metavar="IMAGE...")
@click.option("--output", type=FOLDER, default=Path("predictions"), show_default=True, help="Folder to write to.")
@click.option(
    "--pixel-size-A",
    "pixel_size_A",
    type=click.FloatRange(min=0, min_open=True),
    help="Pixel size [Å].  [default: as in the files]",
)
@click.option("--condition", metavar="KEY=VALUE,...", help="Imaging condition of the images, to compare with training.")
@architecture_file_option
@click.option(
    "--repair/--no-repair",
    default=True,
    show_default=True,
    help="Remove spikes, dead pixels, slopes of the background and holes in the film before segmentation.",
)
@results_option
@device_option
def predict(
    network: Path,
    images: tuple[Path, ...],
    output: Path,
    pixel_size_A: float | None,
    condition: str | None,
    architecture_file: Path | None,
    repair: bool,
    results: Path,
    device: Device,
) -> None:
    """Segment micrographs with a trained network.

    Reads TIFF, MRC, DM3 and DM4. With --condition, shows the distance of the images to the training conditions, and the
    expected F1.
    """
    from hrtem_ood.cli.render import predict as text
    from hrtem_ood.learning.inference import segment_micrographs
    from hrtem_ood.learning.inference.condition_option import parse_condition

    stated = None if condition is None else parse_condition(condition)
    trained = segment_micrographs.load(network, architecture_file)
    print_text("\n".join(text.network_lines(trained)))
    if stated is not None:
        assessment, path = segment_micrographs.assess_condition(trained, stated, results, output)
        print_text("\n".join([*text.assessment_lines(assessment, trained), f"  wrote {path}"]))
    for result in segment_micrographs.predict(
        trained, images, output, pixel_size_A=pixel_size_A, repair=repair, device=device
    ):
        print_text("\n".join(text.segmentation_lines(result, trained)))
    if stated is None:
        print_text(text.condition_hint())

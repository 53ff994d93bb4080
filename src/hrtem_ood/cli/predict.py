"""`hrtem-ood predict`: segmentation of micrographs."""

from pathlib import Path

import click

from hrtem_ood.cli.options import FILE, FOLDER, Device, architecture_file_option, device_option, results_option
from hrtem_ood.cli.output import say


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

    Reads TIFF, MRC, DM3 and DM4. Estimates dose, defocus and lattice spacings of each image. With --condition, shows how
    far the images are from the training conditions, which F1 to expect, and what of it the images contradict.
    """
    from hrtem_ood.cli.render import predict as text
    from hrtem_ood.cli.render.image_estimates import estimate_lines
    from hrtem_ood.learning.inference import segment_micrographs
    from hrtem_ood.learning.inference.condition_option import parse_condition
    from hrtem_ood.learning.inference.image_estimates.estimates import estimate_micrograph

    stated = None if condition is None else parse_condition(condition)
    trained = segment_micrographs.load(network, architecture_file)
    say("\n".join(text.network_lines(trained)))
    if stated is not None:
        assessment, path = segment_micrographs.assess_condition(trained, stated, results, output)
        say("\n".join([*text.assessment_lines(assessment, trained), f"  wrote {path}"]))
    for result in segment_micrographs.predict(
        trained, images, output, pixel_size_A=pixel_size_A, repair=repair, device=device
    ):
        say("\n".join(text.segmentation_lines(result, trained)))
        estimates = estimate_micrograph(
            result.micrograph,
            energy_eV=trained.training_domain.energy_eV,
            dead=None if result.repaired is None else result.repaired.dead,
            stated=stated,
        )
        say("\n".join(estimate_lines(estimates, stated)))
    if stated is None:
        say(text.condition_hint())

"""`hrtem-ood predict`: segmentation of micrographs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hrtem_ood.cli.options import (
    FOLDER,
    Device,
    architecture_file_option,
    device_option,
    fill_holes_option,
    min_diameter_option,
    pixel_size_option,
    repair_option,
    results_option,
    split_touching_option,
    tell_unrepaired,
)
from hrtem_ood.cli.output import print_text
from hrtem_ood.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from hrtem_ood.learning.inference.image_estimates.estimates import ImageEstimates
    from hrtem_ood.learning.inference.measured_f1 import MeasuredPerformance


@click.command()
@click.argument("words", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[NETWORK] IMAGE...")
@click.option("--output", type=FOLDER, default=Path("predictions"), show_default=True, help="Folder to write to.")
@pixel_size_option
@click.option(
    "--condition",
    metavar="KEY=VALUE,...",
    help="Imaging condition of the images, to compare with training; defocus_A counts from minimum contrast.",
)
@click.option(
    "--estimates/--no-estimates",
    default=None,
    help="Estimate dose, defocus and lattice spacings from each image, in seconds per image of 2048 × 2048 pixels.  "
    "[default: for up to 5 files]",
)
@architecture_file_option
@repair_option
@min_diameter_option
@fill_holes_option
@split_touching_option
@click.option("--overwrite", is_flag=True, help="Replace results of an earlier run.")
@results_option
@device_option
def predict(
    words: tuple[Path, ...],
    output: Path,
    pixel_size_A: float | None,
    condition: str | None,
    architecture_file: Path | None,
    repair: bool,
    min_diameter_A: float,
    fill_holes: bool,
    split_touching: bool,
    overwrite: bool,
    estimates: bool | None,
    results: Path,
    device: Device,
) -> None:
    """Segment micrographs with a trained network.

    NETWORK is a file that ends with .ckpt; without one, the network that comes with the package is used. IMAGE is a file, a
    folder of them or a pattern: TIFF, MRC, DM3, DM4, SER, EMD, HSpy or ZSpy. Writes masks, numbered particles and their table
    per image, and index.html to look at all of them. Estimates dose, defocus and lattice spacings of each image, and tells
    from these how far to trust the network, and whether the pixel size may be wrong. With --condition, shows the distance of
    the images to the training conditions, the forecast F1, and what of the condition the images contradict.
    """
    from hrtem_ood.cli.render import predict as text
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.cli.render.image_estimates import estimate_lines, pixel_lines, trust_lines
    from hrtem_ood.learning.inference import predict_micrographs, segment_micrographs
    from hrtem_ood.learning.inference.condition_assessment import assess_condition
    from hrtem_ood.learning.inference.condition_option import parse_condition
    from hrtem_ood.learning.inference.image_estimates.estimates import estimate_micrograph
    from hrtem_ood.learning.inference.image_trust import assess_image, suspected_pixel
    from hrtem_ood.learning.inference.measured_f1 import find_measured
    from hrtem_ood.learning.inference.outputs import PAGE_FILE
    from hrtem_ood.learning.inference.particle_labels import ParticleOptions

    network, images = split_network(words)
    stated = None if condition is None else parse_condition(condition)
    trained = segment_micrographs.load(network, architecture_file)
    files = predict_micrographs.prepare(images, output, overwrite=overwrite, assessed=stated is not None)
    print_text("\n".join([*text.network_lines(trained), *([] if network == words[0] else text.shipped_lines(network))]))
    tell_unrepaired([trained], repair=repair)
    if stated is not None:
        assessment, path = assess_condition(trained, stated, results, output)
        print_text("\n".join([*text.assessment_lines(assessment, trained), f"  wrote {path}"]))
    particles = ParticleOptions(min_diameter_A, fill_holes, split_touching)
    options = {**particles._asdict(), "pixel_size_A": pixel_size_A, "condition": condition, "repair": repair}
    record = predict_micrographs.start_record(trained, options)
    with_estimates = len(files) <= text.MOST_IN_FULL if estimates is None else estimates
    measured = None
    by_pixel: defaultdict[float, list[ImageEstimates]] = defaultdict(list)
    if with_estimates:
        measured = find_measured(results, trained.id, trained.sha256_of_weights)
    for result in predict_micrographs.predict(
        trained, files, output, record, particles=particles, pixel_size_A=pixel_size_A, repair=repair, device=device
    ):
        print_text("\n".join(text.result_lines(result, trained, brief=len(files) > text.MOST_IN_FULL)))
        if with_estimates and isinstance(result, predict_micrographs.SegmentationResult):
            repaired = result.segmentation.repaired
            estimated = estimate_micrograph(
                result.micrograph,
                energy_eV=trained.training_domain.energy_eV,
                dead=None if repaired is None else repaired.dead,
                stated=stated,
            )
            by_pixel[result.micrograph.pixel_size_A].append(estimated)
            doubt = pixel_lines(suspected_pixel([estimated], measured), result.micrograph.pixel_size_A)
            print_text("\n".join([*estimate_lines(estimated, stated), *doubt]))
            if stated is None:
                print_text("\n".join(trust_lines(assess_image(estimated, trained.training_domain, measured))))
    print_pixel_doubts(by_pixel, measured)
    if len(record.images) + len(record.failed) > 1:
        print_on_terminal(text.run_table(record))
    if record.images:
        print_text(f"wrote {output / PAGE_FILE}: open it to look at all images")
        for line in text.hints(with_estimates=with_estimates, with_condition=stated is not None):
            print_text(line)
    if record.failed:
        raise ArtifactError(text.failure_message(record, len(files)))


def print_pixel_doubts(
    by_pixel: "Mapping[float, Sequence[ImageEstimates]]", measured: "MeasuredPerformance | None"
) -> None:
    """Print notes on pixel sizes that the images of a run make doubtful together.

    Parameters
    ----------
    by_pixel : mapping of float to sequence of ImageEstimates
        What images tell, by their pixel size [Å].
    measured : MeasuredPerformance or None
    """
    from hrtem_ood.cli.render.image_estimates import pixel_lines
    from hrtem_ood.learning.inference.image_trust import suspected_pixel

    for pixel_A, images in by_pixel.items():
        if len(images) > 1:
            for line in pixel_lines(suspected_pixel(images, measured), pixel_A, len(images)):
                print_text(line)


def split_network(words: Sequence[Path]) -> tuple[Path, list[Path]]:
    """Return the network, by default the one that comes with the package, and the images.

    Raises
    ------
    ConfigError
        Where there are no images, or a network that is not the first word.
    """
    from hrtem_ood.learning.inference.shipped_network import shipped_network

    named = words[0].suffix == ".ckpt"
    images = list(words[1:] if named else words)
    if not images:
        raise ConfigError("IMAGE: there is none. Name the micrographs after the network.")
    for image in images:
        if image.suffix == ".ckpt":
            raise ConfigError(f"{str(image)!r:.80} is a network. Name one network, before the micrographs.")
    return (words[0] if named else shipped_network()), images

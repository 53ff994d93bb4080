"""`hrtem-ood select`: which of the trained networks for images without labels."""

from pathlib import Path

import click

from hrtem_ood.cli.options import (
    FILE,
    FOLDER,
    Device,
    FiniteRange,
    architecture_file_option,
    device_option,
    json_option,
    pixel_size_option,
    repair_option,
    results_option,
    tell_unrepaired,
)
from hrtem_ood.cli.output import print_json, print_text
from hrtem_ood.errors import ConfigError


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option(
    "--networks",
    multiple=True,
    metavar="PATH",
    help="Network to choose among, a folder of them, or a pattern; repeat for several.  [default: all of --results]",
)
@click.option("--output", type=FOLDER, default=Path("selection"), show_default=True, help="Folder to write to.")
@click.option("--overwrite", is_flag=True, help="Replace results of an earlier run.")
@click.option(
    "--least-f1",
    type=FiniteRange(0, 1),
    default=0.7,
    show_default=True,
    help="Estimated F1 from which a network will do.",
)
@click.option(
    "--most-images",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Images that are used, spread over all that are named.",
)
@click.option(
    "--calibration",
    type=FILE,
    help="Table from which F1 is estimated, calibration.csv of an earlier --campaign.  [default: that of the package]",
)
@click.option(
    "--campaign",
    "campaign_files",
    type=FILE,
    multiple=True,
    help="Estimate F1 from the test datasets of this configuration's campaign instead; several are merged in turn.",
)
@pixel_size_option
@architecture_file_option
@repair_option
@results_option
@device_option
@json_option
@click.pass_context
def select(
    ctx: click.Context,
    images: tuple[Path, ...],
    networks: tuple[str, ...],
    output: Path,
    overwrite: bool,
    least_f1: float,
    most_images: int,
    calibration: Path | None,
    campaign_files: tuple[Path, ...],
    pixel_size_A: float | None,
    architecture_file: Path | None,
    repair: bool,
    results: Path,
    device: Device,
    as_json: bool,
) -> None:
    """Estimate which trained networks are best for given images.

    IMAGE is a file, a folder of them or a pattern, as of `predict`. Each network gets an F1 estimated from the images alone,
    with an interval: from its consistency under changes of the image, its agreement with the other networks, and its
    confidence. Says so when none will do. Writes select.csv, images.csv, select.json and select.png. The exit code is 1 where
    a file could not be used.
    """
    from hrtem_ood.campaign.label_pairs import expand
    from hrtem_ood.cli.render import select as text
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.learning.inference.inputs import expand_inputs
    from hrtem_ood.learning.inference.score_micrographs import load_networks
    from hrtem_ood.learning.inference.selection.calibration import CALIBRATION_FILE, read_calibration
    from hrtem_ood.learning.inference.selection.files import check_outputs, summary, write_selection
    from hrtem_ood.learning.inference.selection.select_networks import select_networks

    if calibration is not None and campaign_files:
        raise ConfigError("--calibration and --campaign: both tell what F1 is estimated from. Give one of them.")
    files = expand_inputs(images)
    words = networks or (str(results / "networks"),)
    candidates = expand([str(Path(word) / "*.ckpt") if Path(word).is_dir() else word for word in words], "--networks")
    check_outputs(output, files, overwrite=overwrite, calibrated=bool(campaign_files))
    if campaign_files:
        calibration = _calibrate(campaign_files, results, output / CALIBRATION_FILE, architecture_file, device)
    estimator = read_calibration(calibration)
    loaded, problems = load_networks(candidates, architecture_file)
    tell_unrepaired((each.trained for each in loaded), repair=repair)
    selection = select_networks(
        loaded, files, estimator,
        least_f1=least_f1, most_images=most_images, pixel_size_A=pixel_size_A, repair=repair, device=device,
    )  # fmt: skip
    selection.problems[:0] = problems
    outputs = write_selection(output, selection)
    if as_json:
        print_json(summary(selection))
    else:
        print_on_terminal(*text.selection_tables(selection))
        print_text(f"wrote {', '.join(map(str, outputs))}")
    if selection.problems:
        print_text("\n".join(text.problem_lines(selection)), err=True)
        ctx.exit(1)


def _calibrate(
    campaign_files: tuple[Path, ...], results: Path, path: Path, architecture_file: Path | None, device: Device
) -> Path:
    """Write the calibration of a campaign, and return its path."""
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.learning.inference.selection.calibration import checked, write_calibration
    from hrtem_ood.learning.inference.selection.campaign_cells import calibrate

    campaign = load_campaign_from_files(list(campaign_files))
    table = calibrate(campaign, results, architecture_file=architecture_file, device=device)
    write_calibration(path, checked(table, f"campaign {campaign.name}"))
    print_text(f"wrote {path}: --calibration {path} uses it again", err=True)
    return path

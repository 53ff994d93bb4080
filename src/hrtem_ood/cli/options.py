"""Arguments and options that several verbs have."""

import math
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hrtem_ood.cli.output import print_text
from hrtem_ood.errors import ArtifactError

if TYPE_CHECKING:
    from hrtem_ood.campaign.campaign import Campaign
    from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork


class FiniteRange(click.FloatRange):
    """A finite number within a range: click compares, and NaN is neither below nor above anything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert a word to a number, or fail with what is valid."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


Device = Literal["auto", "cpu", "gpu"]

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

configs_argument = click.argument("configs", nargs=-1, type=FILE, metavar="[CONFIG...]")
"""Configurations of one campaign, merged in turn on top of the default one."""

config_option = click.option(
    "--config",
    type=FILE,
    multiple=True,
    help="Configuration of the campaign, on top of config/config.yaml; several are merged in turn.",
)
results_option = click.option(
    "--results", type=FOLDER, default=Path("results"), show_default=True, help="Results folder."
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True, help="Where to compute."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
architecture_file_option = click.option(
    "--architecture-file",
    type=FILE,
    help="Python file of the network's architecture, if it is not built in; its sha256 must be the one in the network.",
)
pixel_size_option = click.option(
    "--pixel-size-A",
    "pixel_size_A",
    type=FiniteRange(min=0, min_open=True),
    help="Pixel size of all micrographs [Å].  [default: as in the files]",
)
repair_option = click.option(
    "--repair/--no-repair",
    default=True,
    show_default=True,
    help="Remove spikes, dead pixels, slopes of the background and holes in the film before segmentation.",
)
min_diameter_option = click.option(
    "--min-diameter-A",
    "min_diameter_A",
    type=FiniteRange(min=0),
    default=0.0,
    help="Drop particles whose circle of the same area is smaller [Å].",
)
split_touching_option = click.option(
    "--split-touching",
    is_flag=True,
    help="Separate particles that touch at a narrow neck, before small ones are dropped.",
)
fill_holes_option = click.option(
    "--fill-holes", is_flag=True, help="Count background that a particle encloses as particle."
)


def tell_unrepaired(networks: "Iterable[TrainedNetwork]", *, repair: bool) -> None:
    """Say which networks were trained on repaired images, where micrographs are not repaired."""
    ids = [] if repair else [network.id for network in networks if network.repair]
    if ids:
        print_text(
            f"note: {', '.join(ids)} learned from repaired images, and --no-repair leaves the micrographs as they are",
            err=True,
        )


def check_finished(campaign: "Campaign", configs: Sequence[Path], results: Path) -> None:
    """Check that a campaign has metrics, and name the command that creates them.

    Raises
    ------
    ArtifactError
    """
    from hrtem_ood.campaign.results import Results

    path = Results(results).path("metrics", campaign.metrics_id)
    if not path.exists():
        command = shlex.join(["snakemake", *(["--configfile", *map(str, configs)] if configs else [])])
        raise ArtifactError(f"{path} is missing: campaign {campaign.name} is not finished. Run `{command}`.")

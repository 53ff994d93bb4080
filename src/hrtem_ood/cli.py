"""The command line: one verb per stage, as the workflow's rules call them, and a few for people."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from pydantic import ValidationError

from hrtem_ood.errors import ConfigError, HrtemOodError

if TYPE_CHECKING:
    from hrtem_ood.campaign.specs import Spec

AnySpec = TypeVar("AnySpec", bound="Spec")
Device = Literal["auto", "cpu", "gpu"]

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

output_option = click.option("--output", type=FILE, required=True, help="The artefact to write.")
results_option = click.option(
    "--results", type=FOLDER, default=Path("results"), show_default=True, help="Results folder."
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True, help="Where to compute."
)
spec_argument = click.argument("spec", metavar="SPEC_JSON")
config_argument = click.argument("config", metavar="CONFIG_JSON")


class _Commands(click.Group):
    """Shows a user's mistake as one message: exit code 2 for the configuration, 1 for anything else."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(f"hrtem-ood: {error}", err=True)
            ctx.exit(2)
        except HrtemOodError as error:
            click.echo(f"hrtem-ood: {error}", err=True)
            ctx.exit(1)
        except OSError as error:
            if error.strerror is None:  # not the operating system's word, hence not a full disk or a missing right
                raise
            click.echo(f"hrtem-ood: {error.filename or 'a file'}: {error.strerror}", err=True)
            ctx.exit(1)


def _parsed(model: type[AnySpec], text: str) -> AnySpec:
    """Read a spec as the workflow passes it."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise click.BadParameter(
            f"is no {model.__name__}: {error.errors()[0]['msg']}", param_hint="SPEC_JSON"
        ) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hrtem-ood")
def main() -> None:
    """Find out how far a neural network can be trusted outside its training conditions in HRTEM.

    Most people need `validate` and `summary` only: the workflow calls the stages.
    """


# --- for people --------------------------------------------------------------------------------


@main.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
def validate(configs: tuple[Path, ...]) -> None:
    """Check configurations, merged as snakemake --configfile does, and tell what they amount to."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.campaign.overview import overview, warnings

    campaign = load_campaign(read_configs(configs))
    console = Console(width=None if os.isatty(1) else 120)
    console.print(overview(campaign))
    for warning in warnings(campaign):
        console.print(f"[yellow]note:[/yellow] {warning}")


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
def summary(configs: tuple[Path, ...], results: Path) -> None:
    """Show the results of a finished campaign as a short table, and where its report is."""
    from rich.console import Console

    from hrtem_ood.analysis.summary import summary_table
    from hrtem_ood.campaign.load import load_campaign, read_configs

    campaign = load_campaign(read_configs(configs))
    console = Console(width=None if os.isatty(1) else 120)
    console.print(summary_table(campaign, results))
    console.print(f"Report: {results / campaign.name / 'report.html'}", soft_wrap=True)


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
def architectures(configs: tuple[Path, ...]) -> None:
    """Show what the architectures of a campaign, and those built in, cost and see."""
    from rich.console import Console

    from hrtem_ood.campaign.load import load_campaign, read_configs
    from hrtem_ood.networks.overview import architectures_table

    campaign = load_campaign(read_configs(configs))
    Console(width=None if os.isatty(1) else 120).print(architectures_table(campaign))


@main.command()
@click.argument("network", type=FILE)
@click.argument("images", nargs=-1, required=True, type=FILE, metavar="IMAGE...")
@click.option("--output", type=FOLDER, default=Path("predictions"), show_default=True, help="Folder to write to.")
@click.option(
    "--pixel-A", "pixel_A", type=click.FloatRange(min=0, min_open=True), help="Pixel [Å]; by default as the files tell."
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
    pixel_A: float | None,
    condition: str | None,
    results: Path,
    device: Device,
) -> None:
    """Segment micrographs (TIFF, MRC, DM3, DM4) with a trained network, and tell how far it can be trusted."""
    from hrtem_ood.prediction import stage, told
    from hrtem_ood.prediction.condition import parse_condition

    stated = None if condition is None else parse_condition(condition)
    user = stage.load(network)
    click.echo("\n".join(told.of_network(user)))
    if stated is not None:
        judged, path = stage.trust(user, stated, results, output)
        click.echo("\n".join([*told.of_trust(judged, user), f"  wrote {path}"]))
    for made in stage.predict(user, images, output, pixel_A=pixel_A, device=device):
        click.echo("\n".join(told.of_prediction(made, user)))
    if stated is None:
        click.echo(told.how_to_state())


@main.command()
@click.argument("network", type=FILE)
@click.option("--output", type=FILE, required=True, help="ONNX file to write.")
def export(network: Path, output: Path) -> None:
    """Write a trained network as ONNX, from counts to the probability of particle, for other programs."""
    from hrtem_ood.prediction.export import export as run

    run(network, output)
    click.echo(f"wrote {output}")


@main.command()
@click.option("--schema", type=FILE, required=True, help="JSON schema to write.")
@click.option("--page", type=FILE, required=True, help="Reference page to write.")
def reference(schema: Path, page: Path) -> None:
    """Write the configuration's JSON schema and reference page."""
    from hrtem_ood.campaign.reference import reference_text, schema_text
    from hrtem_ood.store import write_text

    write_text(schema, schema_text())
    write_text(page, reference_text())


# --- stages ------------------------------------------------------------------------------------


@main.command()
@spec_argument
@output_option
def build(spec: str, output: Path) -> None:
    """Draw a shard of random scenes."""
    from hrtem_ood.campaign.specs import BuildSpec
    from hrtem_ood.structures.stage import build as run

    run(_parsed(BuildSpec, spec), output)


@main.command()
@spec_argument
@click.option("--structures", type=FILE, required=True, help="The shard's structures.")
@output_option
@device_option
def simulate(spec: str, structures: Path, output: Path, device: Device) -> None:
    """Simulate the exit waves of a shard by frozen-phonon multislice."""
    from hrtem_ood.campaign.specs import SimulateSpec
    from hrtem_ood.simulation.stage import simulate as run

    run(_parsed(SimulateSpec, spec), structures, output, device=device)


@main.command()
@spec_argument
@click.argument("exit_waves", nargs=-1, required=True, type=FILE)
@output_option
@device_option
def image(spec: str, exit_waves: tuple[Path, ...], output: Path, device: Device) -> None:
    """Image exit waves under one condition."""
    from hrtem_ood.campaign.specs import ImageSpec
    from hrtem_ood.imaging.stage import image as run

    run(_parsed(ImageSpec, spec), exit_waves, output, device=device)


@main.command()
@spec_argument
@click.argument("datasets", nargs=-1, required=True, type=FILE)
@click.option("--networks", type=FOLDER, required=True, help="Folder of trained networks.")
@click.option(
    "--save-every", type=click.FloatRange(min=0), default=60, show_default=True, help="Seconds between saves."
)
@click.option("--compile", is_flag=True, help="Train through torch.compile.")
@output_option
@device_option
def train(
    spec: str,
    datasets: tuple[Path, ...],
    networks: Path,
    save_every: float,
    compile: bool,  # noqa: A002  # the option's name
    output: Path,
    device: Device,
) -> None:
    """Train the networks of a pack that are not there yet."""
    from hrtem_ood.campaign.specs import PackSpec
    from hrtem_ood.training.stage import train as run

    pack = _parsed(PackSpec, spec)
    run(pack, datasets, networks, output, device=device, save_every_s=save_every, compile=compile)


@main.command()
@spec_argument
@click.argument("datasets", nargs=-1, required=True, type=FILE)
@output_option
def suite(spec: str, datasets: tuple[Path, ...], output: Path) -> None:
    """Write the index of a suite of test datasets."""
    from hrtem_ood.campaign.specs import SuiteSpec
    from hrtem_ood.evaluation.stage import index_suite as run

    run(_parsed(SuiteSpec, spec), datasets, output)


@main.command()
@spec_argument
@click.option("--pack", type=FILE, required=True, help="The pack's JSON.")
@click.option("--suite", type=FILE, required=True, help="The suite's index.")
@results_option
@click.option(
    "--drop-weights-after",
    type=FILE,
    multiple=True,
    help="Give all evaluations of the pack: when all are there, its networks lose their weights.",
)
@output_option
@device_option
def evaluate(
    spec: str,
    pack: Path,
    suite: Path,
    results: Path,
    drop_weights_after: tuple[Path, ...],
    output: Path,
    device: Device,
) -> None:
    """Score the networks of a pack on every image of a suite."""
    from hrtem_ood.campaign.specs import EvaluateSpec
    from hrtem_ood.evaluation.stage import evaluate as run

    job = _parsed(EvaluateSpec, spec)
    run(job, pack, suite, results, output, device=device, drop_weights_after=drop_weights_after)


@main.command()
@spec_argument
@output_option
def transfer(spec: str, output: Path) -> None:
    """Compute contrast transfer and the information-transfer measures of all conditions."""
    from hrtem_ood.campaign.specs import TransferSpec
    from hrtem_ood.transfer.stage import transfer as run

    run(_parsed(TransferSpec, spec), output)


@main.group()
def analyze() -> None:
    """Gather scores and tell what they mean."""


@analyze.command()
@config_argument
@results_option
@output_option
def metrics(config: str, results: Path, output: Path) -> None:
    """Gather all evaluations of a campaign into one store."""
    from hrtem_ood.analysis.stage import metrics as run
    from hrtem_ood.campaign.load import load_campaign

    run(load_campaign(json.loads(config)), results, output)


@analyze.command()
@config_argument
@results_option
@click.option("--folder", type=FOLDER, required=True, help="The campaign's results folder.")
def report(config: str, results: Path, folder: Path) -> None:
    """Draw figures, write tables and the report."""
    from hrtem_ood.analysis.stage import report as run
    from hrtem_ood.campaign.load import load_campaign

    run(load_campaign(json.loads(config)), results, folder)


@analyze.command()
@config_argument
@output_option
def index(config: str, output: Path) -> None:
    """Write the table of every artefact id and its parameters."""
    from hrtem_ood.analysis.stage import index as run
    from hrtem_ood.campaign.load import load_campaign

    run(load_campaign(json.loads(config)), output)

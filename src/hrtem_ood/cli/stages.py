"""Verbs that the workflow calls: one per stage."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from pydantic import ValidationError

from hrtem_ood.cli.group import main
from hrtem_ood.cli.options import FILE, FOLDER, Device, device_option, output_option, results_option

if TYPE_CHECKING:
    from hrtem_ood.campaign.specs import Spec

AnySpec = TypeVar("AnySpec", bound="Spec")

spec_argument = click.argument("spec", metavar="SPEC_JSON")
config_argument = click.argument("config", metavar="CONFIG_JSON")


def _parsed(model: type[AnySpec], text: str) -> AnySpec:
    """Read a spec as the workflow passes it."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise click.BadParameter(
            f"is no {model.__name__}: {error.errors()[0]['msg']}", param_hint="SPEC_JSON"
        ) from None


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
@click.option("--campaign", default="", help="The campaign that drops weights; what others ask for keeps them.")
@output_option
@device_option
def evaluate(
    spec: str,
    pack: Path,
    suite: Path,
    results: Path,
    drop_weights_after: tuple[Path, ...],
    campaign: str,
    output: Path,
    device: Device,
) -> None:
    """Score the networks of a pack on every image of a suite."""
    from hrtem_ood.campaign.specs import EvaluateSpec
    from hrtem_ood.evaluation.stage import evaluate as run

    job = _parsed(EvaluateSpec, spec)
    run(job, pack, suite, results, output, device=device, drop_weights_after=drop_weights_after, campaign=campaign)


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

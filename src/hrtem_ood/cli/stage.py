"""`hrtem-ood stage`: verbs that the workflow calls. Each creates one artifact of a campaign, given its id."""

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hrtem_ood.cli.options import config_option, results_option

if TYPE_CHECKING:
    from hrtem_ood.execution.job import Job

Verb = TypeVar("Verb", bound=Callable[..., None])


def _artifact(function: Verb) -> Verb:
    """Give a verb the id of its artifact, the configuration of the campaign, and the results folder."""
    id_argument = click.argument("id_", metavar="ID")
    return id_argument(config_option(results_option(function)))


def _parse_json(_context: click.Context, _parameter: click.Parameter, text: str) -> dict[str, Any]:
    """Return the resources that the workflow passes on."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text} is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise click.BadParameter(f"{text} is not a JSON object of names and values.")
    return content


_resources = click.option(
    "--resources",
    default="{}",
    callback=_parse_json,
    metavar="JSON",
    help="Resources of a network's task, with `network_jobs: individual`.",
)


@contextmanager
def _job(stage: str, id_: str, config: Sequence[Path], results: Path) -> Iterator["Job"]:
    """Load a job. The import is local, so that `hrtem-ood --help` does not import what loads campaigns."""
    from hrtem_ood.execution.job import load_job

    with load_job(stage, id_, config, results) as job:
        yield job


class _Stages(click.Group):
    """Has a verb for every rule in the table of stages. The table is loaded only for rules without an explicit verb."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _verb_of_the_table(cmd_name)


def _verb_of_the_table(rule: str) -> click.Command | None:
    """Return the verb of a rule that needs a spec, inputs and an output only; ``stages/<rule>.py`` has its function."""
    from hrtem_ood.campaign.stage_table import JOB_STAGES

    row = next((row for row in JOB_STAGES.values() if row.rule == rule), None)
    if row is None or row.specs is None:
        return None
    specs = row.specs

    def verb(id_: str, config: tuple[Path, ...], results: Path) -> None:
        with _job(row.name, id_, config, results) as job:
            run = getattr(importlib.import_module(f"hrtem_ood.stages.{rule}"), rule)
            run(specs(job.campaign)[id_], job.inputs, job.output)

    return click.command(rule, help=f"Create one {row.singular}.")(_artifact(verb))


@click.group(cls=_Stages, hidden=True)
def stage() -> None:
    """Create one artifact, as the workflow's rules do; end when the workflow is killed."""
    from hrtem_ood.execution.signals import end_with_snakemake

    end_with_snakemake()


@stage.command()
@_artifact
def build(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Draw the random structures of a shard."""
    with _job("structures", id_, config, results) as job:
        from hrtem_ood.stages.build import build as run

        run(job.campaign.structures[id_], job.output)


@stage.command()
@_artifact
def simulate(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Simulate exit waves by frozen-phonon multislice."""
    from hrtem_ood.execution.gpu_slots import gpu_slot

    with _job("exit_waves", id_, config, results) as job, gpu_slot("simulate", job.execution):
        from hrtem_ood.stages.simulate import simulate as run

        (structures,) = job.inputs
        run(job.campaign.exit_waves[id_], structures, job.output, device=job.execution.device)


@stage.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@config_option
@results_option
def image(ids: tuple[str, ...], config: tuple[Path, ...], results: Path) -> None:
    """Form images of exit waves under one condition, or under one after the other."""
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.execution.gpu_slots import gpu_slot
    from hrtem_ood.execution.job import load_job

    campaign = load_campaign_from_files(config)
    with ExitStack() as slot:
        for place, id_ in enumerate(ids):
            with load_job("datasets", id_, config, results, campaign=campaign) as job:
                if not place:  # not before: the record of the first one tells that the job runs, or waits
                    slot.enter_context(gpu_slot("image", job.execution))
                from hrtem_ood.stages.image import image as run

                run(campaign.datasets[id_], job.inputs, job.output, device=job.execution.device)


@stage.command()
@_artifact
@_resources
def train(id_: str, config: tuple[Path, ...], results: Path, resources: dict[str, Any]) -> None:
    """Train the networks of a pack that are missing."""
    from hrtem_ood.execution.network_jobs import train_networks
    from hrtem_ood.execution.preemption import requeued_when_preempted

    with requeued_when_preempted():
        train_networks(id_, config, results, resources=resources)


@stage.command(name="labelled_set")
@_artifact
def labelled_set(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Read labelled micrographs of a test suite."""
    with _job("labelled_sets", id_, config, results) as job:
        from hrtem_ood.stages.labelled_set import labelled_set as run

        run(job.campaign.labelled_sets[id_], job.inputs, job.output)


@stage.command()
@_artifact
def suite(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Write the index of a test suite."""
    with _job("suites", id_, config, results) as job:
        from hrtem_ood.stages.suite import index_suite as run

        run(job.campaign.suites[id_], job.inputs, job.output)


@stage.command()
@_artifact
@_resources
def evaluate(id_: str, config: tuple[Path, ...], results: Path, resources: dict[str, Any]) -> None:
    """Score networks of a training set on a test suite."""
    from hrtem_ood.execution.network_jobs import evaluate_networks

    evaluate_networks(id_, config, results, resources=resources)


@stage.command()
@_artifact
def transfer(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Compute the information transfer of all conditions."""
    with _job("transfer", id_, config, results) as job:
        from hrtem_ood.stages.transfer import transfer as run

        run(job.campaign.transfer, job.output)


@stage.command()
@_artifact
def predictors(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Compute predictors of training sets and test datasets."""
    with _job("predictors", id_, config, results) as job:
        from hrtem_ood.stages.predictors import predictors as run

        run(job.campaign, results)


@stage.command()
@_artifact
def metrics(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Gather all evaluations of a campaign."""
    with _job("metrics", id_, config, results) as job:
        from hrtem_ood.stages.metrics import metrics as run

        run(job.campaign, results)


@stage.command()
@_artifact
def report(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Draw figures, and write tables and the report."""
    with _job("reports", id_, config, results) as job:
        from hrtem_ood.stages.report import report as run

        run(job.campaign, results)


@stage.command()
@_artifact
def index(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """List all artifact ids with their parameters."""
    with _job("indexes", id_, config, results) as job:
        from hrtem_ood.stages.index import index as run

        run(job.campaign, results)

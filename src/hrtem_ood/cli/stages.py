"""Verbs that the workflow calls: one per stage. Each makes one artefact of a campaign, given its id."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from hrtem_ood.cli.asked import asked
from hrtem_ood.cli.group import main
from hrtem_ood.cli.networks import evaluate_networks, train_networks
from hrtem_ood.cli.options import config_option, results_option
from hrtem_ood.cluster.preemption import requeued_when_preempted

Verb = TypeVar("Verb", bound=Callable[..., None])


def _artefact(function: Verb) -> Verb:
    """Give a verb the id of its artefact, the configuration that asks for it, and the results folder."""
    id_argument = click.argument("id_", metavar="ID")
    return id_argument(config_option(results_option(function)))


_resources = click.option(
    "--asked", default="{}", metavar="JSON", help="Resources of a network's task, where each is one."
)


@main.command()
@_artefact
def build(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Draw a shard of random scenes."""
    with asked("structures", id_, config, results) as job:
        from hrtem_ood.structures.stage import build as run

        run(job.campaign.structures[id_], job.output)


@main.command()
@_artefact
def simulate(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Simulate the exit waves of a shard by frozen-phonon multislice."""
    with asked("exit_waves", id_, config, results) as job:
        from hrtem_ood.simulation.stage import simulate as run

        (structures,) = job.inputs
        run(job.campaign.exit_waves[id_], structures, job.output, device=job.execution.device)


@main.command()
@_artefact
def image(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Image exit waves under one condition."""
    with asked("datasets", id_, config, results) as job:
        from hrtem_ood.imaging.stage import image as run

        run(job.campaign.datasets[id_], job.inputs, job.output, device=job.execution.device)


@main.command()
@_artefact
@_resources
def train(id_: str, config: tuple[Path, ...], results: Path, asked: str) -> None:
    """Train the networks of a pack that are not there yet."""
    with requeued_when_preempted():
        train_networks(id_, config, results, asked=json.loads(asked))


@main.command()
@_artefact
def suite(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Write the index of a suite of test datasets."""
    with asked("suites", id_, config, results) as job:
        from hrtem_ood.evaluation.suite import index_suite as run

        run(job.campaign.suites[id_], job.inputs, job.output)


@main.command()
@_artefact
@_resources
def evaluate(id_: str, config: tuple[Path, ...], results: Path, asked: str) -> None:
    """Score networks of one training set on every image of a suite."""
    evaluate_networks(id_, config, results, asked=json.loads(asked))


@main.command()
@_artefact
def transfer(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Compute contrast transfer and the information-transfer measures of all conditions."""
    with asked("transfer", id_, config, results) as job:
        from hrtem_ood.transfer.stage import transfer as run

        run(job.campaign.transfer, job.output)


@main.command()
@_artefact
def predictors(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Compute the predictors of every training set and test dataset."""
    with asked("predictors", id_, config, results) as job:
        from hrtem_ood.predictors.stage import predictors as run

        run(job.campaign, results)


@main.group()
def analyze() -> None:
    """Gather scores and tell what they mean."""


@analyze.command()
@_artefact
def metrics(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Gather all evaluations of a campaign into one store."""
    with asked("metrics", id_, config, results) as job:
        from hrtem_ood.analysis.stage import metrics as run

        run(job.campaign, results)


@analyze.command()
@_artefact
def report(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Draw figures, write tables and the report."""
    with asked("reports", id_, config, results) as job:
        from hrtem_ood.analysis.stage import report as run

        run(job.campaign, results)


@analyze.command()
@_artefact
def index(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Write the table of every artefact id and its parameters."""
    with asked("indexes", id_, config, results) as job:
        from hrtem_ood.analysis.stage import index as run

        run(job.campaign, results)

"""Verbs that the workflow calls: one per stage. Each makes one artifact of a campaign, given its id."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import config_option, results_option
from hrtem_ood.execution.job import load_job
from hrtem_ood.execution.network_jobs import evaluate_networks, train_networks
from hrtem_ood.execution.preemption import requeued_when_preempted

Verb = TypeVar("Verb", bound=Callable[..., None])


def _artifact(function: Verb) -> Verb:
    """Give a verb the id of its artifact, the configuration that asks for it, and the results folder."""
    id_argument = click.argument("id_", metavar="ID")
    return id_argument(config_option(results_option(function)))


_resources = click.option(
    "--asked", default="{}", metavar="JSON", help="Resources of a network's task, where each is one."
)


@main.command()
@_artifact
def build(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Draw a shard of random scenes."""
    with load_job("structures", id_, config, results) as job:
        from hrtem_ood.stages.build import build as run

        run(job.campaign.structures[id_], job.output)


@main.command()
@_artifact
def simulate(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Simulate the exit waves of a shard by frozen-phonon multislice."""
    with load_job("exit_waves", id_, config, results) as job:
        from hrtem_ood.stages.simulate import simulate as run

        (structures,) = job.inputs
        run(job.campaign.exit_waves[id_], structures, job.output, device=job.execution.device)


@main.command()
@_artifact
def image(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Image exit waves under one condition."""
    with load_job("datasets", id_, config, results) as job:
        from hrtem_ood.stages.image import image as run

        run(job.campaign.datasets[id_], job.inputs, job.output, device=job.execution.device)


@main.command()
@_artifact
@_resources
def train(id_: str, config: tuple[Path, ...], results: Path, asked: str) -> None:
    """Train the networks of a pack that are not there yet."""
    with requeued_when_preempted():
        train_networks(id_, config, results, asked=json.loads(asked))


@main.command()
@_artifact
def suite(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Write the index of a suite of test datasets."""
    with load_job("suites", id_, config, results) as job:
        from hrtem_ood.stages.suite import index_suite as run

        run(job.campaign.suites[id_], job.inputs, job.output)


@main.command()
@_artifact
@_resources
def evaluate(id_: str, config: tuple[Path, ...], results: Path, asked: str) -> None:
    """Score networks of one training set on every image of a suite."""
    evaluate_networks(id_, config, results, asked=json.loads(asked))


@main.command()
@_artifact
def transfer(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Compute contrast transfer and the information-transfer measures of all conditions."""
    with load_job("transfer", id_, config, results) as job:
        from hrtem_ood.stages.transfer import transfer as run

        run(job.campaign.transfer, job.output)


@main.command()
@_artifact
def predictors(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Compute the predictors of every training set and test dataset."""
    with load_job("predictors", id_, config, results) as job:
        from hrtem_ood.stages.predictors import predictors as run

        run(job.campaign, results)


@main.group()
def analyze() -> None:
    """Gather scores and tell what they mean."""


@analyze.command()
@_artifact
def metrics(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Gather all evaluations of a campaign into one store."""
    with load_job("metrics", id_, config, results) as job:
        from hrtem_ood.stages.metrics import metrics as run

        run(job.campaign, results)


@analyze.command()
@_artifact
def report(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Draw figures, write tables and the report."""
    with load_job("reports", id_, config, results) as job:
        from hrtem_ood.stages.report import report as run

        run(job.campaign, results)


@analyze.command()
@_artifact
def index(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Write the table of every artifact id and its parameters."""
    with load_job("indexes", id_, config, results) as job:
        from hrtem_ood.stages.index import index as run

        run(job.campaign, results)

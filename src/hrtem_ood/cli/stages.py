"""Verbs that the workflow calls: one per stage. Each makes one artefact of a campaign, given its id."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from hrtem_ood.campaign.campaign import artefact
from hrtem_ood.cli.asked import asked
from hrtem_ood.cli.group import main
from hrtem_ood.cli.options import config_option, results_option
from hrtem_ood.cluster.preemption import requeued_when_preempted

Verb = TypeVar("Verb", bound=Callable[..., None])


def _artefact(function: Verb) -> Verb:
    """Give a verb the id of its artefact, the configuration that asks for it, and the results folder."""
    id_argument = click.argument("id_", metavar="ID")
    return id_argument(config_option(results_option(function)))


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
@click.option("--asked", default="{}", metavar="JSON", help="Resources of a network's task, where each is one.")
def train(id_: str, config: tuple[Path, ...], results: Path, asked: str) -> None:
    """Train the networks of a pack that are not there yet."""
    with requeued_when_preempted():
        train_pack(id_, config, results, resources=json.loads(asked))


def train_pack(
    id_: str,
    configs: Sequence[Path],
    results: Path,
    *,
    resources: Mapping[str, Any] | None = None,
    only: str | None = None,
) -> None:
    """Train a pack, as its campaign's execution says; or one network of it, and write no pack."""
    with asked("packs", id_, configs, results) as job:
        from hrtem_ood.training.stage import train as run

        spec = job.campaign.packs[id_]
        if only is None and job.execution.launcher == "submitit":
            from hrtem_ood.cluster.fanout import fan_out

            fan_out(id_, [each.id for each in spec.networks], job.campaign.name, configs, results, resources or {})
        run(
            spec,
            job.inputs,
            results / "networks",
            job.output,
            device=job.execution.device,
            save_every_s=job.execution.save_every_s,
            compile=job.execution.compile,
            only=only,
        )


@main.command()
@_artefact
def suite(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Write the index of a suite of test datasets."""
    with asked("suites", id_, config, results) as job:
        from hrtem_ood.evaluation.stage import index_suite as run

        run(job.campaign.suites[id_], job.inputs, job.output)


@main.command()
@_artefact
def evaluate(id_: str, config: tuple[Path, ...], results: Path) -> None:
    """Score networks of one training set on every image of a suite."""
    with asked("evaluations", id_, config, results) as job:
        from hrtem_ood.evaluation.stage import evaluate as run
        from hrtem_ood.evaluation.weights import drop_scored

        spec, *packs, suite_ = job.campaign.evaluations[id_].spec, *job.inputs
        run(spec, packs, suite_, results, job.output, device=job.execution.device)
        if not job.execution.keep_weights:
            tested = [each.spec for each in job.campaign.evaluations.values() if each.spec.networks == spec.networks]
            evaluations = [results / artefact("evaluations", each.id) for each in tested]
            drop_scored(spec.networks, evaluations, results, job.campaign.name)


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

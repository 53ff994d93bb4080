"""Training and evaluation jobs, and their tasks of one network each (``network_jobs: individual``)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import EvaluationSpec
from hrtem_ood.execution.job import load_job as job_of


def train_networks(
    id_: str, configs: Sequence[Path], results: Path, *, asked: Mapping[str, Any] | None = None, only: str | None = None
) -> None:
    """Train a pack, as its campaign's execution says; or one network of it, and write no pack.

    Parameters
    ----------
    id_ : str
        Of the pack.
    configs : sequence of Path
    results : Path
    asked : mapping, optional
        Resources of a network's task, where each is one.
    only : str, optional
        Id of that network: this is its task.
    """
    with job_of("packs", id_, configs, results, record=only is None) as job:
        from hrtem_ood.stages.train import train

        spec = job.campaign.packs[id_]
        if only is None and job.execution.network_jobs == "individual":
            from hrtem_ood.execution.network_tasks import NetworkTask, run_network_tasks

            def left() -> list[str]:
                ids = [network.id for network in spec.networks]
                return [each for each in ids if not Results(results).exists("networks", each)]

            work = NetworkTask(train_networks, "packs", id_, job.campaign.name, tuple(configs), results)
            run_network_tasks(work, left, asked or {})
        train(
            spec,
            job.inputs,
            results / "networks",
            job.output,
            device=job.execution.device,
            checkpoint_interval_s=job.execution.checkpoint_interval_s,
            compile=job.execution.compile,
            only=only,
        )


def evaluate_networks(
    id_: str, configs: Sequence[Path], results: Path, *, asked: Mapping[str, Any] | None = None, only: str | None = None
) -> None:
    """Score networks on a suite, as their campaign's execution says; or one of them, as an evaluation of its own.

    Evaluations copy what others hold, so those of single networks need but be there to be gathered.

    Parameters
    ----------
    id_ : str
        Of the evaluation.
    configs, results, asked, only
        As of :func:`train_networks`.
    """
    with job_of("evaluations", id_, configs, results, record=only is None) as job:
        from hrtem_ood.learning.evaluation.drop_weights import drop_scored_weights
        from hrtem_ood.stages.evaluate import evaluate, networks_to_score

        spec, *packs, suite = job.campaign.evaluations[id_].spec, *job.inputs

        def path_of(*networks: str) -> Path:
            return Results(results).path("evaluations", EvaluationSpec(networks=networks, suite=spec.suite).id)

        if only is not None:
            alone = EvaluationSpec(networks=(only,), suite=spec.suite)
            evaluate(alone, packs, suite, results, path_of(only), device=job.execution.device)
            return
        parts: list[Path] = []
        if job.execution.network_jobs == "individual":
            from hrtem_ood.execution.network_tasks import NetworkTask, run_network_tasks

            def left() -> list[str]:
                return networks_to_score(spec, packs, suite, results)

            parts = [path for path in map(path_of, left()) if path != job.output and not path.exists()]
            work = NetworkTask(evaluate_networks, "evaluations", id_, job.campaign.name, tuple(configs), results)
            run_network_tasks(work, left, asked or {})
        if (
            job.execution.network_jobs == "grouped" or not job.output.exists()
        ):  # of a single network, its task has made it
            evaluate(spec, packs, suite, results, job.output, device=job.execution.device)
        for path in parts:
            path.unlink(missing_ok=True)
        if not job.execution.keep_weights:
            tested = [each.spec for each in job.campaign.evaluations.values() if each.spec.networks == spec.networks]
            evaluations = [Results(results).path("evaluations", each.id) for each in tested]
            drop_scored_weights(spec.networks, evaluations, results, job.campaign.name)

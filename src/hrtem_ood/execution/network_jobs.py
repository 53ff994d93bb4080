"""Training and evaluation jobs, and their tasks of one network each (``network_jobs: individual``)."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import EvaluationSpec
from hrtem_ood.execution.gpu_slots import gpu_slot, task_limit
from hrtem_ood.execution.job import Job, load_job
from hrtem_ood.execution.preemption import requeued_when_preempted
from hrtem_ood.execution.task_outcomes import Outcome, error_message, write_outcome


def train_networks(
    id_: str,
    configs: Sequence[Path],
    results: Path,
    *,
    resources: Mapping[str, Any] | None = None,
    only: str | None = None,
) -> None:
    """Train the networks of a pack, in this process or as tasks; or one of them, without writing the pack.

    Parameters
    ----------
    id_ : str
        Of the pack.
    configs : sequence of Path
    results : Path
    resources : mapping, optional
        Resources of a network's task.
    only : str, optional
        Id of the network that this process trains as a task.
    """
    with load_job("packs", id_, configs, results, record=only is None) as job:
        from hrtem_ood.stages.train import train

        spec = job.campaign.packs[id_]
        if only is None and job.execution.network_jobs == "individual":
            from hrtem_ood.execution.network_tasks import NetworkTask, run_network_tasks

            def untrained() -> list[str]:
                ids = [network.id for network in spec.networks]
                return [each for each in ids if not Results(results).exists("networks", each)]

            limit = task_limit("train", job.execution, resources or {})
            task = NetworkTask("packs", id_, job.campaign.name, tuple(configs), results, limit)
            run_network_tasks(task, untrained, resources or {})
        with gpu_slot("train", job.execution):  # not before: its tasks need the slots
            train(
                spec,
                job.inputs,
                results / "networks",
                job.output,
                device=job.execution.device,
                checkpoint_interval_s=job.execution.checkpoint_interval_s,
                compile=job.execution.compile,
                resume_on_other_gpu=job.execution.resume_on_other_gpu,
                only=only,
            )


def evaluate_networks(
    id_: str,
    configs: Sequence[Path],
    results: Path,
    *,
    resources: Mapping[str, Any] | None = None,
    only: str | None = None,
) -> None:
    """Score networks on a test suite, in this process or as tasks; or one of them, as a separate evaluation.

    An evaluation copies scores that other evaluations hold. So each task writes one for its network; the job gathers
    them and deletes them.

    Parameters
    ----------
    id_ : str
        Of the evaluation.
    configs, results, resources, only
        As of :func:`train_networks`.
    """
    with load_job("evaluations", id_, configs, results, record=only is None) as job:
        from hrtem_ood.stages.evaluate import evaluate, networks_to_score

        spec, *packs, suite = job.campaign.evaluations[id_].spec, *job.inputs
        # the configuration, never a network's file, chooses the code that is run
        architectures = {each: job.campaign.networks[each].hyperparameters.architecture for each in spec.networks}

        def alone(network: str) -> EvaluationSpec:
            return EvaluationSpec(networks=(network,), suite=spec.suite, numeric_precision=spec.numeric_precision)

        def path_of(network: str) -> Path:
            return Results(results).path("evaluations", alone(network).id)

        if only is not None:
            output, device = path_of(only), job.execution.device
            with gpu_slot("evaluate", job.execution):
                evaluate(alone(only), packs, suite, results, output, device=device, architectures=architectures)
            return
        parts: list[Path] = []
        if job.execution.network_jobs == "individual":
            from hrtem_ood.execution.network_tasks import NetworkTask, run_network_tasks

            def unscored() -> list[str]:
                return networks_to_score(spec, packs, suite, results)

            parts = [path for path in map(path_of, unscored()) if path != job.output and not path.exists()]
            limit = task_limit("evaluate", job.execution, resources or {})
            task = NetworkTask("evaluations", id_, job.campaign.name, tuple(configs), results, limit)
            run_network_tasks(task, unscored, resources or {})
        # the task of an evaluation's only network has written it already
        if job.execution.network_jobs == "grouped" or not job.output.exists():
            device = job.execution.device
            with gpu_slot("evaluate", job.execution):
                evaluate(
                    spec,
                    packs,
                    suite,
                    results,
                    job.output,
                    device=device,
                    architectures=architectures,
                    parts=[path for path in parts if path.exists()],
                )
        for path in parts:
            path.unlink(missing_ok=True)
        if not job.execution.keep_weights:
            _drop_weights(job, spec, results)


def run_network(stage: str, id_: str, network: str, configs: Sequence[Path], results: Path, token: str) -> None:
    """Train or score one network as a task, and write its outcome.

    Parameters
    ----------
    stage : str
        ``packs`` or ``evaluations``.
    id_ : str
        Of the pack or evaluation.
    network : str
        Id of the network.
    configs : sequence of Path
    results : Path
        The results folder.
    token : str
        Of the submission, see :class:`hrtem_ood.execution.task_outcomes.Outcome`.
    """
    run = train_networks if stage == "packs" else evaluate_networks
    for number in (signal.SIGUSR1, signal.SIGUSR2):  # a warning, which training handles, and scoring ignores
        signal.signal(number, signal.SIG_IGN)
    with requeued_when_preempted():
        try:
            run(id_, configs, results, only=network)
        except Exception as error:
            write_outcome(results, id_, Outcome(network, token, error_message(error)))
            raise
        write_outcome(results, id_, Outcome(network, token, None))


def _drop_weights(job: Job, spec: EvaluationSpec, results: Path) -> None:
    """Drop the weights of networks that all evaluations of the campaign have scored."""
    from hrtem_ood.learning.evaluation.drop_weights import drop_scored_weights

    tests = [each.spec for each in job.campaign.evaluations.values() if each.spec.networks == spec.networks]
    evaluations = [Results(results).path("evaluations", each.id) for each in tests]
    drop_scored_weights(spec.networks, evaluations, results, job.campaign.name)

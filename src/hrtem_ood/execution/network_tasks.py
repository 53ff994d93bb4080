"""The networks of a pack as tasks of their own, each a SLURM job or a process of this machine, by submitit."""

import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import submitit

from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.preemption import requeued_when_preempted
from hrtem_ood.execution.slurm_client import SlurmError, queued_accounts, queued_ids, slurm_available, submit_limits
from hrtem_ood.execution.slurm_queue import prefix
from hrtem_ood.progress import log

ROUNDS = 4
"""How often in all a task is started that ended without a result, by a time limit or by being killed."""

POLL_S = 2.0


@dataclass(frozen=True)
class NetworkTask:
    """The work of a job on one network; submitit calls it with a network's id, once per task.

    Attributes
    ----------
    run : callable
        Trains or scores one network: takes ``id``, ``configs`` and ``results``, and the network as ``only``.
    stage : {"packs", "evaluations"}
        Stage of the job.
    id : str
        Id of the artifact that the job creates.
    campaign : str
        Name of the campaign, with which the names of SLURM jobs start.
    configs : tuple of Path
    results : Path
    """

    run: Callable[..., None]
    stage: Literal["packs", "evaluations"]
    id: str
    campaign: str
    configs: tuple[Path, ...]
    results: Path

    def __call__(self, network: str) -> None:
        """Train or score one network."""
        for number in (signal.SIGUSR1, signal.SIGUSR2):  # a warning, which training handles; submitit would interrupt
            signal.signal(number, signal.SIG_IGN)
        with requeued_when_preempted():
            self.run(self.id, self.configs, self.results, only=network)


def run_network_tasks(work: NetworkTask, left: Callable[[], Collection[str]], resources: Mapping[str, Any]) -> None:
    """Run each network of a job as a task of its own, and wait for all of them.

    Parameters
    ----------
    work : NetworkTask
    left : callable
        Returns the ids of networks without a result.
    resources : mapping
        Resources of a task, as Snakemake's profile has them for the job's rule.

    Raises
    ------
    HrtemOodError
        Where networks failed, after the others have ended.
    """
    executor, slurm = _executor(work, resources)
    failed: dict[str, str] = {}
    wanted = len(left())
    for _ in range(ROUNDS):
        ahead = [id_ for id_ in left() if id_ not in failed]
        if not ahead:
            break
        log(f"{len(ahead)} networks of {work.id} go to {'SLURM' if slurm else 'processes of this machine'}, one each")
        failed |= _run(executor, work, ahead, resources.get("slurm_account"), slurm=slurm)
    else:
        lost = [id_ for id_ in left() if id_ not in failed]
        failed |= dict.fromkeys(lost, f"its task ended {ROUNDS} times without a result; see {executor.folder}")
    if failed:
        messages = "\n  ".join(f"{id_}: {message}" for id_, message in failed.items())
        raise HrtemOodError(
            f"{len(failed)} of {wanted} networks of {work.id} failed; the others are kept.\n  {messages}"
        )


def _executor(work: NetworkTask, resources: Mapping[str, Any]) -> tuple["submitit.Executor", bool]:
    folder = work.results / "logs/tasks" / work.id
    if not slurm_available():
        local = submitit.LocalExecutor(folder)
        local.update_parameters(timeout_min=int(resources.get("runtime", 60 * 24 * 7)))
        return local, False
    executor = submitit.SlurmExecutor(folder)
    optional = {"partition": "slurm_partition", "account": "slurm_account", "gres": "gres", "qos": "qos"}
    executor.update_parameters(
        job_name=f"{prefix(work.campaign)}_tasks",
        comment=f"rule_{STAGES[work.stage].rule}_wildcards_{work.id}",  # by which a later head recognises it
        time=int(resources.get("runtime", 60)),
        mem=f"{int(resources.get('mem_mb', 4000))}MB",
        cpus_per_task=int(resources.get("threads", 1)),
        array_parallelism=100_000,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True},
        **{key: resources[name] for key, name in optional.items() if resources.get(name)},
    )
    return executor, True


def _run(
    executor: "submitit.Executor", work: NetworkTask, networks: Sequence[str], account: str | None, *, slurm: bool
) -> dict[str, str]:
    """Run a task per network, as many at once as limits allow; return error messages, by network."""
    ahead, running = list(networks), dict[str, Any]()
    failed: dict[str, str] = {}
    while ahead or running:
        chunk = ahead[: _room(account, len(running)) if slurm else _idle(len(running))]
        if chunk:
            try:
                submitted = executor.map_array(work, chunk)
            except submitit.core.utils.FailedJobError as error:
                log(f"SLURM accepts no more tasks for now: {str(error).strip().splitlines()[-1]}")
            else:
                running |= dict(zip(chunk, submitted, strict=True))
                ahead = ahead[len(chunk) :]
        time.sleep(POLL_S if slurm else 0.2)
        for network in _over(running, slurm=slurm):
            job = running.pop(network)
            wrong = job.exception() if job.paths.result_pickle.exists() else None
            if wrong is not None:
                failed[network] = _last_line(str(wrong))
    return failed


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip() and not line.startswith(("---", "Job "))]
    return lines[-1].rpartition("HrtemOodError: ")[2].strip() if lines else "it ended without an error message"


def _over(running: Mapping[str, Any], *, slurm: bool) -> list[str]:
    """Return the networks whose tasks have ended, with or without a result."""
    if not slurm:
        return [network for network, job in running.items() if job.done()]
    try:
        queued = queued_ids()
    except SlurmError as error:  # temporary: it will answer again
        log(str(error))
        return []
    return [network for network, job in running.items() if job.paths.result_pickle.exists() or job.job_id not in queued]


def _idle(running: int) -> int:
    """Return how many processors of this machine are free."""
    return max(0, len(os.sched_getaffinity(0)) - running)


def _room(account: str | None, running: int) -> int:
    """Return how many more tasks SLURM would accept now, as one array."""
    try:
        limits = submit_limits(account)
        accounts = queued_accounts()
    except SlurmError as error:
        log(str(error))
        return 0
    if limits.jobs is None:
        return limits.array
    queued = accounts.count(limits.account or "")
    return max(0, min(limits.array, limits.jobs - max(queued, running)))

"""The networks of a pack as tasks of their own, each a job of SLURM's or a process here, through submitit."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit

from hrtem_ood.cluster.preemption import requeued_when_preempted
from hrtem_ood.cluster.queue import prefix
from hrtem_ood.cluster.slurm import SlurmError, ask, is_there, submit_limits
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.progress import log

ROUNDS = 4
"""Times that a task which ended without a result (its time was up, it was killed) is started, in all."""

ASK_S = 2.0


@dataclass(frozen=True)
class Task:
    """Trains one network of a pack; what submitit calls.

    Attributes
    ----------
    pack, network : str
        Ids.
    configs : tuple of Path
    results : Path
    """

    pack: str
    network: str
    configs: tuple[Path, ...]
    results: Path

    def __call__(self) -> None:
        """Train it, and write no pack."""
        from hrtem_ood.cli.stages import train_pack

        with requeued_when_preempted():
            train_pack(self.pack, self.configs, self.results, only=self.network)


def fan_out(
    pack: str, networks: Sequence[str], campaign: str, configs: Sequence[Path], results: Path, asked: Mapping[str, Any]
) -> None:
    """Train networks of a pack, each as a task of its own, and wait for all of them.

    Parameters
    ----------
    pack : str
    networks : sequence of str
        Ids of those that are to be there in the end.
    campaign : str
        Its name, which those of SLURM's jobs begin with.
    configs : sequence of Path
    results : Path
    asked : mapping
        Resources of a task, as Snakemake's profile has them for rule `train`.

    Raises
    ------
    HrtemOodError
        Where networks failed, after the others were trained.
    """
    executor, slurm = _executor(pack, campaign, results, asked)
    failed: dict[str, str] = {}
    for _ in range(ROUNDS):
        ahead = [id_ for id_ in networks if not (results / f"networks/{id_}.ckpt").exists() and id_ not in failed]
        if not ahead:
            break
        log(f"{len(ahead)} networks of {pack} go to {'SLURM' if slurm else 'processes of this machine'}, one each")
        tasks = [Task(pack, id_, tuple(configs), results) for id_ in ahead]
        failed |= _run(executor, tasks, asked.get("slurm_account"), slurm=slurm)
    else:
        left = [id_ for id_ in networks if not (results / f"networks/{id_}.ckpt").exists() and id_ not in failed]
        failed |= dict.fromkeys(left, f"its task ended {ROUNDS} times without a result; see {executor.folder}")
    if failed:
        told = "\n  ".join(f"{id_}: {message}" for id_, message in failed.items())
        raise HrtemOodError(
            f"{len(failed)} of {len(networks)} networks of {pack} failed; the others are kept.\n  {told}"
        )


def _executor(pack: str, campaign: str, results: Path, asked: Mapping[str, Any]) -> tuple["submitit.Executor", bool]:
    folder = results / "logs/tasks" / pack
    if not is_there():
        local = submitit.LocalExecutor(folder)
        local.update_parameters(timeout_min=int(asked.get("runtime", 60 * 24 * 7)))
        return local, False
    executor = submitit.SlurmExecutor(folder)
    optional = {"partition": "slurm_partition", "account": "slurm_account", "gres": "gres", "qos": "qos"}
    executor.update_parameters(
        job_name=f"{prefix(campaign)}_tasks",
        comment=f"rule_train_wildcards_{pack}",  # by which a later head finds it
        time=int(asked.get("runtime", 60)),
        mem=f"{int(asked.get('mem_mb', 4000))}MB",
        cpus_per_task=int(asked.get("threads", 1)),
        array_parallelism=100_000,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True},
        **{key: asked[name] for key, name in optional.items() if asked.get(name)},
    )
    return executor, True


def _run(executor: "submitit.Executor", tasks: Sequence[Task], account: str | None, *, slurm: bool) -> dict[str, str]:
    """Run tasks, as many at once as there is room for; return what went wrong, by network."""
    ahead, running = list(tasks), dict[Task, Any]()
    failed: dict[str, str] = {}
    while ahead or running:
        chunk = ahead[: _room(account, len(running)) if slurm else _idle(len(running))]
        if chunk:
            try:
                jobs = executor.map_array(Task.__call__, chunk)
            except submitit.core.utils.FailedJobError as error:
                log(f"SLURM takes no more tasks for now: {str(error).strip().splitlines()[-1]}")
            else:
                running |= dict(zip(chunk, jobs, strict=True))
                ahead = ahead[len(chunk) :]
        time.sleep(ASK_S if slurm else 0.2)
        for task in _over(running, slurm=slurm):
            job = running.pop(task)
            wrong = job.exception() if job.paths.result_pickle.exists() else None
            if wrong is not None:
                failed[task.network] = _last_line(str(wrong))
    return failed


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip() and not line.startswith(("---", "Job "))]
    return lines[-1].rpartition("HrtemOodError: ")[2].strip() if lines else "for no reason that it told"


def _over(running: Mapping[Task, Any], *, slurm: bool) -> list[Task]:
    """Return tasks that have ended, in whatever way."""
    if not slurm:
        return [task for task, job in running.items() if job.done()]
    try:
        there = set(ask("squeue", "--me", "--array", "--noheader", "--format=%i\n%F_%K\n%A").split())
    except SlurmError as error:  # it will answer again
        log(str(error))
        return []
    return [task for task, job in running.items() if job.paths.result_pickle.exists() or job.job_id not in there]


def _idle(running: int) -> int:
    """Return how many processors are free here."""
    return max(0, len(os.sched_getaffinity(0)) - running)


def _room(account: str | None, running: int) -> int:
    """Return how many more tasks SLURM would take now, as one array."""
    try:
        limits = submit_limits(account)
        queued = len(ask("squeue", "--me", "--array", "--noheader", "--format=%i").split())
    except SlurmError as error:
        log(str(error))
        return 0
    room = limits.array - 1
    return room if limits.jobs is None else max(0, min(room, limits.jobs - max(queued, running)))

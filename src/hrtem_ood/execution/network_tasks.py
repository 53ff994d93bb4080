"""Tasks that train or score one network each: tasks of SLURM arrays or processes of this machine, by submitit."""

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.command_executor import (
    TASK_INDEX,
    RefusedError,
    python_command,
    start_commands,
    submit_command,
)
from hrtem_ood.execution.patience import NeverStarting, Patience
from hrtem_ood.execution.slurm_client import (
    SlurmError,
    cancel_jobs,
    queued_accounts,
    queued_tasks,
    slurm_available,
    submit_limits,
)
from hrtem_ood.execution.slurm_queue import TASKS, prefix
from hrtem_ood.execution.slurm_refusals import Refusal, classify_message, explain
from hrtem_ood.execution.task_outcomes import read_outcome, task_folder
from hrtem_ood.progress import log

ROUNDS = 4
"""Largest number of starts of a task that ends without a result, at a time limit or killed."""

MAX_ARRAY = 1000
"""Largest number of tasks of an array: one command line names all their networks."""

POLL_S = 2.0


@dataclass(frozen=True)
class NetworkTask:
    """The work of a job on its networks, one task each.

    Attributes
    ----------
    stage : {"packs", "evaluations"}
        Stage of the job.
    id : str
        Id of the artifact that the job creates.
    campaign : str
        Name of the campaign.
    configs : tuple of Path
    results : Path
    local_limit : int
        Most tasks at once without SLURM, see :func:`hrtem_ood.execution.gpu_slots.task_limit`.
    """

    stage: Literal["packs", "evaluations"]
    id: str
    campaign: str
    configs: tuple[Path, ...]
    results: Path
    local_limit: int

    @property
    def folder(self) -> Path:
        """Folder of the tasks' logs and outcomes."""
        return task_folder(self.results, self.id)

    @property
    def rule(self) -> str:
        """Rule of the job."""
        return STAGES[self.stage].rule

    def command(self, networks: Sequence[str], token: str, index: str) -> str:
        """Return the command line of a task; see :func:`hrtem_ood.cli.job.network_task`."""
        configs = [word for path in self.configs for word in ("--config", str(path))]
        words = [*configs, "--results", str(self.results), "--token", token, "--index", index]
        return python_command("job", "network-task", *words, self.stage, self.id, *networks)


class _Launcher(Protocol):
    """Starts tasks, and lists those that have ended."""

    name: str

    def free_slots(self, running: int) -> int: ...

    def start(self, networks: Sequence[str], token: str) -> None: ...

    def ended(self) -> list[str]: ...

    def never_starting(self) -> Refusal | None: ...


class _Slurm:
    """Tasks of SLURM arrays."""

    name = "SLURM tasks"

    def __init__(self, work: NetworkTask, resources: Mapping[str, Any]) -> None:
        self._work, self._account = work, resources.get("slurm_account")
        optional = {"partition": "slurm_partition", "account": "slurm_account"}
        optional |= {key: key for key in ("gres", "qos", "constraint")}
        self._parameters = {
            "job_name": f"{prefix(work.campaign, Path.cwd())}_{TASKS}",
            "comment": f"rule_{work.rule}_wildcards_{work.id}",  # a later head recognises the job by this
            "time": int(resources.get("runtime", 60)),
            "mem": f"{int(resources.get('mem_mb', 4000))}MB",
            "cpus_per_task": int(resources.get("threads", 1)),
            "array_parallelism": 100_000,
            "stderr_to_stdout": True,
            "additional_parameters": {"requeue": True},
            **{key: resources[name] for key, name in optional.items() if resources.get(name)},
        }
        self._jobs: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._never = NeverStarting()

    def free_slots(self, running: int) -> int:
        """Return how many more tasks SLURM would accept now, as one array."""
        try:
            limits = submit_limits(self._account)
            accounts = queued_accounts()
        except SlurmError as error:
            log(str(error))
            return 0
        most = min(limits.array, MAX_ARRAY)
        if limits.jobs is None:
            return most
        queued = accounts.count(limits.account or "")
        return max(0, min(most, limits.jobs - max(queued, running)))

    def start(self, networks: Sequence[str], token: str) -> None:
        """Submit an array."""
        command = self._work.command(networks, token, TASK_INDEX)
        numbers = submit_command(self._work.folder, command, self._parameters, tasks=len(networks))
        self._jobs |= dict(zip(networks, numbers, strict=True))

    def ended(self) -> list[str]:
        """Return the networks whose tasks have left the queue."""
        try:
            queued = queued_tasks()
        except SlurmError as error:  # temporary
            log(str(error))
            return []
        self._reasons = {job: queued[job] for job in self._jobs.values() if queued.get(job)}
        return [network for network, job in self._jobs.items() if job not in queued]

    def never_starting(self) -> Refusal | None:
        """Return why tasks never start, if so, after cancelling them."""
        never = self._never.update(self._reasons)
        if not never:
            return None
        cancel_jobs(*never)
        return next(iter(never.values()))


class _Local:
    """Processes of this machine."""

    name = "processes of this machine"

    def __init__(self, work: NetworkTask, resources: Mapping[str, Any]) -> None:
        self._work, self._jobs = work, dict[str, Any]()
        self._parameters = {"timeout_min": int(resources.get("runtime", 60 * 24 * 7))}

    def free_slots(self, running: int) -> int:
        """Return how many more processes have a processor, and a GPU where they need one."""
        return max(0, self._work.local_limit - running)

    def start(self, networks: Sequence[str], token: str) -> None:
        """Start a process for each network."""
        commands = [self._work.command([network], token, "0") for network in networks]
        self._jobs |= dict(zip(networks, start_commands(self._work.folder, commands, self._parameters), strict=True))

    def ended(self) -> list[str]:
        """Return the networks whose processes have ended."""
        return [network for network, job in self._jobs.items() if job.done()]

    def never_starting(self) -> Refusal | None:
        """Return None: processes start at once."""
        return None


def run_network_tasks(
    work: NetworkTask, unfinished: Callable[[], Collection[str]], resources: Mapping[str, Any]
) -> None:
    """Run each network of a job as a separate task, and wait for all of them.

    Parameters
    ----------
    work : NetworkTask
    unfinished : callable
        Returns the ids of networks without a result.
    resources : mapping
        Resources of a task, as Snakemake's profile has them for the job's rule.

    Raises
    ------
    HrtemOodError
        Where networks failed, after the others have ended; or where SLURM accepts no task, or never starts one.
    """
    launcher: _Launcher = _Slurm(work, resources) if slurm_available() else _Local(work, resources)
    failed: dict[str, str] = {}
    wanted = len(unfinished())
    for _ in range(ROUNDS):
        waiting = [id_ for id_ in unfinished() if id_ not in failed]
        if not waiting:
            break
        log(f"{len(waiting)} networks of {work.id} run as {launcher.name}, one each")
        errors, refusal = _run(launcher, work, waiting)
        failed |= errors
        if refusal is not None:
            missing = len(unfinished())
            raise HrtemOodError(
                f"{missing} of {wanted} networks of {work.id} have no result: no task can run. "
                f"{explain(refusal, None, work.rule, resources)}"
            )
    else:
        lost = [id_ for id_ in unfinished() if id_ not in failed]
        failed |= dict.fromkeys(lost, f"its task ended {ROUNDS} times without a result; see {work.folder}")
    if failed:
        messages = "\n  ".join(f"{id_}: {message}" for id_, message in failed.items())
        raise HrtemOodError(
            f"{len(failed)} of {wanted} networks of {work.id} failed; the others are kept.\n  {messages}"
        )


def _run(launcher: _Launcher, work: NetworkTask, networks: Sequence[str]) -> tuple[dict[str, str], Refusal | None]:
    """Run a task per network, as many at once as limits allow; return errors by network, and a refusal that ended all."""
    token, patience, refused = uuid.uuid4().hex, Patience(), None
    waiting, running = list(networks), set[str]()
    failed: dict[str, str] = {}
    most, next_start = MAX_ARRAY, 0.0
    while waiting or running:
        chunk = (
            waiting[: min(most, launcher.free_slots(len(running)))]
            if waiting and time.monotonic() >= next_start
            else []
        )
        if chunk:
            try:
                launcher.start(chunk, token)
            except RefusedError as error:
                refusal = classify_message(str(error))
                pause_s = patience.pause_s(refusal)
                if pause_s is None:
                    refused, waiting = refusal, []
                else:
                    most, next_start = max(1, len(chunk) // 2), time.monotonic() + pause_s
                    log(f"SLURM accepts no more tasks for now, next try in {pause_s:g} s: {refusal.words}")
            else:
                patience.reset()
                most = min(MAX_ARRAY, 2 * most)
                running.update(chunk)
                waiting = waiting[len(chunk) :]
        time.sleep(POLL_S if launcher.name == _Slurm.name else 0.2)
        ended = set(launcher.ended())
        outcomes = {network: read_outcome(work.results, work.id, network, token) for network in sorted(running)}
        failed |= {network: each.error for network, each in outcomes.items() if each is not None and each.error}
        running -= {network for network, each in outcomes.items() if each is not None or network in ended}
        if (never := launcher.never_starting()) is not None:
            refused, waiting = never, []
    return failed, refused

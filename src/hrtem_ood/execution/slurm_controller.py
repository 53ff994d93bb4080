"""The head of a campaign: a SLURM job that runs Snakemake. It may end at any time; a later head continues its work."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution import slurm_queue
from hrtem_ood.execution.command_executor import RefusedError, python_command, submit_command
from hrtem_ood.execution.job_records import HEAD, record_job
from hrtem_ood.execution.patience import Patience
from hrtem_ood.execution.preemption import requeued_by_warning, requeued_when_preempted
from hrtem_ood.execution.slurm_client import SlurmError, cancel_jobs
from hrtem_ood.execution.slurm_refusals import (
    PERMANENT,
    Refusal,
    classify_message,
    classify_reason,
    explain,
    read_profile,
)
from hrtem_ood.execution.snakemake_run import Refusals, SnakemakeRun
from hrtem_ood.progress import log

RESULTS = Path("results")
LOGS = RESULTS / "logs" / HEAD

POLL_S = 10.0
WARNING_S = 90


@dataclass
class CampaignController:
    """Runs a campaign to its end, in a working directory; SLURM starts it again after a time limit or preemption.

    Its whole state is in the results and in SLURM's queue, so it may be killed at any time. It kills Snakemake when it
    ends: running jobs continue, and the next head neither submits nor cancels them.

    Attributes
    ----------
    configs : tuple of Path
        Merged as snakemake --configfile does.
    profile : Path
    arguments : tuple of str
        Further arguments for Snakemake.
    patience : Patience
        Pauses before jobs that SLURM did not accept are submitted again.
    """

    configs: tuple[Path, ...]
    profile: Path
    arguments: tuple[str, ...] = ()
    patience: Patience = field(default_factory=lambda: Patience(first_s=60.0))

    def __call__(self) -> None:
        """Run the campaign.

        Raises
        ------
        HrtemOodError
            When Snakemake ends with failed jobs, or SLURM refuses jobs permanently.
        """
        campaign = load_campaign_from_files(self.configs)
        with requeued_when_preempted(), requeued_by_warning(), record_job(HEAD, campaign.name, RESULTS, self.configs):
            self._run_to_end(campaign, Path.cwd())

    def _run_to_end(self, campaign: Campaign, here: Path) -> None:
        while True:
            # waiting jobs are those of an earlier head; this one submits them again where they are still needed
            queued = slurm_queue.submitted_jobs(campaign.name, here)
            cancel_jobs(*(job.number for job in queued if job.state == "PENDING"))
            running = slurm_queue.running_jobs(campaign, here)
            for job in running:
                log(f"SLURM job {job.number} already creates {job.stage}/{job.id}; this run omits it")
            outputs = [str(Results(RESULTS).path(job.stage, job.id)) for job in running if job.stage and job.id]
            run = SnakemakeRun(self._command(slurm_queue.prefix(campaign.name, here), outputs), campaign.name, here)
            code = run()
            if run.permanent_refusals:
                raise HrtemOodError(self._explain(run.permanent_refusals))
            if run.submissions.accepted:
                self.patience.reset()
            if running:
                _wait_for({job.number for job in running}, campaign, here)
            elif run.submissions.refusals:
                self._wait(run.submissions.refusals)
            elif code:
                raise HrtemOodError(f"Snakemake ended with exit code {code}: jobs failed; see its output above.")
            else:
                return

    def _command(self, prefix: str, of_others: list[str]) -> list[str]:
        """Return the command of Snakemake, without outputs of other jobs and what needs them."""
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(self.profile), "--nolock"]
        command += ["--slurm-jobname-prefix", prefix, *self.arguments]
        if self.configs:
            command += ["--configfile", *map(str, self.configs)]
        return command + (["--omit-from", *of_others] if of_others else [])

    def _wait(self, refusals: Refusals) -> None:
        """Wait before jobs that SLURM refused are submitted again."""
        unknown = [each for each in refusals if each[1].verdict == "unknown"]
        pause_s = self.patience.pause_s((unknown or refusals)[0][1])
        if pause_s is None:
            raise HrtemOodError(self._explain(unknown))
        log(f"SLURM did not accept all jobs; they are submitted again in {pause_s:g} s: {refusals[0][1].words}")
        time.sleep(pause_s)

    def _explain(self, refusals: Refusals) -> str:
        texts = [f"{rule or 'jobs'}: {explain(refusal, self.profile, rule)}" for rule, refusal in refusals]
        return (
            "SLURM refuses jobs of this campaign. Running jobs continue; `hrtem-ood submit` continues the campaign.\n  "
            + "\n  ".join(dict.fromkeys(texts))
        )


def _wait_for(numbers: set[str], campaign: Campaign, here: Path) -> None:
    """Wait until all of some jobs have ended."""
    while True:
        try:
            if numbers.isdisjoint(job.number for job in slurm_queue.running_jobs(campaign, here)):
                return
        except SlurmError as error:
            log(str(error))
        time.sleep(POLL_S)


def submit(
    head: CampaignController, *, minutes: int, memory_GB: int, partition: str | None, account: str | None
) -> str:
    """Submit the head of a campaign, and return the number of its SLURM job.

    Parameters
    ----------
    head : CampaignController
    minutes : int, [min]
        Time limit. Before it is reached, the head goes back into the queue.
    memory_GB : int, [GB]
    partition, account : str, optional
        By default those of the profile.

    Raises
    ------
    SlurmError
        Where SLURM is not installed, or refuses.
    HrtemOodError
        Where the campaign has a head already.
    """
    name = load_campaign_from_files(head.configs).name
    heads = slurm_queue.controller_jobs(name, Path.cwd())
    if heads:
        raise HrtemOodError(
            f"campaign {name} has a head already: SLURM job {heads[0].number}, {heads[0].state.lower()}. "
            "`hrtem-ood cancel` ends it."
        )
    content = read_profile(head.profile).get("default-resources")
    defaults = content if isinstance(content, dict) else {}
    given = {
        "partition": partition or _word(defaults.get("slurm_partition")),
        "account": account or _word(defaults.get("slurm_account")),
    }
    parameters = {
        "job_name": slurm_queue.controller_name(name, Path.cwd()),
        "time": minutes,
        "mem": f"{memory_GB}GB",
        "cpus_per_task": 1,
        "signal_delay_s": WARNING_S,
        "stderr_to_stdout": True,
        "additional_parameters": {"requeue": True},
        **{key: value for key, value in given.items() if value},
    }
    configs = [word for path in head.configs for word in ("--config", str(path))]
    words = ["job", "head", *configs, "--profile", str(head.profile), "--", *head.arguments]
    chosen = {"slurm_partition": partition, "slurm_account": account, "runtime": minutes, "mem_mb": memory_GB}
    try:
        (number,) = submit_command(LOGS, python_command(*words), parameters)
    except RefusedError as error:
        refusal = classify_message(str(error))
        raise SlurmError(f"SLURM did not accept the head. {_explain_head(refusal, head.profile, chosen)}") from None
    if (never := _never_starts(number)) is not None:
        cancel_jobs(number)
        raise SlurmError(f"The head would never start. {_explain_head(never, head.profile, chosen)}")
    return number


def _word(value: object) -> str | None:
    """Return a value of a profile without the extra quotes that Snakemake needs."""
    return None if value is None else str(value).strip("\"'")


def _never_starts(number: str) -> Refusal | None:
    """Return why a job that was just submitted never starts, if so; SLURM usually reports it at once."""
    for _ in range(3):
        time.sleep(0.5)
        waiting = [job.reason for job in slurm_queue.queued_jobs() if job.number == number and job.state == "PENDING"]
        refusal = classify_reason(waiting[0]) if waiting else None
        if refusal is not None and refusal.verdict == PERMANENT:
            return refusal
    return None


def _explain_head(refusal: Refusal, profile: Path, chosen: Mapping[str, object]) -> str:
    """Explain why SLURM refuses the head, with the options or keys of the profile that request it."""
    options = {"slurm_partition": "--partition", "slurm_account": "--account"}
    options |= {"runtime": "--minutes", "mem_mb": "--memory-GB"}
    if refusal.verdict == "temporary":
        return f"SLURM's message: {refusal.words.rstrip('.')}. It may accept the job later: submit again."
    used = [f"{options[key]} {chosen[key]}" for key in refusal.keys if chosen.get(key) is not None]
    if used:
        return f"SLURM's message: {refusal.words.rstrip('.')}. The request has {', '.join(used)}."
    return explain(refusal, profile)

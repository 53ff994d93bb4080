"""The head of a campaign: a SLURM job that runs Snakemake, which may end at any time and is continued by a later one."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import submitit
import yaml

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ConfigError, HrtemOodError
from hrtem_ood.execution import slurm_queue
from hrtem_ood.execution.job_records import HEAD, record_job
from hrtem_ood.execution.preemption import requeued_when_preempted
from hrtem_ood.execution.slurm_client import SlurmError, cancel_jobs
from hrtem_ood.progress import log

RESULTS = Path("results")
LOGS = RESULTS / "logs" / HEAD

REFUSED = "SLURM sbatch failed"
"""Message of the executor plugin for a job that SLURM did not accept."""

POLL_S = 10.0
WARNING_S = 90


@dataclass
class CampaignController:
    """Runs a campaign to its end, in a working directory; ``submitit`` calls it again after a time limit or preemption.

    Its whole state is in the results and in SLURM's queue, so it may be killed at any time. It kills Snakemake when it
    ends: the jobs go on, and the next head neither submits nor cancels them.

    Attributes
    ----------
    configs : tuple of Path
        Merged as snakemake --configfile does.
    profile : Path
    arguments : tuple of str
        Further arguments for Snakemake.
    again_s : float, [s]
        Time after which jobs that SLURM did not accept are submitted again.
    """

    configs: tuple[Path, ...]
    profile: Path
    arguments: tuple[str, ...] = ()
    again_s: float = 60.0
    _snakemake: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def __call__(self) -> None:
        """Run the campaign.

        Raises
        ------
        HrtemOodError
            When Snakemake ends with failed jobs.
        """
        campaign = load_campaign_from_files(self.configs)
        with requeued_when_preempted(), record_job(HEAD, campaign.name, RESULTS, self.configs):
            self._go_on(campaign, Path.cwd())

    def _go_on(self, campaign: Campaign, here: Path) -> None:
        while True:
            # waiting jobs are those of an earlier head; this one submits them again where they are still needed
            queued = slurm_queue.submitted_jobs(campaign.name, here)
            cancel_jobs(*(job.number for job in queued if job.state == "PENDING"))
            left = slurm_queue.running_jobs(campaign, here)
            for job in left:
                log(f"SLURM job {job.number} works on {job.stage}/{job.id}, which is left to it")
            outputs = [str(Results(RESULTS).path(job.stage, job.id)) for job in left if job.stage and job.id]
            code, refused = self._run(slurm_queue.prefix(campaign.name), outputs)
            if left:
                _wait_for({job.number for job in left}, campaign, here)
            elif refused:
                log(f"SLURM did not accept all jobs; they are submitted again in {self.again_s:g} s")
                time.sleep(self.again_s)
            elif code:
                raise HrtemOodError(f"Snakemake ended with exit code {code}: jobs failed; see its output above.")
            else:
                return

    def _run(self, prefix: str, of_others: list[str]) -> tuple[int, bool]:
        """Run Snakemake, without outputs of other jobs and what needs them; return exit code, and whether SLURM refused jobs."""
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(self.profile), "--nolock"]
        command += ["--slurm-jobname-prefix", prefix, *self.arguments]
        if self.configs:
            command += ["--configfile", *map(str, self.configs)]
        if of_others:
            command += ["--omit-from", *of_others]
        refused = False
        log(" ".join(command[2:]))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as self._snakemake:  # noqa: S603  # fixed commands
            assert self._snakemake.stdout is not None
            try:
                for line in self._snakemake.stdout:
                    sys.stderr.write(line.decode(errors="replace"))
                    sys.stderr.flush()
                    refused |= REFUSED.encode() in line
            except BaseException:
                self._snakemake.kill()
                raise
        return self._snakemake.returncode, refused

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """End Snakemake and return how to continue; submitit calls it before a time limit or a preemption."""
        if self._snakemake is not None:
            self._snakemake.kill()
        log("the head ends; its jobs go on, and SLURM will start the head again")
        again = CampaignController(self.configs, self.profile, self.arguments, self.again_s)
        return submitit.helpers.DelayedSubmission(again)


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
    there = slurm_queue.controller_jobs(name, Path.cwd())
    if there:
        raise HrtemOodError(
            f"campaign {name} has a head already: SLURM job {there[0].number}, {there[0].state.lower()}. "
            "`hrtem-ood cancel` ends it."
        )
    defaults = _defaults(head.profile)
    executor = submitit.SlurmExecutor(LOGS, max_num_timeout=1_000_000)
    given = {
        "partition": partition or defaults.get("slurm_partition"),
        "account": account or defaults.get("slurm_account"),
    }
    executor.update_parameters(
        job_name=slurm_queue.controller_name(name),
        time=minutes,
        mem=f"{memory_GB}GB",
        cpus_per_task=1,
        signal_delay_s=WARNING_S,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True},
        **{key: value for key, value in given.items() if value},
    )
    try:
        return str(executor.submit(head).job_id)
    except submitit.core.utils.FailedJobError as error:
        raise SlurmError(f"SLURM did not accept the head: {error}") from None


def _defaults(profile: Path) -> dict[str, str]:
    """Read the default resources of a profile."""
    path = profile / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{profile} is not a profile: {path} is missing. profiles/slurm is one.")
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    given = content.get("default-resources") or {}
    return {key: str(value).strip("\"'") for key, value in given.items()} if isinstance(given, dict) else {}

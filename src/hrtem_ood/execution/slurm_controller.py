"""The head of a campaign: the process that runs Snakemake, as a SLURM job that may end at any time and goes on later."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import submitit
import yaml

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, read_configs
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
"""What the executor plugin says of a job that SLURM did not take."""

ASK_S = 10.0
WARNED_S = 90


@dataclass
class CampaignController:
    """Runs a campaign to its end, in a working directory; ``submitit`` calls it again after a time limit or preemption.

    All that it knows is in the results and in SLURM's queue, so it may be killed at any time. Snakemake itself is ended
    without ceremony: its jobs go on, and the next head neither submits nor cancels them.

    Attributes
    ----------
    configs : tuple of Path
        Merged as snakemake --configfile does.
    profile : Path
    arguments : tuple of str
        More of Snakemake.
    again_s : float, [s]
        After which jobs that SLURM did not take are submitted again.
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
        campaign = load_campaign(read_configs(self.configs))
        with requeued_when_preempted(), record_job(HEAD, campaign.name, RESULTS, self.configs):
            self._go_on(campaign, Path.cwd())

    def _go_on(self, campaign: Campaign, here: Path) -> None:
        while True:
            # what waits was submitted by a head that is gone; it is submitted anew, with this one's knowledge
            queued = slurm_queue.submitted_jobs(campaign.name, here)
            cancel_jobs(*(job.number for job in queued if job.state == "PENDING"))
            left = slurm_queue.running_jobs(campaign, here)
            for job in left:
                log(f"SLURM job {job.number} is at {job.stage}/{job.id}: left to it")
            made = [str(Results(RESULTS).path(job.stage, job.id)) for job in left if job.stage and job.id]
            code, refused = self._run(slurm_queue.prefix(campaign.name), made)
            if left:
                _wait_for({job.number for job in left}, campaign, here)
            elif refused:
                log(f"SLURM took not all jobs; they are submitted again in {self.again_s:g} s")
                time.sleep(self.again_s)
            elif code:
                raise HrtemOodError(f"Snakemake ended with exit code {code}: jobs failed, as its output above tells.")
            else:
                return

    def _run(self, prefix: str, made_elsewhere: list[str]) -> tuple[int, bool]:
        """Run Snakemake, without what others make and what needs that; return its exit code, and whether SLURM refused."""
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(self.profile), "--nolock"]
        command += ["--slurm-jobname-prefix", prefix, *self.arguments]
        if self.configs:
            command += ["--configfile", *map(str, self.configs)]
        if made_elsewhere:
            command += ["--omit-from", *made_elsewhere]
        refused = False
        log(" ".join(command[2:]))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as self._snakemake:  # noqa: S603  # our words
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
        """End Snakemake and tell submitit how to go on; called when the head must make room."""
        if self._snakemake is not None:
            self._snakemake.kill()
        log("the head stops here; its jobs go on, and so does it, as soon as SLURM lets it")
        again = CampaignController(self.configs, self.profile, self.arguments, self.again_s)
        return submitit.helpers.DelayedSubmission(again)


def _wait_for(numbers: set[str], campaign: Campaign, here: Path) -> None:
    """Wait until none of some jobs runs any more."""
    while True:
        try:
            if numbers.isdisjoint(job.number for job in slurm_queue.running_jobs(campaign, here)):
                return
        except SlurmError as error:
            log(str(error))
        time.sleep(ASK_S)


def submit(
    head: CampaignController, *, minutes: int, memory_GB: int, partition: str | None, account: str | None
) -> str:
    """Submit the head of a campaign, and return the number of its SLURM job.

    Parameters
    ----------
    head : CampaignController
    minutes : int, [min]
        Time limit. When it comes near, the head goes back into the queue.
    memory_GB : int, [GB]
    partition, account : str, optional
        By default those of the profile.

    Raises
    ------
    SlurmError
        Where SLURM is not there, or refuses.
    HrtemOodError
        Where the campaign has a head already.
    """
    name = load_campaign(read_configs(head.configs)).name
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
        signal_delay_s=WARNED_S,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True},
        **{key: value for key, value in given.items() if value},
    )
    try:
        return str(executor.submit(head).job_id)
    except submitit.core.utils.FailedJobError as error:
        raise SlurmError(f"SLURM did not take the head: {error}") from None


def _defaults(profile: Path) -> dict[str, str]:
    """Read the resources that a profile gives to all jobs."""
    path = profile / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{profile} is no profile: {path} is missing. profiles/slurm is one.")
    content = yaml.safe_load(path.read_text()) or {}
    given = content.get("default-resources") or {}
    return {key: str(value).strip("\"'") for key, value in given.items()} if isinstance(given, dict) else {}

"""One run of Snakemake by the head, which ends it where SLURM refuses all its jobs."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.execution import slurm_queue
from hrtem_ood.execution.patience import NeverStarting
from hrtem_ood.execution.slurm_client import SlurmError, cancel_jobs
from hrtem_ood.execution.slurm_refusals import PERMANENT, Refusal
from hrtem_ood.execution.snakemake_output import SubmissionLog
from hrtem_ood.progress import log

POLL_S = 15.0
"""Time between two checks of SLURM's queue [s]."""

Refusals = list[tuple[str | None, Refusal]]


class SnakemakeRun:
    """Runs Snakemake, forwards its output, and records SLURM's refusals.

    If SLURM permanently refuses a job of a rule of which it has accepted no job so far, Snakemake is ended at once. If it
    has accepted some, the refused job requests more than those, because of its attempt number; Snakemake continues with
    jobs that do not depend on it. A waiting job that never starts is cancelled, and counts as refused.

    Parameters
    ----------
    command : sequence of str
    campaign : str
        Its name.
    folder : Path
        The working directory.

    Attributes
    ----------
    submissions : SubmissionLog
    permanent_refusals : list of (str or None, Refusal)
        Permanent refusals by rule, after the run.
    """

    def __init__(self, command: Sequence[str], campaign: str, folder: Path) -> None:
        self.submissions = SubmissionLog()
        self.permanent_refusals: Refusals = []
        self._command, self._campaign, self._folder = command, campaign, folder
        self._over = threading.Event()
        self._never = NeverStarting()

    def __call__(self) -> int:
        """Run; return the exit code."""
        log(" ".join(self._command[2:]))
        with subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as snakemake:  # noqa: S603  # fixed commands
            assert snakemake.stdout is not None
            watcher = threading.Thread(target=self._watch_queue, args=(snakemake,), daemon=True)
            watcher.start()
            try:
                for raw in snakemake.stdout:
                    line = raw.decode(errors="replace")
                    sys.stderr.write(line)
                    sys.stderr.flush()
                    self._process_line(line.rstrip("\n"), snakemake)
            except BaseException:
                snakemake.kill()
                raise
            finally:
                self._over.set()
        watcher.join()
        return snakemake.returncode

    def _process_line(self, line: str, snakemake: "subprocess.Popen[bytes]") -> None:
        refused = self.submissions.read(line)
        if refused is None or refused[1].verdict != PERMANENT:
            return
        self.permanent_refusals.append(refused)
        if refused[0] not in self.submissions.accepted:
            snakemake.kill()

    def _watch_queue(self, snakemake: "subprocess.Popen[bytes]") -> None:
        """Cancel jobs that never start; end Snakemake where there are no others."""
        while not self._over.wait(POLL_S):
            try:
                queued = slurm_queue.submitted_jobs(self._campaign, self._folder)
                waiting = {job.number: job.reason for job in queued if job.state == "PENDING"}
                never = self._never.update(waiting)
                cancel_jobs(*never)
            except SlurmError as error:
                log(str(error))
                continue
            for job in queued:
                if job.number in never:
                    rule = STAGES[job.stage].rule if job.stage else None
                    log(f"SLURM job {job.number} never starts, and is cancelled: {job.reason}")
                    self.permanent_refusals.append((rule, never[job.number]))
            if never and len(never) == len(queued):
                snakemake.kill()

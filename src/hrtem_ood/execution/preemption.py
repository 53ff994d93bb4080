"""Requeueing of preempted jobs, and of heads at their time limit."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hrtem_ood.execution.slurm_client import SlurmError, job_fields, requeue_job, this_job
from hrtem_ood.progress import log

_early: list[int] = []
"""Warnings that were received before :func:`requeued_by_warning` handles them."""


def keep_warnings() -> None:
    """Record SIGUSR2 for :func:`requeued_by_warning`, instead of ending the process; a head calls this first.

    SLURM may send the warning up to a minute early, while Python still imports the modules of a head.
    """
    signal.signal(signal.SIGUSR2, lambda number, _frame: _early.append(number))


class _WarnedError(SystemExit):
    """SLURM has sent SIGUSR2."""


@contextmanager
def requeued_by_warning() -> Iterator[None]:
    """Put the head back into SLURM's queue when SLURM warns it by SIGUSR2 of its time limit or of a preemption."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # SLURM repeats it
        raise _WarnedError(128 + signal.SIGUSR2)

    before = signal.signal(signal.SIGUSR2, end)
    try:
        if _early:
            _early.clear()
            raise _WarnedError(128 + signal.SIGUSR2)
        yield
    except _WarnedError:
        log("the head ends; its jobs continue, and SLURM will start the head again")
        job = this_job()
        try:
            if job is not None:
                requeue_job(job)
        except SlurmError as error:
            log(str(error))
        raise
    finally:
        signal.signal(signal.SIGUSR2, before)


@contextmanager
def requeued_when_preempted() -> Iterator[None]:
    """Put this job back into SLURM's queue if it ends early because of a preemption.

    SLURM itself requeues a job only if it still runs when its grace time ends. A job that saved its state and ended would
    count as failed, and use up one of its attempts.
    """
    try:
        yield
    except SystemExit:
        job = this_job()
        if job is not None and preempted(job):
            log(f"job {job} is preempted and requeued")
            try:
                requeue_job(job)
            except SlurmError as error:  # it counts as failed, and Snakemake submits it again
                log(str(error))
        raise


def preempted(job: str) -> bool:
    """Whether a job is in the grace time of a preemption, and may be requeued."""
    try:
        fields = job_fields(job)
    except SlurmError:
        return False
    return (
        fields.get("JobState") == "RUNNING"
        and fields.get("PreemptTime", "None") not in ("None", "Unknown")
        and fields.get("Requeue") == "1"
    )

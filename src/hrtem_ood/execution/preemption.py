"""Preempted jobs go back into the queue by themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

from hrtem_ood.execution.slurm_client import SlurmError, job_fields, requeue_job, this_job
from hrtem_ood.progress import log


@contextmanager
def requeued_when_preempted() -> Iterator[None]:
    """Put this job back into SLURM's queue if it ends early because of a preemption.

    SLURM itself requeues a job only if it still runs when its grace time ends. One that saved its state and ended would
    count as failed, and use up one of its attempts.
    """
    try:
        yield
    except SystemExit:
        job = this_job()
        if job is not None and preempted(job):
            log(f"job {job} is preempted and goes back into the queue")
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

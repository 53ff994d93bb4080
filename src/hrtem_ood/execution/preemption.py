"""A job that gives way to another goes back into the queue by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from hrtem_ood.execution.slurm_client import SlurmError, job_fields, run_slurm_command, this_job
from hrtem_ood.progress import log


@contextmanager
def requeued_when_preempted() -> Iterator[None]:
    """Give a job back to SLURM if it ends early, as it was asked to, because another needs its place.

    SLURM itself puts a job back only if it is still there when its grace time ends; one that saved its state and ended
    would count as failed, and use up one of its attempts.
    """
    try:
        yield
    except SystemExit:
        job = this_job()
        if job is not None and preempted(job):
            log(f"job {job} is preempted and goes back into the queue")
            try:
                run_slurm_command("scontrol", "requeue", job)
            except SlurmError as error:  # it counts as failed, and Snakemake submits it again
                log(str(error))
        raise


def preempted(job: str) -> bool:
    """Whether a job is in the grace time of a preemption, and may be put back into the queue."""
    try:
        told = job_fields(job)
    except SlurmError:
        return False
    return (
        told.get("JobState") == "RUNNING"
        and told.get("PreemptTime", "None") not in ("None", "Unknown")
        and told.get("Requeue") == "1"
    )

"""Keeps Snakemake's scheduler asleep while there is nothing to decide.

After every decision Snakemake plans another one for a second later, in case it held back jobs because of
``--max-jobs-per-timespan``. That one plans the next, and each job that ends begins a further chain. So after 1,000 jobs
the scheduler decides 1,000 times a second over the same waiting jobs, and looks up the inputs of all of them each time
(upstream: pull request 3744). Here a later decision is planned only after one that the limit has cut short; otherwise the
end of a job wakes the scheduler, as it does anyway.
"""

from typing import Any

SELECT, PLAN = "job_selector", "_schedule_reevalutation"  # as Snakemake spells it


def let_sleep() -> None:
    """Change Snakemake's scheduler such that it plans a decision only where the limit of jobs per timespan held jobs back.

    A version of Snakemake that lacks what is changed stays as it is: this saves time only.
    """
    try:
        from snakemake.scheduling.job_scheduler import JobRateLimiter, JobScheduler

        select, plan = getattr(JobScheduler, SELECT), getattr(JobScheduler, PLAN)
        if not hasattr(JobRateLimiter, "get_free_jobs") or not hasattr(JobRateLimiter, "timespan"):
            return
    except (ImportError, AttributeError):
        return

    def select_and_note(self: Any, jobs: Any) -> Any:
        # Before the selection: to submit jobs takes longer than the timespan, and then the limit seems free again.
        limiter = self.job_rate_limiter
        free = None if limiter is None else limiter.get_free_jobs()
        selected = select(self, jobs)
        self.limit_cut_short = free is not None and len(selected) >= free
        return selected

    def plan_if_cut_short(self: Any, delay: float) -> None:
        limiter = self.job_rate_limiter
        if limiter is None or delay != limiter.timespan or self.limit_cut_short:
            plan(self, delay)

    setattr(JobScheduler, SELECT, select_and_note)
    setattr(JobScheduler, PLAN, plan_if_cut_short)

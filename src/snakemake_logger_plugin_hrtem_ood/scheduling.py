"""Keeps Snakemake's scheduler asleep while there is nothing to decide.

After every decision Snakemake plans another one for a second later, in case it held back jobs because of
``--max-jobs-per-timespan``. That one plans the next, and each job that ends begins a further chain. So after 1,000 jobs
the scheduler decides 1,000 times a second over the same waiting jobs, and looks up the inputs of all of them each time
(upstream: pull request 3744). Here a later decision is planned only while the limit is reached; otherwise the end of a
job wakes the scheduler, as it does anyway.
"""

from typing import Any

from snakemake.scheduling.job_scheduler import JobScheduler

PLAN = "_schedule_reevalutation"  # as Snakemake spells it


def let_sleep(scheduler: type[Any] = JobScheduler) -> None:
    """Change a class of schedulers such that decisions are planned only at the limit of jobs per timespan.

    A version of Snakemake that lacks what is changed stays as it is: this saves time only.
    """
    plan = getattr(scheduler, PLAN, None)
    if plan is None:
        return

    def plan_at_limit(self: Any, delay: float) -> None:
        limiter = self.job_rate_limiter
        if limiter is None or delay != limiter.timespan or not limiter.get_free_jobs():
            plan(self, delay)

    setattr(scheduler, PLAN, plan_at_limit)

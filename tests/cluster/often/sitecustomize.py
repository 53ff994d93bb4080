"""Lets Snakemake ask after its SLURM jobs every other second; by itself it asks ever more rarely, and no option says how.

Python runs this file when it starts, as its folder is in PYTHONPATH.
"""

import sys

if "snakemake" in sys.orig_argv and "--mode" not in sys.orig_argv:  # which only Snakemake inside a job is told
    import asyncio

    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    async def sleep(_self):
        await asyncio.sleep(2)

    RemoteExecutor.sleep = sleep

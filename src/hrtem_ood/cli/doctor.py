"""`hrtem-ood doctor`: checks of a machine."""

from pathlib import Path

import click

from hrtem_ood.cli.options import results_option
from hrtem_ood.errors import HrtemOodError


@click.command()
@results_option
def doctor(results: Path) -> None:
    """Check GPUs, CuPy, PyTorch, CUDA, FFT, disk space and SLURM.

    Ends with exit code 1 where something is wrong; the table says how to fix it.
    """
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.cli.render.doctor import checks_table
    from hrtem_ood.execution.doctor import run_checks

    checks = run_checks(results)
    print_on_terminal(checks_table(checks))
    if any(check.state == "wrong" for check in checks):
        raise HrtemOodError("some checks failed; see the table.")

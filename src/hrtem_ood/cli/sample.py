"""`hrtem-ood sample`: imaging conditions that cover parameter ranges."""

import click

from hrtem_ood.cli.output import print_text


@click.command()
@click.argument("ranges", nargs=-1, required=True, metavar="NAME=LOW:HIGH[:log]...")
@click.option(
    "--number", type=click.IntRange(1, 4096), required=True, help="Number of conditions, best a power of two."
)
@click.option("--seed", type=click.IntRange(min=0), required=True, help="Seed of the scrambling.")
def sample(ranges: tuple[str, ...], number: int, seed: int) -> None:
    """Draw imaging conditions that cover parameter ranges evenly.

    Prints a list to put under `conditions` in a configuration.
    """
    from hrtem_ood.design.experiment import condition_lines, condition_to_yaml
    from hrtem_ood.design.sobol import parse_range
    from hrtem_ood.design.sobol import sample as run

    conditions = run([parse_range(text) for text in ranges], number, seed)
    print_text("\n".join(condition_lines([condition_to_yaml(each) for each in conditions], "")))

"""`hrtem-ood export`: a trained network as ONNX."""

import os
from pathlib import Path

import click

from hrtem_ood.cli.options import FILE, architecture_file_option
from hrtem_ood.cli.output import print_text
from hrtem_ood.errors import ConfigError


@click.command()
@click.argument("network", type=FILE)
@click.option("--output", type=FILE, required=True, help="ONNX file to write.")
@click.option("--overwrite", is_flag=True, help="Write over the file.")
@architecture_file_option
def export(network: Path, output: Path, overwrite: bool, architecture_file: Path | None) -> None:
    """Convert a trained network to ONNX.

    Its input is an image in electron counts, its output the probability of particle.
    """
    from hrtem_ood.learning.inference.onnx_export import export as run

    if os.path.lexists(output) and not overwrite:
        raise ConfigError(f"--output: {output} exists. Give another file, or --overwrite.")
    run(network, output, architecture_file)
    print_text(f"wrote {output}")

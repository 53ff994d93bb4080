"""`hrtem-ood export`: a trained network as ONNX."""

from pathlib import Path

import click

from hrtem_ood.cli.options import FILE, architecture_file_option
from hrtem_ood.cli.output import print_text


@click.command()
@click.argument("network", type=FILE)
@click.option("--output", type=FILE, required=True, help="ONNX file to write.")
@architecture_file_option
def export(network: Path, output: Path, architecture_file: Path | None) -> None:
    """Convert a trained network to ONNX.

    Its input is an image in electron counts, its output the probability of particle.
    """
    from hrtem_ood.learning.inference.onnx_export import export as run

    run(network, output, architecture_file)
    print_text(f"wrote {output}")

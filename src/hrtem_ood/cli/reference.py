"""`hrtem-ood reference`: documentation of the configuration."""

from pathlib import Path

import click

from hrtem_ood.cli.options import FILE


@click.command()
@click.option("--schema", type=FILE, required=True, help="JSON schema to write.")
@click.option("--page", type=FILE, required=True, help="Reference page to write.")
def reference(schema: Path, page: Path) -> None:
    """Write the configuration's JSON schema and reference page."""
    from hrtem_ood.artifacts.store import write_text
    from hrtem_ood.config.reference import reference_text, schema_text

    write_text(schema, schema_text())
    write_text(page, reference_text())

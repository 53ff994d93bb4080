"""`hrtem-ood reference`: documentation of the configuration."""

from pathlib import Path

import click

from hrtem_ood.cli.options import FILE


@click.command()
@click.option("--schema", type=FILE, required=True, help="JSON schema to write.")
@click.option("--page", type=FILE, required=True, help="Reference page to write.")
@click.option("--predictors", type=FILE, help="Page of predictors, whose table is written anew.")
def reference(schema: Path, page: Path, predictors: Path | None) -> None:
    """Write the configuration's JSON schema and reference page.

    With --predictors, the table of predictors, too.
    """
    from hrtem_ood.artifacts.store import write_text
    from hrtem_ood.config.reference import reference_text, schema_text
    from hrtem_ood.transfer.predictors.reference_table import page_with_table

    write_text(schema, schema_text())
    write_text(page, reference_text())
    if predictors is not None:
        write_text(predictors, page_with_table(predictors.read_text(encoding="utf-8")))

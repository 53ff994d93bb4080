"""The command that holds all verbs, and how it shows mistakes."""

from typing import Any

import click

from hrtem_ood.errors import ConfigError, HrtemOodError


class _Commands(click.Group):
    """Shows a user's mistake as one message: exit code 2 for the configuration, 1 for anything else."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(f"hrtem-ood: {error}", err=True)
            ctx.exit(2)
        except HrtemOodError as error:
            click.echo(f"hrtem-ood: {error}", err=True)
            ctx.exit(1)
        except BrokenPipeError:  # whoever reads, `head` for one, has had enough; click ends without a word
            raise
        except OSError as error:
            if error.strerror is None:  # not the operating system's word, hence not a full disk or a missing right
                raise
            click.echo(f"hrtem-ood: {error.filename or 'a file'}: {error.strerror}", err=True)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hrtem-ood")
def main() -> None:
    """Find out how far a neural network can be trusted outside its training conditions in HRTEM.

    Most people need `validate`, `summary` and `predict` only: the workflow calls the stages.
    """

"""The main command: all verbs, and the format of error messages."""

from typing import Any

import click

from hrtem_ood.cli.architectures import architectures
from hrtem_ood.cli.cancel import cancel
from hrtem_ood.cli.check import check
from hrtem_ood.cli.dag import dag
from hrtem_ood.cli.design import design
from hrtem_ood.cli.doctor import doctor
from hrtem_ood.cli.export import export
from hrtem_ood.cli.gc import gc
from hrtem_ood.cli.job import job
from hrtem_ood.cli.output import print_text
from hrtem_ood.cli.plain_output import tolerate_locale
from hrtem_ood.cli.plan import plan
from hrtem_ood.cli.predict import predict
from hrtem_ood.cli.preview import preview
from hrtem_ood.cli.reference import reference
from hrtem_ood.cli.renamed import renamed_command, renamed_option
from hrtem_ood.cli.sample import sample
from hrtem_ood.cli.score import score
from hrtem_ood.cli.select import select
from hrtem_ood.cli.ship import ship
from hrtem_ood.cli.stage import stage
from hrtem_ood.cli.status import status
from hrtem_ood.cli.study_page import study_page
from hrtem_ood.cli.submit import submit
from hrtem_ood.cli.summary import summary
from hrtem_ood.cli.validate import validate
from hrtem_ood.errors import ConfigError, HrtemOodError

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Before a run": (validate, plan, preview, architectures, dag),
    "While it runs": (status, submit, cancel, doctor, gc),
    "Results": (summary, study_page, check),
    "Choice of training conditions": (design, sample),
    "Trained networks": (predict, select, score, export, ship),
    "Documentation": (reference,),
}
"""Verbs for users, as `hrtem-ood --help` lists them. The workflow calls the verbs of `stage`, submitted jobs those of `job`."""


class _Commands(click.Group):
    """Shows an error as one message: exit code 2 for the configuration and the command line, 1 for anything else."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        tolerate_locale()
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            name = error.ctx.command.name if error.ctx else None
            message = renamed_option(name or "", error.option_name)
            if message is None:
                raise
            raise click.NoSuchOption(error.option_name, message, ctx=error.ctx) from None
        except ConfigError as error:
            print_text(f"hrtem-ood: {error}", err=True)
            ctx.exit(2)
        except HrtemOodError as error:
            print_text(f"hrtem-ood: {error}", err=True)
            ctx.exit(1)
        except BrokenPipeError:  # the reader, e.g. `head`, has closed the pipe; click exits silently
            raise
        except OSError as error:
            if error.strerror is None:  # not from the operating system, hence no full disk or missing permission
                raise
            print_text(f"hrtem-ood: {error.filename or 'a file'}: {error.strerror}", err=True)
            ctx.exit(1)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        message = renamed_command(args[0]) if self.get_command(ctx, args[0]) is None else None
        if message is not None:
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        widest = max(len(name) for name in self.commands)
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                limit = formatter.width - 6 - widest
                rows = [(str(verb.name).ljust(widest), verb.get_short_help_str(limit)) for verb in verbs]
                formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hrtem-ood")
def main() -> None:
    """Measure and predict how well networks for HRTEM images work outside their training conditions.

    Snakemake runs campaigns. Most users need `validate`, `summary` and `predict` only.
    """


for _verbs in SECTIONS.values():
    for _verb in _verbs:
        main.add_command(_verb)
main.add_command(stage)
main.add_command(job)

"""The command line: one file per verb, rendering for terminals in ``render``, verbs of the workflow in ``stage``."""

from hrtem_ood.cli.main import main

__all__ = ["main"]

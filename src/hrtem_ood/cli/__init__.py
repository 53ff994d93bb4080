"""The command line: one verb per stage, as the workflow's rules call them, and a few for people."""

from hrtem_ood.cli import cluster, design, page, people, preview, running, stages
from hrtem_ood.cli.group import main

__all__ = ["cluster", "design", "main", "page", "people", "preview", "running", "stages"]

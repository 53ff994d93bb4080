"""The command line: one verb per stage, as the workflow's rules call them, and a few for people."""

from hrtem_ood.cli import cluster, design, people, preview, running, stage, study_page
from hrtem_ood.cli.main import main

__all__ = ["cluster", "design", "main", "people", "preview", "running", "stage", "study_page"]

"""Versions of what each stage's code makes."""

STAGE_VERSIONS = {
    "structures": 1,
    "exit_waves": 2,
    "datasets": 3,
    "networks": 1,
    "evaluations": 3,
    "transfer": 2,
    "predictors": 2,
    "metrics": 6,
}
"""Raise by hand whenever a stage would write something else for unchanged parameters: the version is part of every id of
its artifacts, so that they are made anew. Training sets count as networks, reports as metrics."""

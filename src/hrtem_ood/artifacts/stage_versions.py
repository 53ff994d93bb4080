"""Version of each stage's code."""


class _Versions(dict[str, int]):
    """A stage that is not listed has its first version."""

    def __missing__(self, stage: str) -> int:
        return 1


STAGE_VERSIONS = _Versions(
    structures=2,
    exit_waves=3,
    datasets=3,
    networks=2,
    evaluations=3,
    transfer=3,
    predictors=3,
    metrics=7,
)
"""Raise by hand whenever a stage would write something else for unchanged parameters: the version is part of every id of
its artifacts, so that they are created anew. A stage that is not listed has version 1. Training sets count as networks,
reports as metrics."""

CRYSTAL_FILE_VERSION = 2
"""Version of the reading of crystals from files; structures of other crystals keep their ids."""

ARCHITECTURE_VERSIONS = {"resnet_unet": 2}
"""Versions of built-in architectures whose code changed. Networks of an architecture that is not listed keep their ids.

resnet_unet 2: the short cut takes every second pixel, then convolves (oneDNN issue 6035)."""

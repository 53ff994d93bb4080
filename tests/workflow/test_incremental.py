"""A change reruns exactly what it makes stale: asked of Snakemake itself on a finished campaign."""

import shutil

import pytest
import yaml

from workflow_words import JOBS, TINY, Project  # noqa: I001

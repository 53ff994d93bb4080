"""What tests of several folders share."""

import pytest
from tests.workflow.conftest import JOBS, TINY, Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose tiny campaign has been run; tests that change files take a copy."""
    project = Project(tmp_path_factory.mktemp("campaign"))
    project.configure(TINY)
    assert project.run() == JOBS
    return project

"""What tests of several folders share."""

from pathlib import Path

import pytest
from tests.workflow.conftest import JOBS, TINY, Project

SECONDS = {"workflow": 900, "cluster": 1200}
"""Time that a test has, fixtures that are made for it included, in folders whose tests run whole campaigns."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in SECONDS:
            item.add_marker(pytest.mark.timeout(SECONDS[folder]))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose tiny campaign has been run; tests that change files take a copy."""
    project = Project(tmp_path_factory.mktemp("campaign"))
    project.configure(TINY)
    assert project.run() == JOBS
    return project

"""What tests of several folders share."""

import fcntl
import os
from pathlib import Path

import pytest
from tests.workflow.conftest import JOBS, TINY, Project

SECONDS = {"workflow": 900, "robustness": 900, "cluster": 1200}
"""Time that a test has, fixtures that are made for it included, in folders whose tests run whole campaigns."""


LONGEST = ("cluster", "workflow", "robustness")
"""Folders with which a parallel run begins: what takes minutes must not be left to one of its processes at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        folder = folder_of(item)
        if folder in SECONDS:
            item.add_marker(pytest.mark.timeout(SECONDS[folder]))
    if hasattr(config, "workerinput"):  # a process of pytest-xdist
        items.sort(key=lambda item: (*LONGEST, folder_of(item)).index(folder_of(item)))


def folder_of(item: pytest.Item) -> str:
    """Return the folder of `tests/` that a test is in."""
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose tiny campaign has been run; tests that change files take a copy.

    Of all processes of a test run, the first that asks for it runs it. The others wait, and each takes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    project, done = Project(shared / "finished"), shared / "finished.done"
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            project.folder.mkdir()
            project.configure(TINY)
            assert project.run() == JOBS
            done.touch()
    return project.copy(tmp_path_factory.mktemp("mine") / "finished")

"""A real SLURM cluster, and campaigns on it, to be disturbed."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import xarray as xr
from tests.cluster.campaign import Campaign, changed, scores, slurm
from tests.workflow.conftest import TINY, Project

SCRIPT = Path(__file__).with_name("slurm-cluster")
HERE = Path(__file__).parent
ARRAY = 4
"""MaxArraySize of the cluster."""


Row = Callable[[Campaign], None]
"""What happens to a campaign, and what comes of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and let those that run side by side come before those that stop the cluster."""
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.cluster)
        if item.config.pluginmanager.hasplugin("timeout"):
            item.add_marker(
                pytest.mark.timeout(900)
            )  # the first test waits for all that it needs, and for its neighbours
    places = [place for place, item in enumerate(items) if HERE in item.path.parents]
    mine.sort(key=lambda item: "running" not in getattr(item, "fixturenames", ()))
    for place, item in zip(places, mine, strict=True):
        items[place] = item


def daemons(*words: str, accounting: bool = True) -> None:
    """Start or stop the cluster or one of its daemons."""
    environment = os.environ | {"SLURM_MAXARRAY": str(ARRAY), "SLURM_DB": str(int(accounting))}
    done = subprocess.run(
        [str(SCRIPT), *words], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Start a cluster, once, and wipe it away in the end."""
    if os.getuid() != 0:
        pytest.skip("a SLURM cluster can only be started by root")
    if shutil.which("apt-get") is None and shutil.which("slurmctld") is None:
        pytest.skip("SLURM is installed from Debian's packages, and there is no apt-get")
    daemons("start")
    yield
    daemons("stop")


@pytest.fixture
def without_accounting(cluster: None) -> Iterator[None]:  # noqa: ARG001  # it is replaced
    """Have a cluster without accounting instead, for as long as a test takes."""
    daemons("stop")
    daemons("start", accounting=False)
    yield
    daemons("stop")
    daemons("start")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose datasets are there, and no networks."""
    project = Project(tmp_path_factory.mktemp("data") / "project")
    project.folder.mkdir()
    project.configure(TINY)
    project.run("datasets", *(f"results/suites/{id_}.json" for id_ in project.campaign().suites))
    shutil.rmtree(project.folder / "results/logs")
    (project.folder / "results/networks").mkdir()
    return project


@pytest.fixture(scope="session")
def reference(data: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[dict[str, xr.Dataset]]]:
    """Give the scores of all networks of the tests, trained on this machine without disturbance, beside the tests."""
    project = data.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    changed(project, {"networks": {"unet": {"seed": list(range(5))}}, "execution": {"networks_per_job": 1}})

    def trained() -> dict[str, xr.Dataset]:
        project.run("--cores", "5", "networks")  # they sleep most of the time
        return scores(project)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(trained)


@pytest.fixture(scope="session")
def new_campaign(
    cluster: None,  # noqa: ARG001  # it is there
    data: Project,
    reference: Future[dict[str, xr.Dataset]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Campaign]]:
    """Return a function that makes campaigns whose data are there, and whose networks are not."""
    made: list[Campaign] = []
    root = tmp_path_factory.mktemp("cluster")

    def new(name: str) -> Campaign:
        campaign = Campaign(data.copy(root / name), reference)
        made.append(campaign)
        campaign.change({})
        return campaign

    yield new
    for campaign in made:
        campaign.close()
        for head in campaign.heads:
            if head.poll() is None:
                head.kill()
        with contextlib.suppress(subprocess.SubprocessError):
            for job in campaign.jobs():
                slurm("scancel", job)


@pytest.fixture(scope="session")
def running(
    new_campaign: Callable[[str], Campaign], request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[None]]]:
    """Start all rows that leave one another alone, of those that are asked for."""
    callspecs = [item.callspec for item in request.session.items if "running" in getattr(item, "fixturenames", ())]
    asked: list[Row] = [callspec.params["row"] for callspec in callspecs]
    with ThreadPoolExecutor(len(asked)) as pool:
        yield {row.__name__: pool.submit(row, new_campaign(row.__name__)) for row in asked}

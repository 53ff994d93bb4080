"""Whatever happens to jobs and to the cluster: metrics are as without it, and no network is trained twice.

Each function is a row of the table in docs/cluster.md. Rows that leave one another alone run side by side.
"""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO

import pytest
from tests.cluster.campaign import Campaign, slurm, wait
from tests.cluster.conftest import Row, daemons


def state_of(job: str) -> str:
    """State in which a job ended, as the database has it, which hears of it later than the queue."""
    words = ["sacct", "--allocations", "--noheader", "--parsable2", "--duplicates", "--format=State", "-j", job]

    def ended() -> str | None:
        states = slurm(*words).splitlines()
        state = states[0].split()[0] if states else "PENDING"
        return None if state in ("PENDING", "RUNNING", "COMPLETING") else state

    found: str = wait(ended, f"the database to know how job {job} ended", 60)
    return found


def job_is_cancelled(campaign: Campaign) -> None:
    head = campaign.start()
    job = campaign.training()
    slurm("scancel", job)
    campaign.end(head)
    assert "has stopped; it will resume" in campaign.log()
    assert state_of(job) == "CANCELLED"
    campaign.check()


def time_limit(campaign: Campaign) -> None:
    # 100 seconds; SLURM ends jobs up to half a minute after their time
    campaign.change({"networks": {"unet": {"seed": list(range(5))}}, "execution": {"networks_per_job": 5}})
    head = campaign.start("train:runtime=attempt", extra="--signal=USR2@15")
    job = campaign.training()
    campaign.end(head)
    log = campaign.log()
    stopped = "has stopped; it will resume" in log
    assert stopped or "is trained already" in log, "between two networks, nothing is left to resume"
    assert state_of(job) in ("FAILED", "TIMEOUT")
    campaign.check(resumed=stopped)


def preempt(node: int) -> None:
    """Take the place of all jobs of low priority on a node, for a second."""
    begin = time.monotonic()
    slurm("srun", f"--partition=high{node}", "--exclusive", "sleep", "1")
    assert time.monotonic() - begin < 30, "they make room before their grace time ends"


def preemption(campaign: Campaign) -> None:
    head = campaign.start("train:slurm_partition=low7")
    job = campaign.training()
    preempt(7)
    campaign.end(head)
    assert f"job {job} is preempted and requeued" in campaign.log()
    assert "will resume after epoch" in campaign.log()
    assert campaign.out().count("has been submitted with SLURM jobid") == 1, "no attempt is used up"
    campaign.check()


def preemption_without_a_warning(campaign: Campaign) -> None:
    """Where a job asks for no signal, SLURM sends SIGTERM, as sites without ``preempt_send_user_signal`` always do."""
    head = campaign.start("train:slurm_partition=low8", extra="")
    job = campaign.training()
    preempt(8)
    campaign.end(head)
    assert f"job {job} is preempted and requeued" in campaign.log()
    assert campaign.out().count("has been submitted with SLURM jobid") == 1, "no attempt is used up"
    campaign.check()


def node_is_lost(campaign: Campaign) -> None:
    """The daemon of a node dies; SLURM starts the job elsewhere, while it still runs there."""
    head = campaign.start("train:slurm_partition=pair")
    job = campaign.training()
    node = campaign.jobs()[job]
    daemons(node, "kill")
    try:
        wait(lambda: set(campaign.jobs().values()) - {node, ""}, "the job on another node", 90)
        campaign.end(head)
    finally:
        daemons(node, "up")
    campaign.check(resumed=False)  # where it was first, it went on all the time


def node_is_drained(campaign: Campaign) -> None:
    campaign.change({"execution": {"networks_per_job": 1}})
    head = campaign.start("train:slurm_partition=spare", extra="--signal=USR2@90 --exclusive")
    wait(lambda: list((campaign.folder / "results/networks").glob("*.resume")), "a network in training")
    node = next(node for node in campaign.jobs().values() if node)
    slurm("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    try:
        campaign.end(head)
    finally:
        slurm("scontrol", "update", f"NodeName={node}", "State=RESUME")
    campaign.check(resumed=False)


def fill(file: IO[bytes]) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def disk_is_full(campaign: Campaign) -> None:
    networks = campaign.folder / "results/networks"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(networks)], check=True)
    try:
        head = campaign.start()
        wait(lambda: list(networks.glob("*.ckpt")), "a network")
        filler = networks / "filler"
        with filler.open("wb", buffering=0) as file:
            fill(file)
        wait(lambda: "No space left on device" in campaign.log(), "a full disk")
        filler.unlink()
        campaign.end(head)
        campaign.check(resumed="training resumes" in campaign.log())
    finally:
        subprocess.run(["umount", "--lazy", str(networks)], check=True)


def a_network_fails(campaign: Campaign) -> None:
    broken = {
        "training_sets": ["single"],
        "architecture": {"name": "Broken", "file": "slow.py", "parameters": {"channels": 4}},
        "epochs": 2,
    }
    campaign.change({"networks": {"broken": broken}})
    (bad,) = (id_ for id_ in campaign.project.campaign().networks if id_.startswith("Broken"))
    head = campaign.start("--retries", "1")
    campaign.end(head, well=False)
    networks = campaign.folder / "results/networks"
    assert not (networks / f"{bad}.ckpt").exists()
    out = campaign.out()
    (log,) = set(re.findall(r"results/logs/packs/\S+?\.log", out))
    told = (campaign.folder / log).read_text()
    assert f"{bad}: ValueError: this network never trains" in told
    assert "1 of 3 networks" in out, "the log is shown"
    campaign.change({})
    campaign.end(campaign.start())
    campaign.check(resumed=False)


def controller_is_restarted(campaign: Campaign) -> None:
    campaign.change({"networks": {"unet": {"seed": [0]}}})
    head = campaign.start()
    campaign.training()
    daemons("slurmctld", "down")
    time.sleep(8)
    daemons("slurmctld", "up")
    campaign.end(head)
    campaign.check(resumed=False)


def database_is_down(campaign: Campaign) -> None:
    campaign.change({"networks": {"unet": {"seed": [0]}}})
    head = campaign.start()
    campaign.training()
    daemons("slurmdbd", "down")
    time.sleep(15)
    daemons("slurmdbd", "up")
    campaign.end(head)
    campaign.check(resumed=False)


def head_is_killed(campaign: Campaign) -> None:
    first = campaign.submit()
    job = campaign.training()
    slurm("scancel", "--signal=KILL", "--full", first)
    campaign.over(first)
    assert list(campaign.jobs()) == [job], "it goes on"
    second = campaign.submit()
    campaign.over(second)
    assert state_of(second) == "COMPLETED", campaign.out()
    assert f"SLURM job {job} already creates packs/" in campaign.out()
    assert campaign.out().count("has been submitted with SLURM jobid") == 1
    campaign.check(resumed=False)


def head_reaches_its_limit(campaign: Campaign) -> None:
    # longer than the head lives
    campaign.change({"networks": {"unet": {"seed": list(range(5))}}, "execution": {"networks_per_job": 5}})
    head = campaign.submit(minutes=3)  # and is warned 90 seconds before it
    job = campaign.training()
    campaign.over(head)
    assert "the head ends; its jobs continue" in campaign.out()
    assert f"SLURM job {job} already creates packs/" in campaign.out()
    assert campaign.out().count("has been submitted with SLURM jobid") == 1
    campaign.check(resumed=False)


def head_is_preempted(campaign: Campaign) -> None:
    head = campaign.submit(partition="low9")
    job = campaign.training()
    preempt(9)
    campaign.over(head)
    assert "the head ends; its jobs continue" in campaign.out()
    assert f"SLURM job {job} already creates packs/" in campaign.out()
    assert campaign.out().count("has been submitted with SLURM jobid") == 1
    campaign.check(resumed=False)


def submit_limit(campaign: Campaign) -> None:
    slurm("sacctmgr", "--immediate", "add", "account", "limited", "cluster=test")
    slurm("sacctmgr", "--immediate", "add", "user", "root", "account=limited", "maxsubmitjobs=1")
    campaign.change({"execution": {"networks_per_job": 1}})
    head = campaign.submit("--set-resources", "train:slurm_account=limited")
    campaign.over(head)
    assert "SLURM did not accept all jobs" in campaign.out(), campaign.out()
    assert state_of(head) == "COMPLETED", campaign.out()
    campaign.check(resumed=False)


SIDE_BY_SIDE: list[Row] = [
    submit_limit,
    head_reaches_its_limit,
    head_is_killed,
    head_is_preempted,
    time_limit,
    node_is_lost,
    preemption,
    preemption_without_a_warning,
    job_is_cancelled,
    node_is_drained,
    disk_is_full,
    a_network_fails,
]
AFTERWARDS: list[Row] = [controller_is_restarted, database_is_down]


@pytest.mark.parametrize("row", SIDE_BY_SIDE, ids=lambda row: row.__name__)
def test_side_by_side(running: dict[str, Future[None]], row: Row) -> None:
    running[row.__name__].result(900)


@pytest.mark.parametrize("row", AFTERWARDS, ids=lambda row: row.__name__)
def test_the_cluster_itself(new_campaign: Callable[[str], Campaign], row: Row) -> None:
    row(new_campaign(row.__name__))

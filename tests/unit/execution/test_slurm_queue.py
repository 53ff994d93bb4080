"""Which jobs of SLURM's queue are a campaign's: compared exactly."""

import re
from pathlib import Path

import pytest

from hrtem_ood.execution import slurm_client, slurm_queue
from hrtem_ood.execution.slurm_client import SEPARATOR

UUID = "123e4567-e89b-42d3-a456-426614174000"
HERE = Path("/data/a project|x")


@pytest.fixture
def queue(monkeypatch):
    """Return the lines that squeue prints."""
    lines: list[str] = []
    monkeypatch.setattr(
        slurm_client, "run_slurm_command", lambda *_command, **_: "".join(f"{line}\n" for line in lines)
    )
    return lines


def row(number, name, folder=HERE, comment="", state="PENDING", reason="Priority"):
    return SEPARATOR.join([str(number), name, state, reason, str(folder), comment])


CAMPAIGNS = ["a", "a_b", "a_tasks", "x.1", "x-1", "x 1", "X.1", "a" * 40 + "1", "a" * 40 + "2", "µ", "é"]


def test_names_tell_campaigns_apart_and_folders():
    names = {slurm_queue.prefix(name, folder) for name in CAMPAIGNS for folder in (HERE, HERE / "b")}
    assert len(names) == 2 * len(CAMPAIGNS)
    # as the executor plugin of Snakemake wants it
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,50}", name) for name in names)


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_only_the_campaigns_own_jobs(queue, campaign):
    for number, name in enumerate(CAMPAIGNS):
        for offset, folder in enumerate((HERE, HERE.parent)):
            queue.append(row(100 * number + 10 * offset, slurm_queue.controller_name(name, folder), folder))
            queue.append(row(100 * number + 10 * offset + 1, f"{slurm_queue.prefix(name, folder)}_{UUID}", folder))
            queue.append(row(100 * number + 10 * offset + 2, f"{slurm_queue.prefix(name, folder)}_tasks", folder))
            queue.append(row(100 * number + 10 * offset + 3, f"{slurm_queue.prefix(name, folder)}_{UUID}x", folder))
    first = 100 * CAMPAIGNS.index(campaign)
    assert [job.number for job in slurm_queue.controller_jobs(campaign, HERE)] == [str(first)]
    assert [job.number for job in slurm_queue.submitted_jobs(campaign, HERE)] == [str(first + 1), str(first + 2)]


def test_cancel_leaves_others_alone(queue, monkeypatch):
    cancelled: list[str] = []
    monkeypatch.setattr(slurm_queue, "kill_job", lambda _number: None)
    monkeypatch.setattr(slurm_queue, "cancel_jobs", lambda *numbers: cancelled.extend(numbers))
    monkeypatch.setattr(slurm_queue.time, "sleep", lambda _seconds: None)
    queue += [row(1, slurm_queue.controller_name("a", HERE)), row(2, f"{slurm_queue.prefix('a', HERE)}_{UUID}")]
    queue += [row(3, slurm_queue.controller_name("a_b", HERE)), row(4, f"{slurm_queue.prefix('a_b', HERE)}_{UUID}")]
    assert slurm_queue.cancel_campaign("a", HERE) == (1, 1)
    assert set(cancelled) == {"1", "2"}


def test_fields_of_a_row(queue):
    queue.append(row(7, "name", comment="rule_train_wildcards_U-Net-1", reason="PartitionTimeLimit"))
    (job,) = slurm_queue.queued_jobs()
    assert (job.number, job.folder, job.reason, job.stage, job.id) == (
        "7",
        HERE,
        "PartitionTimeLimit",
        "packs",
        "U-Net-1",
    )

"""A run of Snakemake under the head: ended where SLURM makes it pointless, and only there."""

import sys
from pathlib import Path

import pytest

from hrtem_ood.execution import snakemake_run
from hrtem_ood.execution.patience import NeverStarting
from hrtem_ood.execution.slurm_queue import QueuedJob
from hrtem_ood.execution.snakemake_run import SnakemakeRun

ACCEPTED = "Job 4 has been submitted with SLURM jobid 12 (log: /data/results/logs/slurm/rule_train/id-1/12.log)."
REFUSED = (
    "    message: SLURM sbatch failed. The error message was 'sbatch: error: Batch job submission failed: {words}'.\n"
    "        sbatch --parsable --comment rule_train_wildcards_id-{number} -p main"
)
PERMANENT, TEMPORARY = "Invalid partition name specified", "Socket timed out on send/recv operation"


@pytest.fixture
def cancelled(monkeypatch):
    """Return the jobs that are cancelled; SLURM's queue is empty."""
    numbers: list[str] = []
    monkeypatch.setattr(snakemake_run, "POLL_S", 0.05)
    monkeypatch.setattr(snakemake_run.slurm_queue, "submitted_jobs", lambda *_: [])
    monkeypatch.setattr(snakemake_run, "cancel_jobs", lambda *each: numbers.extend(each))
    return numbers


def run(*lines: str, then: str = "") -> tuple[SnakemakeRun, int]:
    program = f"print({chr(10).join(lines)!r}, flush=True)\n{then}"
    each = SnakemakeRun([sys.executable, "-c", program], "tiny", Path("/data"))
    each._never = NeverStarting(confirm_s=0.1)
    return each, each()


SLEEP = "import time; time.sleep(300)"


@pytest.mark.usefixtures("cancelled")
def test_refused_for_good_ends_it_at_once():
    each, code = run(REFUSED.format(words=PERMANENT, number=1), then=SLEEP)
    assert code == -9
    assert [(rule, refusal.keys) for rule, refusal in each.permanent_refusals] == [("train", ("slurm_partition",))]


@pytest.mark.usefixtures("cancelled")
def test_not_where_jobs_of_the_rule_were_accepted():
    each, code = run(ACCEPTED, REFUSED.format(words=PERMANENT, number=1), then="raise SystemExit(1)")
    assert code == 1
    assert len(each.permanent_refusals) == 1


@pytest.mark.usefixtures("cancelled")
def test_not_for_now():
    each, code = run(REFUSED.format(words=TEMPORARY, number=1), then="raise SystemExit(1)")
    assert code == 1
    assert not each.permanent_refusals
    assert [refusal.verdict for _, refusal in each.submissions.refusals] == ["temporary"]


@pytest.mark.usefixtures("cancelled")
def test_a_job_that_never_starts(monkeypatch, cancelled):
    job = QueuedJob("7", "name", "PENDING", "PartitionTimeLimit", Path("/data"), "packs", "id-1")
    monkeypatch.setattr(snakemake_run.slurm_queue, "submitted_jobs", lambda *_: [job])
    each, code = run(ACCEPTED, then=SLEEP)
    assert code == -9
    assert "7" in cancelled
    assert each.permanent_refusals[0][0] == "train"
    assert each.permanent_refusals[0][1].keys == ("runtime", "slurm_partition")


def test_jobs_that_wait_for_their_turn_are_left_alone(monkeypatch, cancelled):
    jobs = [
        QueuedJob(str(number), "name", "PENDING", reason, Path("/data"), "packs", "id-1")
        for number, reason in enumerate(["Priority", "Resources", "AssocGrpCpuLimit", "ReqNodeNotAvail"])
    ]
    monkeypatch.setattr(snakemake_run.slurm_queue, "submitted_jobs", lambda *_: jobs)
    each, code = run(ACCEPTED, then="import time; time.sleep(0.5)")
    assert (code, each.permanent_refusals, cancelled) == (0, [], [])

"""SIGUSR2, by which SLURM warns a head of its end."""

import os
import signal

import pytest

from hrtem_ood.execution import preemption
from hrtem_ood.execution.preemption import keep_warnings, requeued_by_warning


@pytest.fixture
def requeued(monkeypatch):
    """Return the jobs that go back into the queue; this process is job 41."""
    numbers: list[str] = []
    monkeypatch.setattr(preemption, "this_job", lambda: "41")
    monkeypatch.setattr(preemption, "requeue_job", numbers.append)
    before = signal.getsignal(signal.SIGUSR2)
    yield numbers
    signal.signal(signal.SIGUSR2, before)


def test_a_warning_ends_the_block_and_requeues(requeued):
    went_on = []

    @requeued_by_warning()
    def head():
        os.kill(os.getpid(), signal.SIGUSR2)
        went_on.append(True)

    with pytest.raises(SystemExit):
        head()
    assert not went_on
    assert requeued == ["41"]


def test_a_warning_before_the_block_counts(requeued):
    keep_warnings()
    os.kill(os.getpid(), signal.SIGUSR2)
    with pytest.raises(SystemExit), requeued_by_warning():
        pytest.fail("it starts")
    assert requeued == ["41"]


def test_nothing_without_a_warning(requeued):
    keep_warnings()
    with requeued_by_warning():
        pass
    assert not requeued

"""Leases: one process at a time, whatever becomes of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hrtem_ood.artifacts.leases import Leases, lease_holder, lease_of

HOLD = """
import sys, time
from pathlib import Path
from hrtem_ood.artifacts.leases import Leases
with Leases(beat_s=0.05) as leases:
    print(leases.try_acquire(Path(sys.argv[1])), flush=True)
    time.sleep(60)
"""


def held_by_another(artifact: Path) -> subprocess.Popen[str]:
    """Start a process that takes a lease."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(artifact)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def elsewhere(leases: Leases) -> None:
    """Let a process believe that it runs on another machine, where process ids tell nothing."""
    leases._me = leases._me | {"where": "elsewhere"}


def test_one_at_a_time(tmp_path: Path) -> None:
    artifact = tmp_path / "networks/a.ckpt"
    with Leases() as first, Leases() as second:
        assert first.try_acquire(artifact)
        assert not second.try_acquire(artifact)
        assert f"process {os.getpid()} on" in lease_holder(artifact)
        first.release(artifact)
        assert second.try_acquire(artifact)
    assert list(artifact.parent.iterdir()) == []


def test_a_killed_process_of_this_machine_is_known_at_once(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with held_by_another(artifact) as process, Leases() as leases:
        assert not leases.try_acquire(artifact)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert leases.try_acquire(artifact)


def test_a_silent_process_elsewhere_is_taken_for_dead_after_a_while(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with held_by_another(artifact) as process, Leases(silent_s=0.5) as leases:
        elsewhere(leases)
        begin = time.monotonic()
        while time.monotonic() - begin < 1:
            assert not leases.try_acquire(artifact), "it gives signs of life"
            time.sleep(0.02)
        process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        while not leases.try_acquire(artifact):
            assert time.monotonic() - begin < 20
            time.sleep(0.02)
        assert time.monotonic() - begin > 0.4
        process.kill()


def test_one_that_was_taken_over_is_not_given_back(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with Leases() as second:
        with Leases() as first:
            assert first.try_acquire(artifact)
            lease_of(artifact).unlink()
            assert second.try_acquire(artifact)
        assert lease_of(artifact).exists()


def test_others_come_first_then_it_waits(tmp_path: Path) -> None:
    with Leases() as other, Leases() as leases:
        other.try_acquire(tmp_path / "a")
        threading.Timer(0.3, lambda: other.release(tmp_path / "a")).start()
        assert list(leases.iterate_exclusively("abc", lambda name: tmp_path / name, lambda: None, wait_s=0.05)) == [
            "b",
            "c",
            "a",
        ]


def test_waiting_can_be_ended(tmp_path: Path) -> None:
    def stop() -> None:
        raise SystemExit(143)

    with Leases() as other, Leases() as leases:
        other.try_acquire(tmp_path / "a")
        with pytest.raises(SystemExit):
            list(leases.iterate_exclusively("a", lambda name: tmp_path / name, stop))

"""Leases: one process at a time, whatever becomes of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hrtem_ood.artifacts.leases import Leases, lease_holder, lease_of, may_be_held
from hrtem_ood.errors import ArtifactError

HOLD = """
import sys, time
from pathlib import Path
from hrtem_ood.artifacts.leases import Leases
with Leases(heartbeat_s=0.05) as leases:
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
    """Let a process believe that it runs on another machine, where process numbers mean nothing."""
    leases._process = leases._process | {"where": "elsewhere"}


def test_one_at_a_time(tmp_path: Path) -> None:
    artifact = tmp_path / "networks/a.ckpt"
    with Leases() as first, Leases() as second:
        assert first.try_acquire(artifact)
        assert not second.try_acquire(artifact)
        assert f"process {os.getpid()} on" in lease_holder(artifact)
        first.release(artifact)
        assert second.try_acquire(artifact)
    assert list(artifact.parent.iterdir()) == []


def test_the_lease_of_a_killed_process_of_this_machine_is_free_at_once(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with held_by_another(artifact) as process, Leases() as leases:
        assert not leases.try_acquire(artifact)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert leases.try_acquire(artifact)


def test_a_process_elsewhere_without_heartbeat_counts_as_dead_after_a_while(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with held_by_another(artifact) as process, Leases(timeout_s=0.5) as leases:
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


def test_a_lease_that_was_taken_over_is_not_released(tmp_path: Path) -> None:
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


CONTEND = """
import sys
from pathlib import Path
from hrtem_ood.artifacts.leases import Leases
with Leases() as leases:
    for line in sys.stdin:
        artifact = Path(line.strip())
        print(leases.try_acquire(artifact), flush=True)
        sys.stdin.readline()
        leases.release(artifact)
        print(flush=True)
"""


@pytest.mark.slow
def test_of_all_who_find_a_holder_dead_one_takes_over(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "killed") as process:
        process.kill()
    dead = lease_of(tmp_path / "killed").read_bytes()
    lease_of(tmp_path / "killed").unlink()
    command = [sys.executable, "-c", CONTEND]
    contenders = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(8)
    ]

    def answers(line: object) -> list[str]:
        for each in contenders:
            assert each.stdin is not None
            each.stdin.write(f"{line}\n")
        return [each.stdout.readline() for each in contenders if each.stdout is not None]

    holders = []
    for number in range(300):
        lease_of(tmp_path / f"{number}").write_bytes(dead)
        holders.append(answers(tmp_path / f"{number}").count("True\n"))
        answers("release")
    for each in contenders:
        each.communicate()
    assert holders == [1] * 300
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_a_killed_process_left_does_not_block_for_ever(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with held_by_another(artifact) as process:
        process.kill()
    lease = lease_of(artifact)
    claim = lease.with_name(f"{lease.name}.{json.loads(lease.read_bytes())['token']}")
    claim.touch()
    with Leases(timeout_s=0.2) as leases:
        assert not leases.try_acquire(artifact)
        begin = time.monotonic()
        while not leases.try_acquire(artifact):
            assert time.monotonic() - begin < 20
            time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_could_not_be_written_is_released_and_taken_over(tmp_path: Path) -> None:
    artifact = tmp_path / "a.ckpt"
    with Leases() as first:
        assert first.try_acquire(artifact)
        os.truncate(lease_of(artifact), 0)
        assert lease_holder(artifact) == "another process"
    assert list(tmp_path.iterdir()) == []
    lease_of(artifact).touch()
    with Leases(timeout_s=0.1) as second:
        assert not second.try_acquire(artifact)
        time.sleep(0.2)
        assert second.try_acquire(artifact)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def leads_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def folder(path: Path) -> None:
    path.mkdir()


def deep(path: Path) -> None:
    path.write_bytes(b"[" * 4000)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 2**30)  # takes no room


def no_record(path: Path) -> None:
    path.write_text("[1, 2]")


def other_values(path: Path) -> None:
    record = {"token": "../../a", "where": "", "pid": 10**30, "start": "soon", "slurm_job": None}
    path.write_text(json.dumps(record))


def huge_pid(path: Path) -> None:
    where = Leases()._process["where"]
    path.write_text(json.dumps({"token": "0" * 32, "where": where, "pid": 10**30, "start": 1.0, "slurm_job": None}))


@pytest.mark.parametrize(
    "kind", [fifo, endless, leads_nowhere, folder, deep, too_large, no_record, other_values, huge_pid]
)
def test_what_is_no_lease_counts_as_held(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    kind(lease_of(tmp_path / "a.ckpt"))
    assert may_be_held(lease_of(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("kind", [fifo, endless, leads_nowhere, folder])
def test_what_is_no_file_in_place_of_a_lease_is_named(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    kind(lease_of(tmp_path / "a.ckpt"))
    with Leases() as leases, pytest.raises(ArtifactError, match=r"\.a\.ckpt\.lease is no regular file"):
        leases.try_acquire(tmp_path / "a.ckpt")


@pytest.mark.parametrize("kind", [deep, too_large, no_record, other_values])
def test_a_file_that_is_no_lease_is_taken_over_after_a_while(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    kind(lease_of(tmp_path / "a.ckpt"))
    with Leases(timeout_s=0.1) as leases:
        assert not leases.try_acquire(tmp_path / "a.ckpt")
        time.sleep(0.2)
        assert leases.try_acquire(tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []

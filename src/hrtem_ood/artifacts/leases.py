"""Who is at work on what: a small file beside an artifact, kept fresh by its maker, so that no other job makes it too.

Jobs can run twice at once: a node that SLURM gave up may work on, and whoever starts a campaign again knows nothing of
the jobs that another Snakemake has left behind. Leases make two such jobs share the work instead of doing it twice.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from hrtem_ood.progress import log

Item = TypeVar("Item")

HEARTBEAT_S = 10.0
"""Seconds between signs of life."""

LEASE_TIMEOUT_S = 90.0
"""Seconds without a sign of life after which a process is taken for dead."""


class Leases:
    """The leases that this process holds: gives signs of life until the block ends.

    Parameters
    ----------
    beat_s, silent_s : float, [s]
        How often to give a sign of life, and how long to wait for another's. A process of this machine is looked up at
        once.
    """

    def __init__(self, beat_s: float = HEARTBEAT_S, silent_s: float = LEASE_TIMEOUT_S) -> None:
        self._beat_s, self._silent_s = beat_s, silent_s
        self._held: dict[Path, int] = {}
        self._seen: dict[Path, tuple[bytes, float]] = {}
        self._me = _this_process()
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()
        for artifact in list(self._held):
            self.release(artifact)

    def iterate_exclusively(
        self, items: Iterable[Item], path: Callable[[Item], Path], check: Callable[[], None], wait_s: float = 1.0
    ) -> Iterator[Item]:
        """Yield items one by one, each while its lease is held; those that another process is at come last.

        Parameters
        ----------
        items : iterable
        path : callable
            Of the artifact that is made of an item. Once its turn has come it may be there: another has made it.
        check : callable
            Called now and then while there is nothing but to wait; may end it by raising.
        wait_s : float, [s]
            Between looks.
        """
        ahead, told = list(items), False
        while ahead:
            busy = []
            for item in ahead:
                artifact = path(item)
                if not self.try_acquire(artifact):
                    busy.append(item)
                    continue
                try:
                    yield item
                finally:
                    self.release(artifact)
            if len(busy) == len(ahead):
                if not told:
                    log(f"waiting for another job: {lease_holder(path(busy[0]))} is at {path(busy[0]).name}")
                    told = True
                check()
                time.sleep(wait_s)
            ahead = busy

    def try_acquire(self, artifact: Path) -> bool:
        """Take the lease of an artifact; false where another process has it, and lives."""
        path = lease_of(artifact)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # given back just now
                return self.try_acquire(artifact)
            return self._dead(path, content) and self._remove(path, content) and self.try_acquire(artifact)
        with self._lock:
            self._held[artifact] = file
        self._sign(file, 0)
        self._seen.pop(path, None)
        return True

    def release(self, artifact: Path) -> None:
        """Give the lease of an artifact back, if this process still has it."""
        with self._lock:
            file = self._held.pop(artifact, None)
        if file is None:
            return
        ours = os.fstat(file)
        os.close(file)
        path = lease_of(artifact)
        try:
            if os.path.samestat(path.stat(), ours):  # nobody has taken it over meanwhile
                path.unlink()
        except FileNotFoundError:
            pass

    def _dead(self, path: Path, content: bytes) -> bool:
        """Whether the holder of a lease is known to have ended, or has been silent for too long."""
        told = _told(content)
        if told and told["where"] == self._me["where"]:
            return bool(_since(told["pid"]) != told["since"])
        before, since = self._seen.get(path, (None, 0.0))
        if content != before:
            self._seen[path] = content, time.monotonic()
            return False
        return time.monotonic() - since > self._silent_s

    def _remove(self, path: Path, content: bytes) -> bool:
        """Remove the lease of a dead process; false where another did so meanwhile, and has one of its own."""
        aside = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return True
        ours = aside.read_bytes() == content
        if not ours:
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()
        self._seen.pop(path, None)
        return ours

    def _beat(self) -> None:
        number = 0
        while not self._end.wait(self._beat_s):
            number += 1
            with self._lock:
                for file in self._held.values():
                    self._sign(file, number)

    def _sign(self, file: int, number: int) -> None:
        try:
            os.pwrite(file, json.dumps(self._me | {"beat": f"{number:012}"}).encode(), 0)
        except OSError:  # a full disk: others will take us for dead in the end, which costs work, but no result
            return


def lease_of(artifact: Path) -> Path:
    """Path of an artifact's lease."""
    return artifact.with_name(f".{artifact.name}.lease")


def lease_holder(artifact: Path) -> str:
    """Tell who has the lease of an artifact."""
    try:
        told = _told(lease_of(artifact).read_bytes())
    except FileNotFoundError:
        told = None
    if told is None:
        return "another process"
    job = f"SLURM job {told['slurm_job']}, " if told["slurm_job"] else ""
    return f"{job}process {told['pid']} on {told['where'].split()[0]}"


def _told(content: bytes) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads(content)
    except ValueError:  # still being written
        return None
    return told


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"where": _where(), "pid": pid, "since": _since(pid), "slurm_job": os.environ.get("SLURM_JOB_ID")}


def _where() -> str:
    """Tell within what process ids mean something: a machine, since it was started, and a container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux: equal to no other
        return f"{socket.gethostname()} {secrets.token_hex(6)}"


def _since(pid: int) -> str | None:
    """When a process began, as the kernel counts; None for one that is gone."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else rest[18]

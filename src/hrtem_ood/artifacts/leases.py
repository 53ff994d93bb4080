"""File leases with a heartbeat, so that two jobs do not train the same network.

A job can run twice at once: a node that SLURM gave up may continue to work, and a new Snakemake does not wait for the jobs
of a killed one. With leases, two such jobs share the work instead of doing it twice.

Why not :class:`filelock.SoftFileLease`: it takes the lease of a dead process over by exchanging two names in one step
(``renameat2`` with ``RENAME_EXCHANGE``), and where a file system refuses that, as NFS and SMB do, it leaves the lease
where it is (filelock 4.2.12, ``_soft.py``). Folders that the nodes of a cluster share are mostly of that kind, and a
network whose job was killed would never be trained. Here only exclusive creation, ``rename`` and ``unlink`` are needed.

A lease is a small file beside the artifact. A process creates it exclusively, or takes it over from a dead process, and
removes it on release. Each lease has its own token. A process that replaces or removes a lease must first create a claim
exclusively, a file named after that token. So if several processes detect that a holder is dead, only one takes over, and
none removes the lease of the successor.
"""

import contextlib
import json
import math
import os
import re
import secrets
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from hrtem_ood.artifacts.files import not_regular, read_regular
from hrtem_ood.artifacts.processes import process_runs, process_start
from hrtem_ood.errors import ArtifactError
from hrtem_ood.progress import log

Item = TypeVar("Item")

HEARTBEAT_S = 10.0
"""Seconds between heartbeats."""

LEASE_TIMEOUT_S = 90.0
"""Seconds without a heartbeat after which the holder of a lease counts as dead."""

LARGEST_LEASE = 4096
"""Largest file [B] that is read as a lease."""


class Leases:
    """The leases that this process holds; a context manager, which keeps them fresh until its block ends.

    Parameters
    ----------
    heartbeat_s : float, [s]
        Time between heartbeats.
    timeout_s : float, [s]
        Time without a heartbeat after which another process counts as dead, by this process's own clock. A process of
        this machine counts as dead as soon as it has ended.
    """

    def __init__(self, heartbeat_s: float = HEARTBEAT_S, timeout_s: float = LEASE_TIMEOUT_S) -> None:
        self._heartbeat_s, self._timeout_s = heartbeat_s, timeout_s
        self._held: dict[Path, tuple[int, dict[str, Any]]] = {}
        self._last_change: dict[Path, tuple[bytes, float]] = {}
        self._process = _this_process()
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
        """Yield items one by one, each while its lease is held; those that another process works on come last.

        Parameters
        ----------
        items : iterable
        path : callable
            Takes an item and returns the path of the artifact that is created from it. That artifact may exist when
            the item is yielded: another process has created it meanwhile.
        check : callable
            Called repeatedly while waiting; may end the wait by raising.
        wait_s : float, [s]
            Time between two attempts.
        """
        ahead, logged = list(items), False
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
                if not logged:
                    log(f"waiting for another job: {lease_holder(path(busy[0]))} works on {path(busy[0]).name}")
                    logged = True
                check()
                time.sleep(wait_s)
            ahead = busy

    def try_acquire(self, artifact: Path) -> bool:
        """Acquire the lease of an artifact; return False where another process holds it and is alive.

        Raises
        ------
        ArtifactError
            Where anything but a regular file has the name of the lease.
        """
        path = lease_of(artifact)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            if not _exists(path):  # released just now
                return self.try_acquire(artifact)
            content = _read(path)
            return self._is_dead(path, content) and self._take_over(artifact, content)
        self._hold(artifact, file, self._new_record())
        return True

    def release(self, artifact: Path) -> None:
        """Release the lease of an artifact, if this process still holds it."""
        with self._lock:
            held = self._held.pop(artifact, None)
        if held is None:
            return
        file, _ = held
        path = lease_of(artifact)
        with self._claim(path, _token(_read(path))) as unchanged, contextlib.suppress(FileNotFoundError):
            if unchanged and os.path.samestat(path.stat(), os.fstat(file)):  # no other process has taken it over
                path.unlink()
        os.close(file)

    # --- holding ------------------------------------------------------------------------------

    def _new_record(self) -> dict[str, Any]:
        return {"token": secrets.token_hex(16), **self._process, "beat": f"{0:012}"}

    def _hold(self, artifact: Path, file: int, record: dict[str, Any]) -> None:
        _write(file, record)
        with self._lock:
            self._held[artifact] = file, record

    def _beat(self) -> None:
        number = 0
        while not self._end.wait(self._heartbeat_s):
            number += 1
            with self._lock:
                for file, record in self._held.values():
                    _write(file, record | {"beat": f"{number:012}"})

    # --- taking over --------------------------------------------------------------------------

    def _is_dead(self, path: Path, content: bytes) -> bool:
        """Whether the holder of a lease has ended, or its last heartbeat is older than the timeout."""
        record = _parse(content)
        if record and record["where"] == self._process["where"]:
            return not process_runs(record["pid"], record["start"])
        return self._unchanged_s(path, content) > self._timeout_s

    def _unchanged_s(self, path: Path, content: bytes) -> float:
        """Time since this process first read this content [s]."""
        before, since = self._last_change.get(path, (None, 0.0))
        if content != before:
            self._last_change[path] = content, time.monotonic()
            return 0.0
        return time.monotonic() - since

    def _take_over(self, artifact: Path, content: bytes) -> bool:
        """Replace the lease of a dead process by one of this process; return False where another process did so."""
        path = lease_of(artifact)
        with self._claim(path, _token(content)) as unchanged:
            if not unchanged:
                return False
            aside = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
            file = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            self._hold(artifact, file, self._new_record())
            aside.replace(path)
        self._last_change.pop(path, None)
        return True

    @contextlib.contextmanager
    def _claim(self, path: Path, token: str) -> Iterator[bool]:
        """Yield whether the lease with this token still exists and this process alone may replace or remove it."""
        claim = path.with_name(f"{path.name}.{token}")
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            # a process that was killed within this block has left its claim
            if self._unchanged_s(claim, b"") > self._timeout_s:
                claim.unlink(missing_ok=True)
            yield False
            return
        try:
            yield _exists(path) and _token(_read(path)) == token
        finally:
            claim.unlink(missing_ok=True)
            self._last_change.pop(claim, None)


def lease_of(artifact: Path) -> Path:
    """Path of an artifact's lease."""
    return artifact.with_name(f".{artifact.name}.lease")


def lease_holder(artifact: Path) -> str:
    """Describe the holder of an artifact's lease."""
    record = _parse(_read(lease_of(artifact)))
    if record is None:
        return "another process"
    job = f"SLURM job {record['slurm_job']}, " if record["slurm_job"] else ""
    return f"{job}process {record['pid']} on {record['where'].split()[0]}"


def may_be_held(lease: Path) -> bool:
    """Whether the holder of a lease may be alive: false only for a process of this machine that has ended.

    What cannot be read, or is no lease, counts as held.
    """
    record = _parse(_read(lease))
    if record is None or record["where"] != _where():
        return True
    return process_start(record["pid"]) is not None  # start times are not compared: they follow the clock


def _exists(path: Path) -> bool:
    """Whether there is a lease; refuses anything else of that name, such as a pipe or a link."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise not_regular(path)
    return True


def _read(path: Path) -> bytes:
    """Return the content of a lease; nothing where there is none, or no regular file of that size."""
    try:
        return read_regular(path, LARGEST_LEASE)
    except (ArtifactError, OSError):
        return b""


def _write(file: int, record: dict[str, Any]) -> None:
    # On a full disk, other processes will treat this one as dead: work is repeated, but no result is lost.
    with contextlib.suppress(OSError):
        os.pwrite(file, json.dumps(record).encode(), 0)


def _parse(content: bytes) -> dict[str, Any] | None:
    """Return the record that a lease holds; None where it is not written yet, cut off by a full disk, or no lease."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and all(_is_valid(record, key) for key in _VALID) else None


_VALID: dict[str, Callable[[Any], bool]] = {
    "token": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None,
    "where": lambda value: isinstance(value, str) and bool(value.strip()),
    "pid": lambda value: type(value) is int and 0 < value < 2**31,
    "start": lambda value: value is None or (type(value) is float and math.isfinite(value)),
    "slurm_job": lambda value: value is None or isinstance(value, str),
}
"""What the values of a lease's record must be. The token is a part of a file name."""


def _is_valid(record: Mapping[str, Any], key: str) -> bool:
    return key in record and _VALID[key](record[key])


def _token(content: bytes) -> str:
    """Token of a lease; the same one for all leases that cannot be read."""
    record = _parse(content)
    return "unreadable" if record is None else str(record["token"])


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    job = os.environ.get("SLURM_JOB_ID")
    return {"where": _where(), "pid": pid, "start": process_start(pid), "slurm_job": job}


def _where() -> str:
    """Return the scope in which process ids are unique: host name, boot id and process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux: equal to no other
        return f"{socket.gethostname()} {secrets.token_hex(6)}"

"""Processes of tests start from one that has imported what takes seconds."""

import atexit
import contextlib
import fcntl
import functools
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


@functools.cache
def python() -> str:
    """Return a program that runs ``python -m`` in a fork of a server, which all processes of a test run share."""
    if not hasattr(os, "pidfd_open"):  # not Linux
        return sys.executable
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"hrtem-ood-warm-{os.getuid()}-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path, client = folder / "socket", folder / "python"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _own(path):
            path.unlink(missing_ok=True)
            words = [sys.executable, "-IS", str(HERE / "client.py"), str(path), sys.executable]
            client.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            client.chmod(0o755)
            _start(path, client)
    return str(client)


def _own(path: Path) -> bool:
    """Keep a server alive as long as this process lives; return whether there is one."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return False
    connection.send(b"owner")
    atexit.register(connection.close)
    return True


def _start(path: Path, client: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # threads would not live on in a fork
    with (path.parent / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, str(HERE / "server.py"), str(path), str(client)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    atexit.register(_end, server)  # runs after what is registered later: letting go of it
    for _ in range(600):
        if _own(path):
            return
        time.sleep(0.05)
    raise TimeoutError((path.parent / "log").read_text())


def _end(server: subprocess.Popen[bytes]) -> None:
    """Wait for the server's end, so that nothing is left behind; unless others still need it."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(10)

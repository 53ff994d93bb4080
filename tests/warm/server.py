"""A Python process that has imported the packages of others, and is forked for every ``python -m`` that tests call.

Nearly all of the time of a small campaign goes into importing torch, abTEM, pandas, Snakemake and the like, once for each
of its processes, and into freeing all that in the end. This package itself is imported here, too; a process whose
PYTHONPATH names another copy of it imports that one.

    python server.py SOCKET CLIENT

It ends when the last of its owners, processes that keep a connection open, is gone.
"""

import atexit
import contextlib
import gc
import importlib
import importlib.machinery
import json
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

OWN = "hrtem_ood"
PACKAGES = (
    "abtem",
    "abtem.parametrizations",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PpmImagePlugin",
    "PIL.TiffImagePlugin",
    "ase.io.extxyz",
    "contourpy",
    "dask.distributed",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "numba",
    "numba.core.boxing",
    "pandas",
    "pandas.io.formats.csvs",
    "pint",
    "pydantic",
    "pyfftw",
    "pytorch_lightning",
    "rich.console",
    "rich.table",
    "scipy.constants",
    "scipy.fft",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.stats",
    "seaborn",
    "snakemake.api",
    "snakemake.cli",
    "snakemake.workflow",
    "snakemake_executor_plugin_slurm",
    "submitit",
    "torch",
    "xarray",
    "yaml",
    "zarr.codecs",
    "zarr.storage",
)


def prepare() -> None:
    """Import packages, and have abTEM compile what every simulation needs."""
    for name in PACKAGES:
        importlib.import_module(name)
    from abtem.parametrizations import validate_parametrization

    for name in ("kirkland", "lobato"):
        validate_parametrization(name).projected_scattering_factor("Au")(np.zeros((2, 2)))
    own = importlib.import_module(OWN)
    for module in pkgutil.walk_packages(own.__path__, f"{OWN}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()


class Server:
    """Forks processes, tells their callers how they ended, and passes signals on.

    Parameters
    ----------
    listening : socket
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._owners: set[socket.socket] = set()
        self._jobs: dict[socket.socket, int | None] = {}  # their process; None once it has ended
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ, self._accept)

    def serve(self) -> Sequence[str] | None:
        """Serve; in a forked process, return the words that follow ``python -m``, in the server None, in the end."""
        while True:
            for key, _ in self._selector.select():
                if words := key.data(key.fileobj):
                    return words
                if words is not None:
                    return None

    def _accept(self, listening: socket.socket) -> None:
        caller, _ = listening.accept()
        self._selector.register(caller, selectors.EVENT_READ, self._hear)

    def _hear(self, caller: socket.socket) -> Sequence[str] | None:
        """Heed an owner, a job, a signal for a job, or that a caller is gone, and the job is to go, too."""
        try:
            message, files, *_ = socket.recv_fds(caller, 2**20, 3)
        except ConnectionResetError:  # killed before it had read how its job ended
            message = b""
        if message == b"owner":
            self._owners.add(caller)
        elif not message:
            return self._forget(caller)
        elif caller in self._jobs:
            self._send(caller, int(message))
        else:
            return self._fork(caller, json.loads(message), files)
        return None

    def _forget(self, caller: socket.socket) -> Sequence[str] | None:
        self._selector.unregister(caller)
        if self._jobs.get(caller):
            self._send(caller, signal.SIGKILL)
            return None
        self._jobs.pop(caller, None)
        caller.close()
        owned = bool(self._owners)
        self._owners.discard(caller)
        if owned and not self._owners:
            for job in self._jobs:
                self._send(job, signal.SIGKILL)
            return ()
        return None

    def _send(self, caller: socket.socket, number: int) -> None:
        if pid := self._jobs[caller]:
            os.kill(pid, number)

    def _fork(self, caller: socket.socket, job: dict[str, Any], files: list[int]) -> Sequence[str] | None:
        pid = os.fork()
        if pid:
            for file in files:
                os.close(file)
            self._jobs[caller] = pid
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, lambda end: self._reap(caller, end))
            return None
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.setsid()  # signals reach it through its caller only, and Linux shares processors between sessions
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        for number in job["ignored"]:
            signal.signal(number, signal.SIG_IGN)
        return list(job["words"])

    def _reap(self, caller: socket.socket, end: int) -> None:
        """Tell a caller how its job ended. It hangs up; were it cut off with a signal of its own unread, it would not hear."""
        self._selector.unregister(end)
        os.close(end)
        pid = self._jobs[caller]
        assert pid is not None
        _, status = os.waitpid(pid, 0)
        if caller in self._selector.get_map():
            self._jobs[caller] = None
            with contextlib.suppress(OSError):
                caller.send(str(os.waitstatus_to_exitcode(status)).encode())
        else:
            del self._jobs[caller]
            caller.close()


def become(words: Sequence[str], executable: str) -> None:
    """Be ``python -m`` with these words."""
    sys.executable = executable
    # The server's streams have seen what was there before, and may take a pipe for a file in which they can seek.
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding=sys.stderr.encoding, errors=sys.stderr.errors, closefd=False)  # noqa: SIM115
    sys.argv = list(words)
    sys.orig_argv = [executable, "-m", *words]
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:] = [str(Path.cwd()), *folders, *(folder for folder in sys.path if folder not in folders)]
    _forget_another_copy()
    with contextlib.suppress(ModuleNotFoundError):
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        _end(end.code or 0)
    _end(0)


def _forget_another_copy() -> None:
    """Have this package imported anew where ``sys.path`` has another copy of it, or a ``sitecustomize`` that changes it."""
    spec, custom = (importlib.machinery.PathFinder.find_spec(name) for name in (OWN, "sitecustomize"))
    changed = custom is not None and custom.origin is not None and OWN in Path(custom.origin).read_text()
    if spec is None or spec.origin != sys.modules[OWN].__file__ or changed:
        for name in [name for name in sys.modules if name.split(".")[0] == OWN]:
            del sys.modules[name]


def _end(code: int) -> NoReturn:
    """End as Python does, but leave it to the system to free the packages, which takes longer than a small job."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    path, client = sys.argv[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen(64)
        prepare()
        words = Server(listening).serve()
    if words:
        become(words, client)
    else:
        shutil.rmtree(Path(path).parent)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    main()

"""The server that forks the processes of tests outlives whatever these do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests import warm

WARM = Path(warm.__file__).parent
SERVER = """
import sys
import hrtem_ood
sys.path.insert(0, sys.argv.pop(1))
import server
server.prepare = lambda: None  # which takes seconds, and is not what is tested
server.main()
"""


class Warm:
    """A server of its own, which may die, and its clients."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "socket"
        with (folder / "log").open("w") as log:
            command = [sys.executable, "-c", SERVER, str(WARM), str(self.socket), "python"]
            self.server = psutil.Popen(command, stdout=log, stderr=log)
        wait(self.socket.exists)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start ``python -m`` with these words."""
        command = [sys.executable, "-IS", str(WARM / "client.py"), str(self.socket), sys.executable, "-m", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def started(tmp_path):
    started = Warm(tmp_path)
    yield started
    if started.server.is_running():
        started.server.kill()
    started.server.wait()


def wait(what):
    begin = time.monotonic()
    while not (found := what()):
        assert time.monotonic() - begin < 30
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("last", ["gone", "signal"])
def test_a_job_and_its_caller_that_end_at_once_leave_the_server_alive(started, last):
    """SLURM's end of a job reaches both; seen on a slow machine, where the server heard of both together."""
    client = started.start("timeit", "-s", "print('it runs', flush=True); import time; time.sleep(60)")
    assert client.stdout.readline() == "it runs\n"
    (job,) = started.server.children()
    started.server.suspend()
    wait(lambda: started.server.status() == psutil.STATUS_STOPPED)
    job.kill()
    wait(lambda: job.status() == psutil.STATUS_ZOMBIE)
    os.kill(client.pid, signal.SIGKILL if last == "gone" else signal.SIGTERM)
    client.wait() if last == "gone" else time.sleep(0.2)  # until it has passed the signal on
    started.server.resume()
    assert client.wait(30) == -signal.SIGKILL
    client.communicate()
    after = started.start("timeit", "-n1", "-r1", "pass")
    assert "1 loop" in after.communicate(timeout=30)[0]


def test_a_caller_that_is_killed_before_it_has_read_how_its_job_ended_leaves_the_server_alive(started):
    client = started.start("timeit", "-s", "print('it runs', flush=True); import time; time.sleep(60)")
    assert client.stdout.readline() == "it runs\n"
    (job,) = started.server.children()
    os.kill(client.pid, signal.SIGSTOP)
    job.kill()
    wait(lambda: not job.is_running())  # the server has reaped it, and sent the code
    time.sleep(0.2)
    client.kill()
    client.communicate(timeout=30)
    after = started.start("timeit", "-n1", "-r1", "pass")
    assert "1 loop" in after.communicate(timeout=30)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL])
def test_a_caller_ends_by_the_signal_that_ended_its_job(started, number):
    code = (
        f"import os, signal; signal.signal({int(number)}, signal.SIG_DFL)" if number != signal.SIGKILL else "import os"
    )
    client = started.start("timeit", "-s", f"{code}; os.kill(os.getpid(), {int(number)})")
    client.communicate(timeout=30)
    assert client.returncode == -number


def test_without_a_server_its_log_is_shown(started):
    started.server.kill()
    started.server.wait()
    (started.socket.parent / "log").write_text("out of luck")
    assert "out of luck" in started.start("timeit").communicate(timeout=30)[0]

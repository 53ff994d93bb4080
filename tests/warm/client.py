"""Stands for a Python: has the server of ``server.py`` forked for ``-m``, and lives, hears signals and ends as that fork.

python -IS client.py SOCKET PYTHON WORDS...
"""

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def why_no_server() -> str:
    try:
        with open(os.path.join(os.path.dirname(path), "log")) as log:  # noqa: PTH118, PTH120, PTH123  # as below
            return f"the server of warm processes has ended: {log.read()}"
    except OSError:
        return "the server of warm processes has ended, with all that needed it"


path, python, *words = sys.argv[1:]
if words[0] == "-u":
    del words[0]
if words[0] != "-m" or words[1] == "submitit.local._local":  # which is known by its process's number
    os.execv(python, [python, *words])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    try:
        server.connect(path)
    except OSError:
        sys.exit(why_no_server())
    job = {
        "words": words[1:],
        "folder": os.getcwd(),  # noqa: PTH109  # pathlib takes longer to import than all of this
        "environment": dict(os.environ),
        "ignored": [int(number) for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN],
    }
    # the server takes the first message for the job, so no signal must come before it
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for number in SIGNALS:
        signal.signal(number, lambda number, _frame: server.send(str(int(number)).encode()))
    socket.send_fds(server, [json.dumps(job).encode()], [0, 1, 2])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    code = int(server.recv(16) or sys.exit(why_no_server()))
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):  # which nobody can handle
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)  # as Python ends, signals are not handled any more, and one that the job had ignored would count

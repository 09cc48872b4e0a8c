"""Programs that tests talk to, each forked off a process that has imported what it needs.

An interpreter takes a third of a second of a processor to import wsgessions, and a campaign has four. So there is one
process, ``python -m tests.fork_server CONTROL``, that imports each program once, starts no thread, and forks for each
that is wanted. The program then runs as by ``python -m``, with one socket for its standard input and output. Its first
line is the number of its process. It should end when its input does, and the server ends with the test process.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

__all__ = ["ForkServer", "fork_server"]

ROOT = Path(__file__).resolve().parents[1]
_LARGEST = 2**20
"""Bytes of a message; the environment is in it."""


class ForkServer:
    """The test's side.

    Args:
        within: the network namespace that it and its programs run in; empty for ours.
    """

    def __init__(self, within: str = "") -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(("ip", "netns", "exec", within) if within else ()),
                    *(sys.executable, "-m", "tests.fork_server", str(theirs.fileno())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=_environment(),
            )

    def start(self, module: str, *arguments: str) -> socket.socket:
        """Start a program.

        Returns:
            Its standard input and output.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            message = json.dumps([module, arguments, _environment()]).encode()
            socket.send_fds(self._control, [message], [theirs.fileno()])
        return ours

    def close(self) -> None:
        """End it. Its programs stay."""
        self._control.close()
        self._process.wait()


@cache
def fork_server() -> ForkServer:
    """The one of this process."""
    return ForkServer()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}


def serve(control: socket.socket) -> None:
    """Fork and run, until the other end of the socket is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing waits for them
    while True:
        message, descriptors, *_ = socket.recv_fds(control, _LARGEST, 1)
        if not message:
            break
        module, arguments, environment = json.loads(message)
        importlib.import_module(module)
        if os.fork() == 0:
            control.close()
            run(module, arguments, environment, descriptors[0])
            break
        os.close(descriptors[0])


def run(module: str, arguments: list[str], environment: dict[str, str], stream: int) -> None:
    """Be the program."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for standard in (0, 1):
        os.dup2(stream, standard)
    os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    sys.argv[1:] = arguments
    del sys.modules[module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))

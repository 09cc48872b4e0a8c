"""Ports of loopback for servers that are told theirs on the command line."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port that the system gives to no other process, while a server that is told to can listen on it.

    It is bound here and nothing listens; servers set SO_REUSEADDR, as this does, and so may share it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until a server listens; pytest's time-out bounds it, and so does the end of the server, if it is given."""
    while True:
        assert server is None or server.poll() is None, f"{server.args!r} has ended with {server.returncode}"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)

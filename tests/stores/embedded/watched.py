"""Embedded stores and the processes around them, as a test sees and ends them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hiredis

from wsgessions.stores.embedded.connection import Connection
from wsgessions.stores.embedded.directory import StoreDirectory
from wsgessions.stores.embedded.endpoint import Endpoint, Secret
from wsgessions.stores.embedded.processes import ProcessMark, program_name

PATIENCE = 30.0
USER_PROGRAM = Path(__file__).with_name("user_program.py")
ROOT = Path(__file__).parents[3]


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as the condition holds; fail after a time that only a hanging process takes."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"still waiting: {what}"
        time.sleep(0.02)


def command_lines() -> dict[int, str]:
    """What every user of this machine can see of its processes: their command lines, by process id."""
    if Path("/proc/self/cmdline").exists():  # a small Linux has no `ps`
        lines = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                lines[int(path.parent.name)] = path.read_text(errors="replace").replace("\0", " ")
        return lines
    shown = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return {int(pid): arguments for pid, arguments in (line.split(None, 1) for line in shown.splitlines())}


def processes_about(text: str) -> list[int]:
    """The processes that have the text in their command line, this one and `ps` itself left out."""
    return [
        pid
        for pid, arguments in command_lines().items()
        if text in arguments and pid != os.getpid() and not arguments.startswith("ps ")
    ]


def end(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def has_ended(pid: int) -> bool:
    return ProcessMark.of(pid) is None


class Place:
    """A directory for a store, seen from outside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = StoreDirectory(path)

    def connection(self) -> Connection:
        """How to attach, once the store is ready."""
        found: list[Connection] = []

        def is_told() -> bool:
            told = Connection.read(self.directory)
            found.extend([told] if told else [])
            return bool(found)

        wait_until(is_told, "the connection file")
        return found[0]

    def supervisors(self) -> list[int]:
        return [pid for pid in processes_about(f"supervise.py {self.path} ") if not has_ended(pid)]

    def servers(self) -> list[int]:
        """The server processes that hold a file of this directory open (Linux)."""
        return [pid for pid in processes_about("valkey-server") if self._is_open_in(pid)]

    def _is_open_in(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            if not program_name(pid).startswith("valkey-server"):
                return False
            files = list(Path(f"/proc/{pid}/fd").iterdir())
            return any(file.is_symlink() and str(file.readlink()).startswith(f"{self.path}/") for file in files)
        return False

    def kill_supervisor(self) -> Connection:
        """End it as kill -9 does; what it last told is returned."""
        told = self.connection()
        end(told.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: has_ended(told.supervisor_pid), "the end of the supervisor")
        return told

    def wait_until_idle(self) -> None:
        wait_until(lambda: not self.supervisors() and not self.servers(), "supervisor and server to end")

    def end_everything(self) -> None:
        pids = {*processes_about(str(self.path)), *self.servers(), *self._told()}
        for pid in pids:
            end(pid, signal.SIGCONT)
            end(pid)
        wait_until(lambda: all(map(has_ended, pids)), "the last processes to end")

    def _told(self) -> list[int]:
        """The processes by the store's own account: `ps` does not show every name of a directory as it is."""
        with contextlib.suppress(OSError):
            told = json.loads(self.directory.connection.read_text())
            ours = {*processes_about("supervise.py"), *processes_about("valkey-server")}
            return [pid for pid in (told["supervisor_pid"], told["server_pid"]) if pid in ours]
        return []


class User:
    """Another process that uses the store, told what to do line by line."""

    def __init__(self, place: Path, *arguments: str, cwd: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, USER_PROGRAM, place, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "WSGESSIONS_SECRETS": "canary-of-the-application"},
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def tell(self, order: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def ask(self, order: str) -> Any:
        self.tell(order)
        return self.hear()

    def end(self, number: int = signal.SIGKILL) -> None:
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self.close()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Client:
    """One connection to the store, without any of this project's code."""

    def __init__(self, endpoint: Endpoint, *, signs_in: bool = True) -> None:
        if endpoint.socket:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(PATIENCE)
            self._socket.connect(endpoint.socket)
        else:
            self._socket = socket.create_connection((endpoint.host, endpoint.port), timeout=PATIENCE)
        self._reader = hiredis.Reader()
        if signs_in:
            assert self.call("AUTH", endpoint.username, endpoint.password.reveal()) == b"OK"

    def call(self, *words: str) -> Any:
        """The answer; errors are returned, and a lost connection raises OSError."""
        self._socket.sendall(b"*%d\r\n" % len(words))
        for word in map(str.encode, words):
            self._socket.sendall(b"$%d\r\n%s\r\n" % (len(word), word))
        while (answer := self._reader.gets()) is False:
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionResetError("the server has gone")
            self._reader.feed(piece)
        return answer

    def close(self) -> None:
        self._socket.close()


def endpoint_of(told: dict[str, Any]) -> Endpoint:
    """The endpoint that a user process has printed."""
    return Endpoint(**(told | {"password": Secret(told["password"])}))

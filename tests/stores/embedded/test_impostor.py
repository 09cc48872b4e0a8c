"""No password is said to a process that listens where the server is expected (S-87)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.stores.embedded.conftest import Supervise
from tests.stores.embedded.supervised import IMPOSTOR_PROGRAM, Fake, Watched
from tests.stores.embedded.watched import PATIENCE, Place, end, has_ended, wait_until
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.manager.store_factory import open_store
from wsgessions.record import SessionKey
from wsgessions.settings import SessionSettings
from wsgessions.stores.embedded import peer
from wsgessions.stores.embedded.binary import find_server
from wsgessions.stores.embedded.configuration import Doors, Listening
from wsgessions.stores.embedded.directory import StoreDirectory
from wsgessions.stores.embedded.peer import Peer, own_namespace


class Impostor:
    """A process in the server's place, and what it has been told so far."""

    def __init__(self, where: str) -> None:
        command = [sys.executable, str(IMPOSTOR_PROGRAM), where]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        wait_until(lambda: "ready" in self.lines, "the impostor")

    def _listen(self) -> None:
        assert self._process.stdout
        self.lines.extend(line.strip() for line in self._process.stdout)

    @property
    def was_met(self) -> bool:
        return "left" in self.lines

    @property
    def told(self) -> list[str]:
        return [line for line in self.lines if line.startswith("told")]

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._listener.join(PATIENCE)
        assert self._process.stdout
        self._process.stdout.close()


class Impostors:
    def __init__(self) -> None:
        self._all: list[Impostor] = []

    def at(self, where: str) -> Impostor:
        self._all.append(Impostor(where))
        return self._all[-1]

    def close(self) -> None:
        for impostor in self._all:
            impostor.close()


@pytest.fixture
def impostors() -> Iterator[Impostors]:
    made = Impostors()
    yield made
    made.close()


@pytest.fixture(params=["socket", "port"])
def either_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A directory whose server listens on a unix socket, and one whose path is too long for that."""
    made = Place(tmp_path / ("store" if request.param == "socket" else "long" * 25) / "store")
    yield made
    made.end_everything()


def test_what_bound_the_socket_before_the_start_hears_nothing(
    supervise: Supervise, place: Place, impostors: Impostors
) -> None:
    place.directory.prepare()
    impostor = impostors.at(str(place.directory.socket))
    supervise(find_server()).next("ready")
    assert impostor.told == []


def test_what_takes_the_place_between_the_start_and_the_first_question_hears_nothing(
    either_place: Place, tmp_path: Path
) -> None:
    """The server's own process lives; another has its socket, or its port."""
    watched = Watched(either_place, Fake(tmp_path, "usurped").path, served_by="embedded", patience=5)
    assert "does not answer: the process that answers there is not the server of this store" in watched.next("error")
    watched.close()
    heard = (tmp_path / "heard").read_text().splitlines()
    assert "left" in heard
    assert set(heard) == {"ready", "left"}


async def _refused(attempt: Callable[..., Awaitable[object]]) -> None:
    with pytest.raises(StoreUnavailable, match="the process that answers there is not the server of this store"):
        await attempt(deadline=time.monotonic() + 1.5)


async def test_what_takes_the_place_of_a_server_that_died_hears_nothing_of_its_clients(
    either_place: Place, impostors: Impostors
) -> None:
    """Those that were connected, and those that come; the supervisor has not noticed yet."""
    settings = SessionSettings(store_url=f"embedded:{either_place.path}")
    before, after = open_store(settings), open_store(settings)
    await before.start(deadline=time.monotonic() + PATIENCE)
    told = either_place.connection()
    end(told.supervisor_pid, signal.SIGSTOP)
    end(told.server_pid)
    wait_until(lambda: has_ended(told.server_pid), "the end of the server")
    impostor = impostors.at(told.socket or str(told.port))
    await _refused(partial(before.load, SessionKey(0, bytes(16))))
    await _refused(after.start)
    assert impostor.was_met
    assert impostor.told == []
    end(told.supervisor_pid, signal.SIGCONT)
    await before.start(deadline=time.monotonic() + PATIENCE)
    await after.start(deadline=time.monotonic() + PATIENCE)
    assert impostor.told == []
    await before.close()
    await after.close()


async def test_an_impostor_after_the_start_is_not_told_the_supervisors_password_either(
    supervise: Supervise, place: Place, impostors: Impostors, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = supervise(find_server(), health_interval=0.05)
    watched.next("ready")
    impostor = impostors.at(str(place.directory.socket))
    wait_until(lambda: impostor.was_met, "the supervisor's next question")
    assert impostor.told == []


def _connected(listening: socket.socket) -> socket.socket:
    return socket.create_connection(listening.getsockname()[:2])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_tcp_connection_is_the_servers_once_it_has_accepted_it(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ours = Peer(os.getpid(), own_namespace())
    with socket.create_server((address, 0), family=family) as listening, _connected(listening) as connection:
        assert not ours.holds(connection)
        accepted, _ = listening.accept()
        with accepted:
            assert ours.holds(connection)
            with pytest.raises(ConnectionRefusedError, match="not the server"):
                Peer(1, own_namespace()).holds(connection)


def test_in_another_namespace_of_processes_the_user_must_be_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another container, where the server has another number, or none."""
    theirs = Peer(1, "pid:[1]")
    for family in (socket.AF_INET, socket.AF_UNIX):
        one, other = _pair(family)
        with one, other:
            assert theirs.holds(one)
            with monkeypatch.context() as patched:
                patched.setattr(os, "geteuid", lambda: 2**31 - 2)
                with pytest.raises(ConnectionRefusedError, match="not the server"):
                    theirs.holds(one)


def test_where_the_system_does_not_tell_the_peer_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, other = _pair(socket.AF_INET)
    monkeypatch.setattr(peer, "Path", lambda *_: tmp_path / "missing")
    with one, other, pytest.raises(ConnectionRefusedError, match="does not tell which process"):
        Peer(os.getpid(), own_namespace()).holds(one)


def _pair(family: int) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = _connected(listening)
        return connection, listening.accept()[0]


def test_where_the_system_tells_nothing_of_ports_a_store_does_not_listen_on_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wsgessions.stores.embedded.configuration.TELLS_TCP", False)
    assert Listening.at(StoreDirectory("/short"), Doors.SOCKET, 0).socket
    assert Listening.at(StoreDirectory("/short"), Doors.BOTH, 0).port
    for directory, doors in (("/short", Doors.PORT), ("/long" * 30, Doors.SOCKET), ("/long" * 30, Doors.BOTH)):
        with pytest.raises(ConfigError, match=r"does not tell which process answers.*name a directory whose path"):
            Listening.at(StoreDirectory(directory), doors, 0)

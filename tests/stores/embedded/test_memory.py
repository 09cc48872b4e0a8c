"""What the embedded store's configuration is for, measured on a real one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.embedded.conftest import MakeClient
from tests.stores.embedded.watched import Client, Place, wait_until
from wsgessions.stores.embedded import Endpoint, FsyncPolicy, Secret
from wsgessions.stores.embedded.binary import find_server
from wsgessions.stores.embedded.configuration import Doors, Listening, configuration
from wsgessions.stores.embedded.memory import half_of_memory

SESSIONS, ATTRIBUTES, VALUE = 2000, 20, 100


@pytest.fixture
def client(place: Place, make_client: MakeClient) -> Iterator[Client]:
    """Of a server with the embedded store's configuration, which lets anyone look into it."""
    directory = place.directory
    directory.prepare()
    directory.data.mkdir()
    listening = Listening.at(directory, Doors.SOCKET, 0)
    users = ["user default on nopass ~* +@all"]
    text = configuration(directory, listening, users, fsync=FsyncPolicy.EVERYSEC, maxmemory=1 << 30)
    directory.configuration.write_bytes(text)
    with subprocess.Popen([find_server(), directory.configuration]) as server:
        wait_until(directory.socket.exists, "the server")
        yield make_client(Endpoint(listening.socket, None, None, "default", Secret(""), "", 0, ""), signs_in=False)
        server.terminate()


def test_a_session_of_twenty_small_attributes_takes_at_most_one_and_a_half_times_its_values(client: Client) -> None:
    """Design section 9; the record has its own fields, and each attribute the version that wrote it."""

    def used() -> int:
        return int(client.call("INFO", "memory").split(b"used_memory:")[1].split(b"\r\n")[0])

    before = used()
    for number in range(SESSIONS):
        words = [word for index in range(ATTRIBUTES) for word in (f"attribute{index}", os.urandom(54).hex())]
        record = ["i", "x" * 8, "v", "12", "c", "1700000000000", "t", "1800", "d", "1700000000000", "m", "x" * 64]
        client.call("HSET", f"wsg:0123abcd:{{1a2}}:s:{number:016}", *words, *record)
    assert client.call("OBJECT", "ENCODING", "wsg:0123abcd:{1a2}:s:0000000000000000") == b"listpack"
    assert (used() - before) / (SESSIONS * ATTRIBUTES * VALUE) <= 1.5


def test_sessions_of_up_to_five_hundred_attributes_stay_compact(client: Client) -> None:
    for number in range(500):
        client.call("HSET", "h", f"attribute{number}", "v" * 1000)
    assert client.call("OBJECT", "ENCODING", "h") == b"listpack"


def limited(system: Path, **files: str) -> int:
    """Half of the memory of a system with these files, whose names have ``__`` for each slash."""
    for name, content in files.items():
        file = system / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return half_of_memory(system)


def test_the_limit_is_half_of_the_machines_memory_or_of_the_smallest_limit_of_the_container(tmp_path: Path) -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert limited(tmp_path / "bare") == machine // 2
    unlimited = {"sys__fs__cgroup__memory.max": "max\n", "proc__self__cgroup": "0::/a/b\n"}
    assert limited(tmp_path / "unlimited", **unlimited) == machine // 2
    around = {"sys__fs__cgroup__a__memory.max": "1000000\n", "sys__fs__cgroup__a__b__memory.max": "2000000\n"}
    assert limited(tmp_path / "nested", **unlimited, **around) == 500_000
    older = {"sys__fs__cgroup__memory__memory.limit_in_bytes": "3000000\n"}
    assert limited(tmp_path / "older", **older) == 1_500_000

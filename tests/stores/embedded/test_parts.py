"""The parts that tell processes apart, lock files and tie lives together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.embedded.watched import PATIENCE, end, has_ended, wait_until
from wsgessions.stores.embedded import supervisor
from wsgessions.stores.embedded.configuration import Doors, Listening
from wsgessions.stores.embedded.directory import StoreDirectory
from wsgessions.stores.embedded.lifeline import Guardian
from wsgessions.stores.embedded.locks import FileLock
from wsgessions.stores.embedded.plan import Plan
from wsgessions.stores.embedded.processes import ProcessMark, listener_of, program_name


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in a group of its own."""
    with subprocess.Popen(["sleep", "600"], process_group=0) as process:
        yield process
        process.kill()


def test_a_mark_fits_a_process_from_its_start_to_its_end(sleeper: subprocess.Popen[bytes]) -> None:
    mark = ProcessMark.of(sleeper.pid)
    assert mark
    assert mark.is_alive()
    assert ProcessMark.from_bytes(mark.to_bytes()) == mark
    mark.kill()
    sleeper.wait(PATIENCE)
    assert not mark.is_alive()
    mark.kill()


def test_a_process_that_waits_to_be_reaped_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    wait_until(lambda: has_ended(sleeper.pid), "the zombie")
    assert sleeper.wait(PATIENCE) == -signal.SIGKILL


def test_a_mark_of_another_start_does_not_kill(sleeper: subprocess.Popen[bytes]) -> None:
    ProcessMark(sleeper.pid, "another start").kill()
    assert sleeper.poll() is None


@pytest.mark.parametrize("content", [None, b"", b"[]", b"[1]", b'["1", "2"]', b"[1, 2]", b"{", b"123", b"\xff"])
def test_a_damaged_mark_is_no_mark(content: bytes | None) -> None:
    assert ProcessMark.from_bytes(content) is None


def test_the_holder_of_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = listener_of(server.getsockname()[1])
    assert found == f"pid {os.getpid()} ({program_name(os.getpid())})"
    assert listener_of(server.getsockname()[1] if server.fileno() >= 0 else 1) == ""


def test_a_lock_is_shared_by_many_or_held_by_one(tmp_path: Path) -> None:
    first, second, third = (FileLock(tmp_path / "lock") for _ in range(3))
    assert first.try_shared()
    assert second.try_shared()
    assert not third.try_alone()
    first.close()
    second.close()
    assert third.try_alone()
    third.give_back()
    third.close()
    third.close()


def test_a_lock_follows_the_open_file_into_a_forked_child_and_ends_with_the_last(tmp_path: Path) -> None:
    held, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert held.try_shared()
    if (child := os.fork()) == 0:
        signal.pause()
        os._exit(0)
    held.close()
    assert not other.try_alone()
    end(child)
    os.waitpid(child, 0)
    assert other.try_alone()
    other.close()


def test_a_started_program_does_not_inherit_a_lock(tmp_path: Path) -> None:
    held, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert held.try_alone()
    with subprocess.Popen(["sleep", "600"], close_fds=False) as process:
        held.close()
        assert other.try_alone()
        process.kill()
    other.close()


def test_a_lock_file_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.is_current()
    (tmp_path / "lock").rename(tmp_path / "other")
    assert not lock.is_current()
    (tmp_path / "lock").touch()
    assert not lock.is_current()
    lock.close()


def test_a_lock_is_no_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "lock").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="symbolic links"):
        FileLock(tmp_path / "lock")


GUARDED = """
import signal, subprocess, sys
from wsgessions.stores.embedded.lifeline import Guardian
child = subprocess.Popen(["sleep", "600"])
guardian = Guardian(child.pid)
if sys.argv[1] == "release": guardian.release()
print(child.pid, flush=True)
signal.pause()
"""


@pytest.mark.parametrize(("order", "goes_along"), [("keep", True), ("release", False)])
def test_where_the_kernel_ties_no_lives_a_guardian_does(order: str, goes_along: bool) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", GUARDED, order]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    try:
        if goes_along:
            wait_until(lambda: has_ended(pid), "the guarded process to end")
        else:
            assert not has_ended(pid)
    finally:
        end(pid)


def test_a_guardian_that_is_released_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    Guardian(sleeper.pid).release()
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    ("doors", "has_socket", "has_port"),
    [(Doors.SOCKET, True, False), (Doors.PORT, False, True), (Doors.BOTH, True, True)],
)
def test_doors_say_what_is_listened_on(tmp_path: Path, doors: Doors, has_socket: bool, has_port: bool) -> None:
    listening = Listening.at(StoreDirectory("/short"), doors, 0)
    assert (listening.socket is not None, listening.port is not None) == (has_socket, has_port)
    too_long = Listening.at(StoreDirectory("/long" * 30), doors, 0)
    assert (too_long.socket, too_long.port is not None) == (None, True)


@pytest.mark.parametrize(
    ("bind", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")]
)
def test_clients_on_this_host_are_given_an_address_that_leads_there(bind: str, host: str) -> None:
    assert Listening(None, bind, 9510).host == host
    assert Listening("/s", bind, None).host is None


def test_a_socket_path_may_be_as_long_as_the_system_takes(tmp_path: Path) -> None:
    name = "/valkey.sock"
    longest = StoreDirectory("/" + "x" * (107 - 1 - len(name)))
    assert Listening.at(longest, Doors.SOCKET, 0).socket == str(longest.socket)
    assert Listening.at(StoreDirectory(f"{longest}x"), Doors.SOCKET, 0).socket is None
    assert Listening.at(StoreDirectory("/" + "ä" * 60), Doors.SOCKET, 0).socket is None  # bytes count, not letters


def test_a_plan_survives_the_command_line() -> None:
    plan = Plan("/v", "pid 1 (x)", doors=Doors.BOTH, port=9510, bind="0.0.0.0")
    assert Plan.from_json(plan.to_json()) == plan


def test_a_deserted_server_is_told_to_stop_well_before_the_promised_five_seconds() -> None:
    assert supervisor._GRACE + 2 * supervisor._TICK < 5 / 2

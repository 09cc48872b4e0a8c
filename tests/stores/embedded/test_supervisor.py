"""What a supervisor does about a server that is slow, silent, broken or gone."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from tests.stores.embedded.conftest import MakeClient, Supervise
from tests.stores.embedded.supervised import Fake
from tests.stores.embedded.watched import PATIENCE, Place, end, wait_until
from wsgessions.errors import StoreUnavailable
from wsgessions.stores.embedded import EmbeddedServer, Endpoint, FsyncPolicy
from wsgessions.stores.embedded import server as server_module
from wsgessions.stores.embedded.binary import find_server
from wsgessions.stores.embedded.connection import Connection, ServedBy
from wsgessions.stores.embedded.locks import FileLock
from wsgessions.stores.valkey.client import versions


def soon() -> float:
    return time.monotonic() + PATIENCE


def test_a_server_that_reads_a_long_file_is_waited_for_with_its_progress(supervise: Supervise, tmp_path: Path) -> None:
    """F-05: loading is no failure."""
    watched = supervise(Fake(tmp_path, "loading").path)
    assert watched.next("starting") == "reading its file, 3.00 %"
    assert watched.next("starting") == "reading its file, 64.00 %"
    assert watched.next("ready") == "9.0.1"
    watched.stop()
    watched.next("end")


async def test_an_older_server_is_warned_of_by_whoever_attaches(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """S-88."""
    fake = Fake(tmp_path, "loading")
    monkeypatch.setattr(server_module, "find_server", lambda: fake.path)
    monkeypatch.setattr(versions, "_warned", set())
    server = EmbeddedServer(place.path)
    with caplog.at_level(logging.WARNING, "wsgessions"):
        await server.attach(deadline=time.monotonic() + PATIENCE)
    assert f"valkey 9.0.1, which has known security holes ({versions.ADVISORIES['valkey']}" in caplog.text
    server.detach()


def test_a_server_that_never_answers_is_given_up_and_ended(supervise: Supervise, tmp_path: Path, place: Place) -> None:
    watched = supervise(Fake(tmp_path, "silent").path, patience=0.3)
    assert "started and does not answer" in watched.next("error")
    assert not place.servers()


def test_a_server_that_does_not_start_is_told_in_its_own_words(supervise: Supervise, tmp_path: Path) -> None:
    fake = Fake(tmp_path, "broken")
    assert "ended: Fatal error: something of the server's own (see " in supervise(fake.path).next("error")
    assert fake.runs() == 1


async def test_a_drawn_port_that_was_lost_is_drawn_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(tmp_path, "port")
    monkeypatch.setattr(server_module, "find_server", lambda: fake.path)
    server = EmbeddedServer(place.path, port=0)
    with pytest.raises(StoreUnavailable, match=r"port \d+ is taken by another program"):
        await server.attach(deadline=time.monotonic() + PATIENCE)
    assert fake.runs() == 3
    server.detach()


def test_a_server_that_cannot_be_restarted_is_given_up_after_some_tries(
    supervise: Supervise, place: Place, tmp_path: Path
) -> None:
    fake = Fake(tmp_path, "once")
    watched = supervise(fake.path)
    watched.next("ready")
    end(place.connection().server_pid)
    assert "something of the server's own" in watched.next("error")
    assert fake.runs() == 1 + 5
    assert not place.directory.connection.exists()


def test_a_server_that_dies_again_and_again_is_restarted_again_and_again(supervise: Supervise, place: Place) -> None:
    watched = supervise(find_server())
    for _ in range(6):
        watched.next("ready")
        end(place.connection().server_pid)
        assert "ended: killed by SIGKILL, by a user or by a system short of memory" in watched.next("trouble")
    watched.next("ready")
    watched.stop()
    watched.next("end")


def test_it_stops_by_itself_when_nobody_uses_the_directory(supervise: Supervise, place: Place) -> None:
    watched = supervise(find_server(), served_by="embedded")
    watched.next("ready")
    watched.next("end")
    assert not place.servers()


def test_users_keep_it_and_its_end_waits_for_the_last(supervise: Supervise, place: Place) -> None:
    place.directory.prepare()
    user = FileLock(place.directory.users_lock)
    assert user.try_shared()
    watched = supervise(find_server(), served_by="embedded")
    watched.next("ready")
    user.close()
    watched.next("end")
    late = FileLock(place.directory.users_lock)
    wait_until(late.try_shared, "the end of a supervisor that keeps newcomers out")
    late.close()


def test_told_to_stop_while_it_waits_for_an_earlier_server_it_kills_nobody(supervise: Supervise, place: Place) -> None:
    place.directory.prepare()
    held = FileLock(place.directory.server_lock)
    assert held.try_alone()
    watched = supervise(find_server())
    watched.next("starting")
    watched.stop()
    watched.next("end")
    held.close()


def test_what_a_killed_server_had_begun_to_rewrite_is_removed(supervise: Supervise, place: Place) -> None:
    place.directory.prepare()
    (place.directory.data / "appendonlydir").mkdir(parents=True)
    draft = place.directory.data / "appendonlydir" / "temp-rewriteaof-bg-123.aof"
    draft.touch()
    supervise(find_server()).next("ready")
    assert not draft.exists()


def test_a_large_log_is_put_aside_when_the_server_starts(supervise: Supervise, place: Place) -> None:
    place.directory.prepare()
    place.directory.server_log.write_bytes(b"x" * (5 << 20))
    supervise(find_server()).next("ready")
    assert place.directory.server_log.with_suffix(".log.1").stat().st_size == 5 << 20
    assert place.directory.server_log.stat().st_size < 1 << 20


def test_a_removed_directory_ends_it_with_a_word(supervise: Supervise, place: Place, tmp_path: Path) -> None:
    watched = supervise(find_server())
    watched.next("ready")
    place.path.rename(tmp_path / "elsewhere")
    assert "was removed or replaced" in watched.next("trouble")
    watched.next("end")
    wait_until(lambda: not place.servers(), "the end of the server")


async def test_users_of_a_server_that_is_stopped_go_on_and_everybody_is_told(
    supervise: Supervise, place: Place, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator at the server's terminal, and who reads the application's log."""
    watched, user = supervise(find_server()), EmbeddedServer(place.path)
    watched.next("ready")
    make_client(await user.attach(deadline=soon())).call("SET", "k", "v")
    watched.stop()
    assert f"applications still use {place.path}: they go on with an embedded store" in watched.next("trouble")
    watched.next("end")
    client = make_client(await user.endpoint(deadline=soon()))
    assert client.call("GET", "k") == b"v"
    [said] = [line for line in caplog.records if getattr(line, "event", "") == "embedded_instead"]
    assert said.levelno == logging.WARNING
    assert f"server of {place.path} has ended, and {place.connection().described()} serves it" in said.getMessage()
    user.detach()


def test_a_server_that_nobody_uses_stops_without_a_word(supervise: Supervise) -> None:
    watched = supervise(find_server())
    watched.next("ready")
    watched.stop()
    assert watched.rest() == ["end"]


async def test_a_server_takes_over_from_the_embedded_store_of_running_applications(
    supervise: Supervise, place: Place, make_client: MakeClient
) -> None:
    """An operator stops and starts `wsgessions server`, and no application need be ended for it."""
    users = [EmbeddedServer(place.path) for _ in range(3)]
    client = make_client(await users[0].attach(deadline=soon()))
    for user in users[1:]:
        await user.attach(deadline=soon())
    client.call("SET", "k", "v")
    watched = supervise(find_server())
    found = await asyncio.gather(*(asking_until_served(user, place) for user in users))
    watched.next("ready")
    assert found == found[:1] * 3
    assert make_client(found[0]).call("GET", "k") == b"v"
    assert len(place.servers()) == 1
    assert not place.supervisors()
    for user in users:
        user.detach()


async def asking_until_served(user: EmbeddedServer, place: Place) -> Endpoint:
    """What a user does whose link breaks again and again: some of the time there is no server."""
    while True:
        endpoint = await user.endpoint(deadline=soon())
        told = Connection.read(place.directory)
        if told and told.served_by is ServedBy.SERVER and told.endpoint() == endpoint:
            return endpoint
        await asyncio.sleep(0.01)


async def test_no_user_starts_a_store_where_a_server_is_about_to(place: Place) -> None:
    place.directory.prepare()
    coming, user = FileLock(place.directory.takeover_lock), EmbeddedServer(place.path)
    assert coming.try_alone()
    with pytest.raises(StoreUnavailable, match="not ready yet"):
        await user.attach(deadline=time.monotonic() + 0.2)
    assert not place.supervisors()
    coming.close()  # it has died
    await user.attach(deadline=soon())
    user.detach()


async def test_a_server_that_keeps_less_than_applications_ask_for_leaves_their_store_alone(
    supervise: Supervise, place: Place
) -> None:
    user = EmbeddedServer(place.path, fsync=FsyncPolicy.ALWAYS)
    endpoint = await user.attach(deadline=soon())
    assert "start this server with --fsync always" in supervise(find_server()).next("error")
    assert await user.endpoint(deadline=soon()) == endpoint
    user.detach()

"""The life of an embedded store: who starts it, who keeps it alive, and what survives a kill (F-24, F-05)."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.stores.embedded.conftest import MakeClient, MakeUser
from tests.stores.embedded.watched import PATIENCE, Client, Place, end, endpoint_of, has_ended, wait_until
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.stores.embedded import EmbeddedServer, FsyncPolicy
from wsgessions.stores.embedded.locks import FileLock
from wsgessions.stores.embedded.processes import ProcessMark


def soon() -> float:
    return time.monotonic() + PATIENCE


async def test_whoever_comes_first_starts_the_server_and_others_attach(place: Place, make_user: MakeUser) -> None:
    server = EmbeddedServer(place.path)
    endpoint = await server.attach(deadline=soon())
    pid = place.connection().server_pid
    assert endpoint_of(make_user().ask("attach")) == endpoint
    assert place.connection().server_pid == pid
    assert len(place.servers()) == len(place.supervisors()) == 1
    server.detach()


def test_four_workers_that_start_at_once_get_exactly_one_server(place: Place, make_user: MakeUser) -> None:
    users = [make_user() for _ in range(4)]
    for user in users:
        user.tell("attach")
    endpoints = [endpoint_of(user.hear()) for user in users]
    assert endpoints == endpoints[:1] * 4
    assert len(place.servers()) == len(place.supervisors()) == 1


def test_the_server_stops_when_its_only_user_is_killed(place: Place, make_user: MakeUser) -> None:
    user = make_user()
    user.ask("attach")
    told = place.connection()
    user.end(signal.SIGKILL)
    wait_until(
        lambda: has_ended(told.server_pid) and has_ended(told.supervisor_pid), "the end of server and supervisor"
    )
    assert not place.directory.connection.exists()
    assert "Calling fsync() on the AOF file" in place.directory.server_log.read_text()


def test_the_server_stays_while_one_user_is_left(place: Place, make_user: MakeUser) -> None:
    first, second = make_user(), make_user()
    first.ask("attach")
    second.ask("attach")
    pid = place.connection().server_pid
    first.end(signal.SIGKILL)
    until = time.monotonic() + 2.5  # longer than the time after which a deserted server begins to stop
    while time.monotonic() < until:
        assert not has_ended(pid)
        time.sleep(0.1)
    second.ask("detach")
    wait_until(lambda: has_ended(pid), "the end of the server")


async def test_data_is_there_again_after_everybody_left_and_came_back(place: Place, make_client: MakeClient) -> None:
    server = EmbeddedServer(place.path)
    assert make_client(await server.attach(deadline=soon())).call("SET", "k", "v") == b"OK"
    server.detach()
    place.wait_until_idle()
    assert make_client(await server.attach(deadline=soon())).call("GET", "k") == b"v"
    server.detach()


async def test_a_killed_supervisor_takes_its_server_along_and_a_survivor_starts_another(
    place: Place, make_client: MakeClient
) -> None:
    server = EmbeddedServer(place.path, fsync=FsyncPolicy.EVERYSEC)
    client = make_client(await server.attach(deadline=soon()))
    for number in range(200):
        client.call("SET", f"k{number}", "v")
    told = place.kill_supervisor()
    client = make_client(await server.endpoint(deadline=soon()))
    assert has_ended(told.server_pid)
    assert len(place.servers()) == len(place.supervisors()) == 1
    # The old server was told to stop, and wrote everything.
    assert client.call("EXISTS", *(f"k{number}" for number in range(200))) == 200
    server.detach()


async def test_survivors_that_notice_at_once_start_one_supervisor_only(place: Place, make_user: MakeUser) -> None:
    users = [make_user() for _ in range(3)]
    for user in users:
        user.ask("attach")
    place.kill_supervisor()
    for user in users:
        user.tell("attach")
    endpoints = [endpoint_of(user.hear()) for user in users]
    assert endpoints == endpoints[:1] * 3
    assert len(place.servers()) == len(place.supervisors()) == 1


async def test_what_a_dead_supervisor_told_is_not_believed_although_its_server_still_listens(place: Place) -> None:
    """The moment between a survivor's claim on the directory and the end of the old server, drawn out."""
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    end(place.connection().server_pid, signal.SIGSTOP)
    told = place.kill_supervisor()
    successor = FileLock(place.directory.supervisor_lock)
    assert successor.try_alone()
    assert place.directory.connection.exists()
    with pytest.raises(StoreUnavailable, match="not ready yet"):
        await server.endpoint(deadline=time.monotonic() + 0.2)
    successor.close()
    assert await server.endpoint(deadline=soon()) != told.endpoint()
    server.detach()


def test_no_server_outlives_a_supervisor_and_user_that_are_killed_together(place: Place, make_user: MakeUser) -> None:
    user = make_user()
    user.ask("attach")
    told = place.connection()
    end(told.supervisor_pid, signal.SIGKILL)
    user.end(signal.SIGKILL)
    wait_until(lambda: has_ended(told.server_pid), "the end of the server")


async def test_a_server_that_cannot_stop_is_ended_before_another_touches_its_data(place: Place) -> None:
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    told = place.connection()
    end(told.server_pid, signal.SIGSTOP)
    place.kill_supervisor()
    await server.endpoint(deadline=soon())
    assert has_ended(told.server_pid)
    assert len(place.servers()) == 1
    server.detach()


class Writer(threading.Thread):
    """Writes numbered keys until the connection breaks, and keeps when each was acknowledged."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self.acknowledged: list[float] = []

    def run(self) -> None:
        try:
            while True:
                assert self._client.call("SET", f"k{len(self.acknowledged)}", "v" * 100) == b"OK"
                self.acknowledged.append(time.monotonic())
        except OSError:
            return


@pytest.mark.parametrize(("fsync", "may_lose_seconds"), [(FsyncPolicy.EVERYSEC, 2.0), (FsyncPolicy.ALWAYS, 0.0)])
async def test_a_killed_server_is_restarted_and_has_what_was_acknowledged(
    place: Place, make_client: MakeClient, fsync: FsyncPolicy, may_lose_seconds: float
) -> None:
    """F-05: with ``always`` everything; with ``everysec`` everything that is older than two seconds."""
    server = EmbeddedServer(place.path, fsync=fsync)
    writer = Writer(make_client(await server.attach(deadline=soon())))
    told = place.connection()
    writer.start()

    def has_old_writes() -> bool:
        return len(writer.acknowledged) > 1000 and time.monotonic() - writer.acknowledged[1000] > may_lose_seconds

    wait_until(has_old_writes, "a thousand acknowledged writes of some age")
    killed_at = time.monotonic()
    end(told.server_pid, signal.SIGKILL)
    writer.join(PATIENCE)
    wait_until(lambda: place.connection().server_pid != told.server_pid, "another server")
    kept = make_client(await server.endpoint(deadline=soon()))
    must_be_there = [at for at in writer.acknowledged if at <= killed_at - may_lose_seconds or not may_lose_seconds]
    assert len(must_be_there) > 1000
    assert kept.call("EXISTS", *(f"k{number}" for number in range(len(must_be_there)))) == len(must_be_there)
    assert place.connection().supervisor_pid == told.supervisor_pid
    assert place.connection().password == told.password
    server.detach()


async def test_a_supervisor_that_is_told_to_stop_stops_the_server_and_a_user_may_start_another(place: Place) -> None:
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    told = place.connection()
    end(told.supervisor_pid, signal.SIGTERM)
    wait_until(lambda: has_ended(told.server_pid) and has_ended(told.supervisor_pid), "the end of both")
    assert await server.endpoint(deadline=soon()) != told.endpoint()  # another password
    server.detach()


async def test_ctrl_c_in_the_terminal_of_an_application_does_not_reach_the_store(
    place: Place, make_user: MakeUser
) -> None:
    user = make_user()
    endpoint = endpoint_of(user.ask("attach"))
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    os.killpg(user.pid, signal.SIGINT)
    user.end(signal.SIGINT)
    assert await server.endpoint(deadline=soon()) == endpoint
    server.detach()


async def test_files_that_a_crash_left_behind_are_not_believed(place: Place, make_client: MakeClient) -> None:
    """F-24: stale connection, pid, socket and lock files."""
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    stale = {path: path.read_bytes() for path in (place.directory.connection, place.directory.server_pid)}
    server.detach()
    place.wait_until_idle()
    for path, content in stale.items():
        path.write_bytes(content)
        path.chmod(0o600)
    place.directory.socket.write_bytes(b"")
    client = make_client(await server.attach(deadline=soon()))
    assert client.call("PING") == b"PONG"
    server.detach()


async def test_a_stale_pid_file_does_not_kill_a_stranger_of_that_number(place: Place) -> None:
    """A pid alone is no proof: the start time must fit as well."""
    server = EmbeddedServer(place.path)
    place.directory.prepare()
    stranger = ProcessMark(os.getpid(), "the start of another process")
    place.directory.server_pid.write_bytes(stranger.to_bytes())
    place.directory.server_pid.chmod(0o600)
    held = FileLock(place.directory.server_lock)
    assert held.try_alone()
    with pytest.raises(StoreUnavailable, match="still in use"):  # and we are still alive
        await server.attach(deadline=soon())
    held.close()
    server.detach()


async def test_a_removed_directory_ends_its_server_and_a_user_gets_a_new_one(place: Place, tmp_path: Path) -> None:
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    told = place.connection()
    place.path.rename(tmp_path / "elsewhere")
    wait_until(lambda: has_ended(told.server_pid) and has_ended(told.supervisor_pid), "the end of both")
    await server.endpoint(deadline=soon())
    assert len(place.servers()) == 1
    server.detach()


async def test_a_forked_worker_counts_although_its_parent_has_gone(place: Place, make_user: MakeUser) -> None:
    """F-25: the open file, and so the lock, is shared with the child; closing it in the parent leaves the child's."""
    user = make_user()
    user.ask("attach")
    pid = place.connection().server_pid
    child = user.ask("fork")
    user.ask("detach")
    user.end(signal.SIGKILL)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert not has_ended(pid)
        await asyncio.sleep(0.1)
    end(child)
    wait_until(lambda: has_ended(pid), "the end of the server")


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # a fork beside a thread is what is tested
def test_a_fork_during_a_start_does_not_keep_the_supervisors_lock(place: Place) -> None:
    """A child that inherited that lock would stop everyone from starting a supervisor, for as long as it lives."""
    children: list[int] = []

    async def attach() -> None:
        await EmbeddedServer(place.path).attach(deadline=soon())

    attaching = threading.Thread(target=asyncio.run, args=(attach(),))
    attaching.start()
    try:
        while attaching.is_alive() and len(children) < 300:
            if (child := os.fork()) == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
            time.sleep(0.002)
        attaching.join(PATIENCE)
        assert not attaching.is_alive()
        place.kill_supervisor()
        lock = FileLock(place.directory.supervisor_lock)
        assert lock.try_alone()
        lock.close()
    finally:
        for child in children:
            end(child)
            os.waitpid(child, 0)
        attaching.join(PATIENCE)


async def test_an_attach_that_comes_too_late_says_so_and_may_be_repeated(place: Place) -> None:
    server = EmbeddedServer(place.path)
    place.directory.prepare()
    held = FileLock(place.directory.supervisor_lock)
    assert held.try_alone()
    with pytest.raises(StoreUnavailable, match="not ready yet"):
        await server.attach(deadline=time.monotonic() + 0.1)
    held.close()
    await server.attach(deadline=soon())
    server.detach()


async def test_a_cancelled_attach_leaves_a_store_that_others_use(place: Place) -> None:
    server = EmbeddedServer(place.path)
    attaching = asyncio.create_task(server.attach(deadline=soon()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    attaching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attaching
    await server.attach(deadline=soon())
    assert len(place.servers()) == 1
    server.detach()


async def test_many_tasks_and_event_loops_of_one_process_attach_to_one_server(place: Place) -> None:
    server = EmbeddedServer(place.path)
    found = await asyncio.gather(*(server.attach(deadline=soon()) for _ in range(5)))
    elsewhere = await asyncio.to_thread(lambda: asyncio.run(server.endpoint(deadline=soon())))
    assert {endpoint.socket for endpoint in (*found, elsewhere)} == {str(place.directory.socket)}
    assert len(place.servers()) == 1
    server.detach()


async def test_a_stronger_fsync_policy_than_the_running_one_is_refused_and_a_weaker_one_is_met(place: Place) -> None:
    weak = EmbeddedServer(place.path, fsync=FsyncPolicy.EVERYSEC)
    await weak.attach(deadline=soon())
    strong = EmbeddedServer(place.path, fsync=FsyncPolicy.ALWAYS)
    with pytest.raises(ConfigError, match="fsync everysec, and always is asked for"):
        await strong.attach(deadline=soon())
    with pytest.raises(StoreUnavailable, match="fsync"):
        await strong.endpoint(deadline=soon())
    weak.detach()
    strong.detach()
    place.wait_until_idle()
    await strong.attach(deadline=soon())
    await weak.attach(deadline=soon())
    strong.detach()
    weak.detach()


async def test_a_connection_file_of_a_later_release_is_refused_by_name(place: Place) -> None:
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    told = place.directory.connection.read_text()
    place.directory.connection.write_text(told.replace('"format": 2', '"format": 3'))
    with pytest.raises(StoreUnavailable, match=r"connection\.json cannot be understood .*upgrade"):
        await server.endpoint(deadline=soon())
    server.detach()


async def test_a_damaged_append_only_file_is_reported_with_the_servers_own_words(place: Place) -> None:
    server = EmbeddedServer(place.path)
    await server.attach(deadline=soon())
    server.detach()
    place.wait_until_idle()
    manifest = next(place.directory.data.glob("appendonlydir/*.manifest"))
    manifest.write_text("no manifest\n")
    with pytest.raises(StoreUnavailable, match=r"the server of .* ended: .*(?i:AOF manifest)"):
        await server.attach(deadline=soon())
    server.detach()

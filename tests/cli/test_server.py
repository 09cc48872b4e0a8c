"""``wsgessions server``: the store in the foreground."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import hiredis
import pytest

from tests.cli.conftest import Command, MakeCommand
from tests.stores.embedded.watched import PATIENCE, Client, Place, end, has_ended, wait_until
from wsgessions.cli import main
from wsgessions.stores.embedded import EmbeddedServer, Endpoint, FsyncPolicy, Secret
from wsgessions.stores.embedded.connection import USERNAME
from wsgessions.stores.embedded.memory import half_of_memory


@pytest.fixture
def server(wsgessions: MakeCommand, place: Place, port: int) -> Command:
    """A server that is ready; its first line has been read."""
    command = wsgessions("server", "--port", str(port))
    assert command.line().startswith("store    valkey ")
    return command


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty directory that the command works in, where it is run in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def soon() -> float:
    return time.monotonic() + PATIENCE


def by_port(place: Place, port: int, host: str = "127.0.0.1") -> Endpoint:
    """The way in of a client that was given port and password."""
    return Endpoint(None, host, port, USERNAME, Secret(place.directory.password.read_text().strip()), "", 0, "")


def test_it_says_what_it_serves(wsgessions: MakeCommand, place: Place, port: int) -> None:
    command = wsgessions("server", "--port", str(port))
    version = place.connection().server_version
    lines = [command.line() for _ in range(3)]
    assert lines == [
        f"store    valkey {version}  valkey://127.0.0.1:{port}   data .wsgessions  fsync 1s\n",
        f"clients  WSGESSIONS_STORE_URL=embedded:{place.path}   on this host\n",
        f"         user wsgessions, password in .wsgessions/password   for valkey://127.0.0.1:{port}\n",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(server: Command, place: Place, number: signal.Signals) -> None:
    told = place.connection()
    code, _, err = server.stop(number)
    assert (code, err) == (0, "stopped\n")
    assert has_ended(told.server_pid)
    assert not place.directory.connection.exists()


async def test_a_user_of_the_directory_attaches_to_it(server: Command, place: Place, port: int) -> None:
    user = EmbeddedServer(place.path)
    endpoint = await user.attach(deadline=soon())
    assert endpoint.socket == str(place.directory.socket)
    by_socket, over_tcp = Client(endpoint), Client(by_port(place, port))
    by_socket.call("SET", "k", "v")
    assert over_tcp.call("GET", "k") == b"v"
    by_socket.close()
    over_tcp.close()
    user.detach()
    assert len(place.servers()) == 1
    assert not place.supervisors()


def test_without_signing_in_its_port_gives_nothing(server: Command, place: Place, port: int) -> None:
    """S-87."""
    client = Client(by_port(place, port), signs_in=False)
    answer = client.call("PING")
    client.close()
    assert isinstance(answer, hiredis.ReplyError)
    assert str(answer).startswith("NOAUTH")


def test_its_password_stays_the_same_and_is_for_its_owner_only(
    server: Command, wsgessions: MakeCommand, place: Place, port: int
) -> None:
    """Clients of other hosts have it in their settings."""
    before = place.directory.password.read_text()
    assert place.directory.password.stat().st_mode & 0o777 == 0o600
    server.stop()
    wsgessions("server", "--port", str(port)).line()
    assert place.directory.password.read_text() == before


def test_a_password_that_somebody_chose_too_short_is_refused(wsgessions: MakeCommand, place: Place, port: int) -> None:
    place.directory.prepare()
    place.directory.password.touch(0o600)
    place.directory.password.write_text("changeme\n")
    code, _, err = wsgessions("server", "--port", str(port)).ended()
    assert code == 1
    assert "holds less than 16 characters (remove it" in err
    assert "changeme" not in err


def test_a_directory_that_is_served_is_refused_by_naming_who_serves_it(
    server: Command, wsgessions: MakeCommand, place: Place, port: int
) -> None:
    code, out, err = wsgessions("server", "--port", str(port + 1)).ended()
    assert (code, out) == (1, "")
    assert f"is already served by wsgessions server (pid {server.pid}) on port {port}" in err
    assert len(place.servers()) == 1


async def test_it_takes_over_what_applications_serve_for_themselves(
    wsgessions: MakeCommand, place: Place, port: int
) -> None:
    user = EmbeddedServer(place.path)
    embedded = await user.attach(deadline=soon())
    assert wsgessions("server", "--port", str(port)).line().startswith("store ")
    assert await user.endpoint(deadline=soon()) != embedded
    assert len(place.servers()) == 1
    assert not place.supervisors()
    user.detach()


async def test_it_leaves_the_store_of_applications_alone_where_it_cannot_start(
    wsgessions: MakeCommand, place: Place
) -> None:
    user = EmbeddedServer(place.path)
    embedded = await user.attach(deadline=soon())
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, _, err = wsgessions("server", "--port", str(other.getsockname()[1])).ended()
    assert code == 1
    assert "is taken by pid " in err
    assert await user.endpoint(deadline=soon()) == embedded
    user.detach()


async def test_an_embedded_store_that_nobody_uses_any_more_is_waited_for(
    wsgessions: MakeCommand, place: Place, port: int
) -> None:
    user = EmbeddedServer(place.path)
    await user.attach(deadline=soon())
    user.detach()
    assert wsgessions("server", "--port", str(port)).line().startswith("store ")


def test_a_taken_port_is_refused_by_naming_who_has_it(wsgessions: MakeCommand, place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, err = wsgessions("server", "--port", str(port)).ended()
    assert code == 1
    assert f"port {port} is taken by pid " in err
    assert not place.servers()


def test_beyond_loopback_it_warns_and_takes_clients_by_password(
    wsgessions: MakeCommand, place: Place, port: int
) -> None:
    command = wsgessions("server", "--port", str(port), "--bind", "0.0.0.0", "--allow-clear-text")
    assert f"valkey://0.0.0.0:{port}" in command.line()
    client = Client(by_port(place, port))
    assert client.call("PING") == b"PONG"
    client.close()
    code, _, err = command.stop()
    assert code == 0
    assert "warning  0.0.0.0 is reachable from other hosts, and traffic is not encrypted" in err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--bind", "example.org", "not a numeric address"),
        ("--fsync", "never", "neither everysec nor always"),
        ("--maxmemory", "plenty", "expected a size"),
        ("--maxmemory", "15M", "at least 16M"),
        *(("--bind", each, "--allow-clear-text") for each in ("0.0.0.0", "::", "192.0.2.1", "10.0.0.1")),
    ],
)
def test_an_option_that_makes_no_sense_is_wrong_usage(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    """In this process, since nothing is started; `test_app` has the exit code of one."""
    with pytest.raises(SystemExit) as ended:
        main(["server", option, value])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_an_address_that_is_not_ours_is_named(wsgessions: MakeCommand, port: int) -> None:
    code, _, err = wsgessions("server", "--port", str(port), "--bind", "192.0.2.1", "--allow-clear-text").ended()
    assert code == 1
    assert f"192.0.2.1 port {port} cannot be used" in err


@pytest.mark.parametrize(("arguments", "limit"), [((), half_of_memory()), (("--maxmemory", "64M"), 64 << 20)])
def test_its_memory_has_a_limit(
    wsgessions: MakeCommand, place: Place, port: int, arguments: tuple[str, ...], limit: int
) -> None:
    assert "store" in wsgessions("server", "--port", str(port), *arguments).line()
    client = Client(by_port(place, port))
    assert f"maxmemory:{limit}\r\n".encode() in client.call("INFO", "memory")
    client.close()


async def test_it_syncs_always_where_asked(wsgessions: MakeCommand, place: Place, port: int) -> None:
    assert wsgessions("server", "--port", str(port), "--fsync", "always").line().endswith("fsync always\n")
    user = EmbeddedServer(place.path, fsync=FsyncPolicy.ALWAYS)
    await user.attach(deadline=soon())
    user.detach()


def test_a_killed_server_process_is_replaced_and_it_says_so(server: Command, place: Place, port: int) -> None:
    first = place.connection().server_pid
    end(first)
    wait_until(lambda: place.connection().server_pid != first, "another server")
    client = Client(by_port(place, port))
    assert client.call("PING") == b"PONG"
    client.close()
    _, _, err = server.stop()
    assert "warning  the server of" in err
    assert "the store is ready again" in err


async def test_a_user_takes_over_when_it_is_killed(server: Command, place: Place) -> None:
    user = EmbeddedServer(place.path)
    await user.attach(deadline=soon())
    told = place.connection()
    server.stop(signal.SIGKILL)
    await user.endpoint(deadline=soon())
    assert has_ended(told.server_pid)
    assert len(place.servers()) == len(place.supervisors()) == 1
    user.detach()


def test_no_password_is_on_its_command_lines(server: Command, place: Place) -> None:
    """S-79."""
    password = place.directory.password.read_text().strip()
    for pid in (server.pid, place.connection().server_pid):
        assert password not in Path(f"/proc/{pid}/cmdline").read_text()

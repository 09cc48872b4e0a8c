"""Nobody but its users gets at an embedded store (S-79, S-82, S-87)."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hiredis
import pytest

from tests.stores.embedded.conftest import MakeClient, MakeUser
from tests.stores.embedded.watched import Place, User, command_lines, endpoint_of
from wsgessions.stores.embedded import Endpoint, Secret

WAYS = {"socket": (), "port": ("everysec", "0")}
"""The arguments of a user of a store that listens on its unix socket, and of one that listens on a loopback port."""


@pytest.fixture(params=WAYS)
def user(request: pytest.FixtureRequest, make_user: MakeUser) -> User:
    return make_user(*WAYS[request.param])


@pytest.fixture
def endpoint(user: User) -> Endpoint:
    return endpoint_of(user.ask("attach"))


@pytest.fixture(scope="module", params=WAYS)
def old_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A store that many tests share: none of them can change more in it than a key of its own."""
    place = Place(tmp_path_factory.mktemp("old") / "store")
    user = User(place.path, *WAYS[request.param])
    yield endpoint_of(user.ask("attach"))
    user.close()
    place.end_everything()


@pytest.mark.xdist_group("old store")
@pytest.mark.parametrize("words", [("PING",), ("GET", "k"), ("INFO",), ("AUTH", "guessed"), ("AUTH", "default", "")])
def test_whoever_does_not_sign_in_gets_nothing(
    old_store: Endpoint, make_client: MakeClient, words: tuple[str, ...]
) -> None:
    """S-87: the default user is switched off."""
    answer = make_client(old_store, signs_in=False).call(*words)
    assert isinstance(answer, hiredis.ReplyError)
    assert str(answer).startswith(("NOAUTH", "WRONGPASS"))


@pytest.mark.xdist_group("old store")
@pytest.mark.parametrize(
    "words",
    [
        *(("CONFIG", "GET", "*"), ("SHUTDOWN",), ("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("REPLICAOF", "h", "1")),
        *(
            ("CLIENT", "PAUSE", "1"),
            ("CLIENT", "KILL", "TYPE", "normal"),
            ("CLIENT", "LIST"),
            ("CLIENT", "NO-EVICT", "on"),
        ),
        *(("ACL", "LIST"), ("SCRIPT", "FLUSH"), ("FUNCTION", "LIST"), ("BGREWRITEAOF",)),
        *(("SELECT", "0"), ("SUBSCRIBE", "c"), ("DBSIZE",), ("RANDOMKEY",), ("MONITOR",), ("DEL", "k"), ("MULTI",)),
    ],
)
def test_the_user_may_do_what_sessions_need_and_nothing_else(
    old_store: Endpoint, make_client: MakeClient, words: tuple[str, ...]
) -> None:
    """S-86: what the shipped rules grant."""
    client = make_client(old_store)
    assert str(client.call(*words)).startswith("NOPERM")
    assert client.call("HSET", secrets.token_hex(8), "f", "v") == 1
    assert client.call("EVAL", "return redis.call('TIME')[1]", "0")
    assert client.call("CLIENT", "TRACKING", "ON") == b"OK"
    assert b"maxmemory_policy:noeviction" in client.call("INFO")


def test_every_file_is_for_its_owner_only(place: Place, endpoint: Endpoint, make_client: MakeClient) -> None:
    make_client(endpoint).call("SET", "k", "v")
    modes = {path: path.stat(follow_symlinks=False).st_mode for path in place.path.rglob("*")}
    assert len(modes) > 8
    assert [path for path, mode in modes.items() if mode & 0o077] == []
    assert place.path.stat().st_mode & 0o777 == 0o700


def test_the_password_is_on_no_command_line_in_no_environment_and_in_one_file_only(
    place: Place, endpoint: Endpoint
) -> None:
    """S-79."""
    password = endpoint.password.reveal()
    told = place.connection()
    assert not any(password in line for line in command_lines().values())
    for pid in (told.supervisor_pid, told.server_pid):
        assert password not in Path(f"/proc/{pid}/environ").read_text()
    holders = [path.name for path in place.path.rglob("*") if path.is_file() and password in path.read_text("latin-1")]
    assert holders == ["connection.json"]


def test_the_applications_environment_is_not_handed_on(place: Place, endpoint: Endpoint) -> None:
    told = place.connection()
    for pid in (told.supervisor_pid, told.server_pid):
        assert "canary-of-the-application" not in Path(f"/proc/{pid}/environ").read_text()


def test_passwords_are_long_and_random_per_start(place: Place, endpoint: Endpoint, user: User) -> None:
    assert len(endpoint.password.reveal()) >= 43  # 256 bits in base64
    place.kill_supervisor()
    assert endpoint_of(user.ask("attach")).password != endpoint.password


def listening(pid: int) -> set[str]:
    """The local addresses of a process's listening TCP sockets, as /proc has them."""
    files = list(Path(f"/proc/{pid}/fd").iterdir())
    sockets = {str(file.readlink()) for file in files if file.is_symlink()}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def test_nothing_listens_beyond_loopback(place: Place, endpoint: Endpoint) -> None:
    addresses = listening(place.connection().server_pid)
    if endpoint.socket:
        assert addresses == set()
    else:
        assert {address.partition(":")[0] for address in addresses} == {"0100007F"}
        assert endpoint.host == "127.0.0.1"


def test_a_socket_path_that_is_too_long_gives_a_loopback_port(make_client: MakeClient, tmp_path: Path) -> None:
    place = Place(tmp_path / ("long" * 25) / "store")
    user = User(place.path)
    try:
        endpoint = endpoint_of(user.ask("attach"))
        assert (endpoint.socket, endpoint.host) == (None, "127.0.0.1")
        assert make_client(endpoint).call("PING") == b"PONG"
    finally:
        user.close()
        place.end_everything()


@pytest.mark.parametrize(
    "name", ["with space", 'quo"te', "back\\slash", "neue\nzeile", "größe", "per%cent#$", "tab\there"]
)
def test_any_name_of_a_directory_is_written_right_into_the_configuration(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path / name)
    user = User(place.path)
    try:
        endpoint = endpoint_of(user.ask("attach"))
        assert endpoint.socket == str(tmp_path / name / "valkey.sock")
    finally:
        user.close()
        place.end_everything()


def test_a_taken_port_is_named_with_its_holder(place: Place, make_user: MakeUser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = make_user("everysec", str(port)).ask("attach")
    assert answer["error"] == "StoreUnavailable"
    assert f"port {port} is taken by pid " in answer["text"]


SECRET = Secret("the-secret-itself")
ENDPOINT = Endpoint("/s", None, None, "wsgessions", SECRET, "9.1.2", 1, "pid:[1]")


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda it: repr(dataclasses.asdict(it)), copy.deepcopy])
def test_an_endpoint_shows_its_password_to_nobody(show: Callable[[object], object]) -> None:
    """S-79."""
    assert "the-secret-itself" not in repr(show(ENDPOINT))
    assert "the-secret-itself" not in str(show(ENDPOINT))


def test_a_password_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ENDPOINT)


def test_secrets_are_equal_by_their_text_and_to_nothing_else() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_a_connection_file_that_others_could_write_is_refused(place: Place, user: User, endpoint: Endpoint) -> None:
    place.directory.connection.chmod(0o644)
    answer = user.ask("attach")
    assert (answer["error"], "readable or writable by others" in answer["text"]) == ("ConfigError", True)

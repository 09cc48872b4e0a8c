"""One connection, several visitors: as behind a proxy, which sends all requests over a few connections (R-53)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.servers.server import Server
from tests.stores.embedded.watched import PATIENCE, Place


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        values = [value.partition(";")[0].partition("=") for name, value in self.headers if name == "set-cookie"]
        return {name: value for name, _, value in values}


class Connection:
    """A bare connection, on which requests may follow each other without waiting for the answers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._stream = self._socket.makefile("rb")

    def send(self, *requests: bytes) -> list[Answer]:
        """Send all requests in one piece, and read as many answers."""
        self._socket.sendall(b"".join(requests))
        return [self._read() for _ in requests]

    def _read(self) -> Answer:
        status = int(self._stream.readline().split()[1])
        headers = []
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        length = int(dict(headers).get("content-length", 0))
        return Answer(status, headers, self._stream.read(length))

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class Visitor:
    """Its cookies, and its requests as bytes."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def ask(self, path: str = "/", method: str = "GET") -> bytes:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        cookie = f"Cookie: {pairs}\r\n" if pairs else ""
        return f"{method} {path} HTTP/1.1\r\nHost: a.test\r\n{cookie}Content-Length: 0\r\n\r\n".encode()

    def take(self, answer: Answer) -> None:
        assert answer.status in {200, 204}
        self.cookies.update(answer.cookies)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = Place(tmp_path_factory.mktemp("connections") / "store")
    started = Server(place)
    yield started
    started.close()
    place.end_everything()


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    made = Connection(server.port)
    yield made
    made.close()


def visitors(connection: Connection, *names: str) -> list[Visitor]:
    """Each of them with a session, in which the attribute of its name is."""
    made = []
    for name in names:
        visitor = Visitor()
        (answer,) = connection.send(visitor.ask(f"/put/{name}", "POST"))
        visitor.take(answer)
        made.append(visitor)
    assert len({visitor.cookies["sid"] for visitor in made}) == len(names)
    return made


def test_visitors_who_share_a_connection_have_sessions_of_their_own(connection: Connection) -> None:
    ann, bob = visitors(connection, "ann", "bob")
    for _ in range(50):
        for visitor, seen in ((ann, {"ann": "ann"}), (Visitor(), {}), (bob, {"bob": "bob"})):
            (answer,) = connection.send(visitor.ask())
            assert answer.data == seen
            assert not answer.cookies


def test_requests_in_one_piece_are_answered_each_for_its_own_visitor(connection: Connection) -> None:
    """Pipelining: the server has the next request before it has answered this one."""
    ann, bob = visitors(connection, "ann", "bob")
    strange = Visitor()
    strange.cookies = {"sid": "x" * 42}
    turns = [(ann, {"ann": "ann"}), (bob, {"bob": "bob"}), (Visitor(), {}), (strange, {}), (bob, {"bob": "bob"})] * 20
    answers = connection.send(*(visitor.ask() for visitor, _ in turns))
    assert [answer.data for answer in answers] == [seen for _, seen in turns]
    assert not any(answer.cookies for answer in answers)


def test_changes_in_one_piece_go_to_their_own_sessions(connection: Connection) -> None:
    """And new visitors among them get ids of their own."""
    ann, bob = visitors(connection, "ann", "bob")
    requests = [
        request
        for number in range(20)
        for request in (
            ann.ask(f"/put/a{number}", "POST"),
            Visitor().ask("/put/new", "POST"),
            bob.ask(f"/put/b{number}", "POST"),
        )
    ]
    answers = connection.send(*requests)
    assert {answer.status for answer in answers} == {200}
    given = [answer.cookies.get("sid") for answer in answers]
    assert all((session_id is not None) == (index % 3 == 1) for index, session_id in enumerate(given))
    assert len(set(given)) == 20 + 1
    of_ann, of_bob = connection.send(ann.ask(), bob.ask())
    assert of_ann.data.keys() == {"ann", *(f"a{number}" for number in range(20))}
    assert of_bob.data.keys() == {"bob", *(f"b{number}" for number in range(20))}


def test_a_logout_in_between_ends_one_session_only(connection: Connection) -> None:
    ann, bob = visitors(connection, "ann", "bob")
    answers = connection.send(bob.ask(), ann.ask("/logout", "POST"), ann.ask(), bob.ask(), ann.ask("/put/x", "POST"))
    assert answers[1].cookies == {"sid": "", "sid-v": ""}
    assert [answer.data for answer in (answers[0], answers[2], answers[3])] == [{"bob": "bob"}, {}, {"bob": "bob"}]
    assert (answers[4].status, answers[4].cookies) == (409, {})  # her id was given up a moment ago (C-24)


def test_a_connection_of_another_visitor_tells_nothing(server: Server, connection: Connection) -> None:
    (ann,) = visitors(connection, "ann")
    other = Connection(server.port)
    try:
        assert [answer.data for answer in other.send(Visitor().ask(), ann.ask(), Visitor().ask())] == [
            {},
            {"ann": "ann"},
            {},
        ]
    finally:
        other.close()

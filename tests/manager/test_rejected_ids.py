"""What is noticed of ids that nobody was given (S-11)."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering
from tests.spy_store import SpyStore
from wsgessions.credentials.identity import new_session_id
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.internal.peer_class import peer_class
from wsgessions.manager import RejectedId, SessionManager, rejected_ids
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore

Told = list[tuple[RejectedId, str | None]]


@pytest.fixture(autouse=True)
def fresh_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected_ids, "_log", LogThrottle(logging.getLogger("wsgessions.suspicion")))


def watched(told: Told, **settings: Any) -> SessionMiddleware:
    manager = SessionManager(
        store_url="memory:", on_suspicious=lambda finding, peer: told.append((finding, peer)), **settings
    )
    return SessionMiddleware(answering(dict), manager=manager)


COOKIES = {
    RejectedId.MALFORMED: "__Host-sid=short",
    RejectedId.CONFLICTING: f"__Host-sid={'A' * 43}; __Host-sid={'B' * 43}",
    RejectedId.OVERSIZED: "a=" + "b" * 20_000,
    RejectedId.UNKNOWN: f"__Host-sid={'A' * 43}",
}


@pytest.mark.parametrize("finding", RejectedId)
async def test_the_application_is_told_what_was_presented_and_by_whom(finding: RejectedId) -> None:
    told: Told = []
    response = await Browser().request(watched(told), headers=[(b"cookie", COOKIES[finding].encode())])
    assert (response.status, response.data) == (200, {})
    unknown = [(RejectedId.UNKNOWN, "192.0.2.1")] if finding is RejectedId.CONFLICTING else []
    assert told == [(finding, "192.0.2.1"), *unknown]


@pytest.mark.parametrize("client", [None, ("2001:db8::1", 5)])
async def test_the_peer_is_what_the_server_knows_of_it(client: tuple[str, int] | None) -> None:
    """A unix socket has none."""
    told: Told = []
    await Browser(**{"__Host-sid": "short"}).request(watched(told), client=client)
    assert told == [(RejectedId.MALFORMED, client[0] if client else None)]


async def test_requests_without_ids_and_with_good_ones_are_not_suspicious() -> None:
    told: Told = []
    app, browser = watched(told), Browser()

    def remember(session: Session) -> None:
        session["user"] = "ann"

    await browser.request(SessionMiddleware(answering(remember), manager=app.manager))
    assert (await browser.request(app)).data == {"user": "ann"}
    assert told == []


async def test_an_id_that_is_loaded_late_is_told_too() -> None:
    told: Told = []
    manager = watched(told, exclude="/static").manager

    async def read(session: Session) -> bool:
        await session.load()
        return session.is_new

    app = SessionMiddleware(answering(read), manager=manager)
    assert (await Browser(**{"__Host-sid": new_session_id()}).request(app, "/static/x")).data is True
    assert told == [(RejectedId.UNKNOWN, "192.0.2.1")]


async def test_a_thousand_unknown_ids_make_a_thousand_calls_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """And the id is not in it (S-80)."""
    told: Told = []
    app = watched(told)
    ids = [new_session_id() for _ in range(1000)]
    with caplog.at_level(logging.DEBUG, "wsgessions"):
        for each in ids:
            await Browser(**{"__Host-sid": each}).request(app)
    assert told == [(RejectedId.UNKNOWN, "192.0.2.1")] * 1000
    assert app.manager.statistics.unknown_ids == 1000
    lines = [record for record in caplog.records if record.name == "wsgessions.suspicion"]
    assert [(line.levelname, line.__dict__["event"]) for line in lines] == [("INFO", "unknown_id")]
    assert not any(each in caplog.text for each in ids)


async def test_a_hook_that_raises_is_logged_and_breaks_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def hook(finding: RejectedId, peer: str | None) -> None:
        raise ValueError(f"{finding} {peer}")

    app = SessionMiddleware(answering(dict), manager=SessionManager(store_url="memory:", on_suspicious=hook))
    for cookie in COOKIES.values():
        response = await Browser().request(app, headers=[(b"cookie", cookie.encode())])
        assert (response.status, response.data) == (200, {})
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert lines == ["the hook on_suspicious raised ValueError"]


async def test_a_peers_name_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """S-81."""
    forged = ("a\r\nERROR forged \x1b[31m", 1)
    await Browser(**{"__Host-sid": "short"}).request(watched([]), client=forged)
    assert caplog.messages
    assert all(message.isprintable() for message in caplog.messages)


async def test_a_store_that_is_away_makes_nobody_suspicious() -> None:
    """F-00a: whether an id is known, only the store can tell."""
    told: Told = []
    store = SpyStore(MemoryStore())
    store.down = True
    manager = SessionManager(store_url="memory:", store=store, on_suspicious=lambda *what: told.append(what))
    app = SessionMiddleware(answering(dict), manager=manager)
    assert (await Browser(**{"__Host-sid": new_session_id()}).request(app)).status == 503
    assert told == []


@pytest.mark.parametrize("finding", RejectedId)
async def test_one_attacker_does_not_hide_another(finding: RejectedId, caplog: pytest.LogCaptureFixture) -> None:
    """S-11: neighbours of an address are one peer to the log, others have a line of their own."""
    app, cookie = watched([]), [(b"cookie", COOKIES[finding].encode())]
    with caplog.at_level(logging.DEBUG, "wsgessions.suspicion"):
        for number in range(100):
            await Browser().request(app, headers=cookie, client=(f"192.0.2.{number}", 5))
        for peer in ("198.51.100.7", "2001:db8:1:2::3", "2001:db8:1:ffff::4", "2001:db8:2::5"):
            await Browser().request(app, headers=cookie, client=(peer, 5))
    told: defaultdict[str, list[str]] = defaultdict(list)
    for record in caplog.records:
        if record.name == "wsgessions.suspicion" and isinstance(record.args, tuple):
            told[record.msg].append(str(record.args[-1]))
    assert told  # of several ids, those that the store does not know are told of besides
    for peers in told.values():
        assert peers == ["192.0.2.0", "198.51.100.7", "2001:db8:1:2::3", "2001:db8:2::5"]


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_peers_of_one_network_are_one_class(peer: str | None, expected: str) -> None:
    """What is no address, as the text of a header may be, makes no classes."""
    assert peer_class(peer) == expected

"""Records that cannot be read, on a real server: no data, no 500, and nothing is destroyed (R-20, R-21, R-22)."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering, untouched
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import manager_at, valkey_of
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session

__all__ = ["shared_server"]

_namespaces = itertools.count()

Ask = Callable[..., Any]


@pytest.fixture
async def manager(shared_server: RawServer) -> AsyncIterator[SessionManager]:
    """One that keeps nothing in memory: whoever changes a record by hand gives it no new version."""
    manager = SessionManager(store_url=shared_server.url, namespace=f"u{next(_namespaces)}", max_bytes_on_heap=0)
    yield manager
    await manager.close()


@pytest.fixture
def command(shared_server: RawServer) -> Iterator[Ask]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(shared_server.path)
        yield lambda *words: ask(client, *words)


async def known_to(manager: SessionManager, command: Ask) -> tuple[Browser, bytes]:
    """A browser with a session, and the key of its record."""
    browser = Browser()
    await browser.request(SessionMiddleware(answering(lambda session: session.update(n=1)), manager=manager))
    (key,) = command("KEYS", f"{manager.settings.namespace}:*:s:*")
    return browser, key


def _emptied(command: Ask, key: bytes) -> None:
    for field in command("HKEYS", key)[1:]:
        command("HDEL", key, field)
    command("HSET", key, "zzz", "zzz")


def _replaced(*words: str | bytes) -> Callable[[Ask, bytes], None]:
    def damage(command: Ask, key: bytes) -> None:
        command("DEL", key)
        command(words[0], key, *words[1:])

    return damage


def _meta(change: Callable[[bytes], bytes]) -> Callable[[Ask, bytes], None]:
    def damage(command: Ask, key: bytes) -> None:
        command("HSET", key, "m", change(command("HGET", key, "m")))

    return damage


def _of_a_later_release(command: Ask, key: bytes) -> None:
    meta = command("HGET", key, "m")
    command("HSET", key, "m", meta[:1] + bytes([meta[1] + 1]) + meta[2:])


DAMAGE: dict[str, Callable[[Ask, bytes], None]] = {
    "no metadata": lambda command, key: command("HDEL", key, "m"),
    "empty metadata": _meta(lambda meta: b""),
    "cut metadata": _meta(lambda meta: meta[:20]),
    "random metadata": _meta(lambda meta: bytes(range(100, 100 + len(meta)))),
    "wrong magic": _meta(lambda meta: b"X" + meta[1:]),
    "a string": _replaced("SET", "text"),
    "a list": _replaced("RPUSH", "text"),
    "a set": _replaced("SADD", "text"),
    "a stream": _replaced("XADD", "*", "a", "b"),
    "foreign fields": _replaced("HSET", "a", "b", "c", "d"),
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_record_that_cannot_be_read_is_anonymous_and_is_kept(
    manager: SessionManager, command: Ask, kind: str
) -> None:
    """R-20, R-21: the next write gets a new id."""
    browser, key = await known_to(manager, command)
    DAMAGE[kind](command, key)
    before = command("DUMP", key)
    response = await browser.copy().request(SessionMiddleware(answering(dict), manager=manager))
    assert (response.status, response.data) == (200, {})
    old_id = browser.cookies["__Host-sid"]
    response = await browser.request(SessionMiddleware(answering(lambda session: session.update(n=2)), manager=manager))
    assert response.status == 200
    assert browser.cookies["__Host-sid"] != old_id
    assert command("DUMP", key) == before


async def test_a_record_of_a_later_release_is_left_alone(manager: SessionManager, command: Ask) -> None:
    """R-22: 503 for whoever touches it, since its data is there and must not be lost."""
    browser, key = await known_to(manager, command)
    _of_a_later_release(command, key)
    before = command("DUMP", key)
    response = await browser.request(SessionMiddleware(answering(dict), manager=manager))
    assert response.status == 503
    assert response.set_cookies == {}
    assert (await browser.request(SessionMiddleware(untouched, manager=manager))).status == 200
    assert command("DUMP", key) == before


async def three_devices(manager: SessionManager, command: Ask, damage: Callable[[Ask, bytes], None]) -> list[Browser]:
    """Browsers of Ada's; the record of the last one is damaged."""
    log_in = SessionMiddleware(answering(lambda session: session.bind_user("ada")), manager=manager)
    browsers = [Browser() for _ in range(3)]
    for browser in browsers[:-1]:
        await browser.request(log_in)
    known = set(command("KEYS", f"{manager.settings.namespace}:*:s:*"))
    await browsers[-1].request(log_in)
    (key,) = set(command("KEYS", f"{manager.settings.namespace}:*:s:*")) - known
    damage(command, key)
    return browsers


async def refs_of(manager: SessionManager, browsers: list[Browser]) -> set[str]:
    """What lists call the sessions of these."""
    app = SessionMiddleware(answering(lambda session: session.ref), manager=manager)
    return {(await browser.copy().request(app)).data for browser in browsers}


async def test_a_record_of_a_later_release_hides_no_other_from_lists_and_is_counted(
    manager: SessionManager, command: Ask
) -> None:
    """R-22, S-55, E-8: of the user, and of all; during a rolling upgrade every user has such a one."""
    *good, _ = browsers = await three_devices(manager, command, _of_a_later_release)
    assert len(browsers) == 3
    refs = await refs_of(manager, good)
    trouble = valkey_of(manager).trouble
    before = trouble.too_new
    assert {device.ref for device in await manager.sessions_of("ada")} == refs
    assert trouble.too_new == before + 1
    page = await manager.live_sessions()
    assert {live.ref for live in page.sessions} == refs
    assert page.next_cursor is None
    assert trouble.too_new == before + 2


@pytest.mark.parametrize("kind", ["of a later release", "wrong magic", "a string"])
async def test_a_record_that_cannot_be_read_keeps_no_session_from_ending(
    shared_server: RawServer, command: Ask, kind: str
) -> None:
    """R-22, S-55: "log out everywhere" ends the others, and what a later release has written too."""
    manager = manager_at(shared_server.url, heartbeat="100ms", lease="300ms")
    later = kind == "of a later release"
    *good, odd = await three_devices(manager, command, _of_a_later_release if later else DAMAGE[kind])
    assert await manager.end_sessions_of("ada") == (3 if later else 2)
    principal = SessionMiddleware(answering(lambda session: session.principal), manager=manager)
    for browser in (*good, odd):
        response = await browser.copy().request(principal)
        assert (response.status, response.data) == (200, None)
    assert await manager.sessions_of("ada") == []
    assert await manager.end_sessions_of("ada") == 0
    await manager.close()


async def test_one_attribute_that_cannot_be_read_fails_alone(manager: SessionManager, command: Ask) -> None:
    """R-25: by its name, when it is looked at; the rest of the session works."""
    browser, key = await known_to(manager, command)
    await browser.request(SessionMiddleware(answering(lambda session: session.update(bad=[1])), manager=manager))
    (field,) = (name for name in command("HKEYS", key) if name.endswith(b"bad"))
    value = command("HGET", key, field)
    command("HSET", key, field, value[:-1] + b"\xc1")

    def work(session: Session) -> int:
        session["n"] += 1
        number: int = session["n"]
        return number

    assert (await browser.request(SessionMiddleware(answering(work), manager=manager))).data == 2
    with pytest.raises(Exception, match="'bad'"):
        await browser.request(SessionMiddleware(answering(lambda session: session["bad"]), manager=manager))

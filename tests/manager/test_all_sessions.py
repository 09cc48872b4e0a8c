"""All sessions of an application: listed page by page, shown and ended by their refs (E-8, S-55, S-80, S-102)."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest

from tests.asgi_driver import Browser
from tests.manager.test_principal_sessions import logged_in, on, ref_of, user_of
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import Managers, heard_late, managers
from wsgessions import errors
from wsgessions.manager import LiveSession, SessionManager
from wsgessions.record import SessionKey
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore

__all__ = ["managers", "shared_server"]

_namespaces = itertools.count()


async def visitor(manager: SessionManager, **attributes: Any) -> Browser:
    """A browser with a session that is nobody's."""
    browser = Browser()
    await browser.request(on(manager, lambda session: session.update(attributes)))
    return browser


async def everything(manager: SessionManager, limit: int = 100, **more: Any) -> list[LiveSession]:
    """What is on all pages."""
    found, page = [], await manager.live_sessions(limit=limit, **more)
    while True:
        assert len(page.sessions) <= limit
        found += page.sessions
        if page.next_cursor is None:
            return found
        page = await manager.live_sessions(page.next_cursor, limit=limit, **more)


# -- listing -----------------------------------------------------------------------------------------------------------


async def test_every_live_session_is_listed_whoever_s_it_is(managers: Managers) -> None:
    one, other = managers
    assert await everything(one) == []
    browsers = [await visitor(one, agent="v") for _ in range(5)]
    browsers += [await logged_in(other, "ada", agent="a") for _ in range(3)]
    refs = {await ref_of(one, browser) for browser in browsers}
    for limit in (1, 3, 100):
        listed = await everything(other, limit, attributes=["agent"])
        assert len(listed) == 8
        assert {live.ref for live in listed} == refs
        assert (
            sorted((live.principal or "", live.get("agent")) for live in listed) == [("", "v")] * 5 + [("ada", "a")] * 3
        )


async def test_a_listed_session_says_what_it_says_in_the_list_of_its_user(managers: Managers) -> None:
    browser = await logged_in(managers[0], "ada", agent="phone", n=1)
    nobodys = await visitor(managers[0], agent="desk")
    [of_user] = await managers[1].sessions_of("ada")
    listed = {live.ref: live for live in await everything(managers[1], attributes=["agent", "there is none"])}
    live = listed[await ref_of(managers[0], browser)]
    assert live == of_user
    assert (live.get("agent"), live.get("n"), live.get("there is none", 0)) == ("phone", None, 0)
    visitors = listed[await ref_of(managers[0], nobodys)]
    assert (visitors.principal, visitors.bound_at) == (None, None)
    assert visitors.created_at <= visitors.last_accessed_at < visitors.expires_at
    for each in listed.values():
        assert "agent" not in repr(each)
        for cookies in (browser.cookies, nobodys.cookies):
            assert cookies["__Host-sid"] not in repr(each)


async def test_a_page_has_at_least_one_session_and_at_most_five_hundred(managers: Managers) -> None:
    """S-102: whatever is asked for."""
    asked: list[int] = []

    class Counting(MemoryStore):
        async def page(self, cursor: str | None, limit: int, **more: Any) -> Any:
            asked.append(limit)
            return await super().page(cursor, limit, **more)

    manager = SessionManager(store_url="memory:", store=Counting())
    for limit in (-1, 0, 1, 500, 501, 10**9):
        await manager.live_sessions(limit=limit)
    assert asked == [1, 1, 1, 500, 500, 500]


async def test_a_cursor_that_nobody_gave_is_refused_and_says_so(managers: Managers) -> None:
    await visitor(managers[0], n=1)
    with pytest.raises(errors.InvalidCursor, match="no cursor of this list"):
        await managers[0].live_sessions("../../etc/passwd")


async def test_what_has_ended_or_moved_is_not_listed(managers: Managers) -> None:
    browser, gone = await visitor(managers[0], n=1), await visitor(managers[1], n=2)
    await gone.request(on(managers[1], lambda session: session.invalidate() and None))
    before = await ref_of(managers[0], browser)
    await browser.request(on(managers[0], lambda session: session.bind_user("ada") and None))
    [live] = await everything(managers[1])
    assert live.ref == await ref_of(managers[1], browser) != before
    assert live.principal == "ada"


# -- one of them -------------------------------------------------------------------------------------------------------


async def test_a_session_is_found_by_its_ref(managers: Managers) -> None:
    browsers = [await logged_in(managers[0], "ada", agent="a"), await visitor(managers[0], agent="v")]
    for browser, principal in zip(browsers, ("ada", None), strict=True):
        ref = await ref_of(managers[0], browser)
        live = await managers[1].live_session(ref, attributes=["agent"])
        assert live is not None
        assert (live.ref, live.principal, live.get("agent")) == (ref, principal, "a" if principal else "v")
    for ref in ("0123456789ab", "", "no ref", browsers[0].cookies["__Host-sid"]):
        assert await managers[0].live_session(ref) is None


async def test_a_session_is_ended_by_its_ref_and_no_other(managers: Managers, caplog: pytest.LogCaptureFixture) -> None:
    """S-55, S-104."""
    adas, visitors = await logged_in(managers[0], "ada"), await visitor(managers[0], n=1)
    others = [await logged_in(managers[1], "ada"), await visitor(managers[1], n=2)]
    refs = [await ref_of(managers[0], browser) for browser in (adas, visitors)]
    with caplog.at_level(logging.INFO, "wsgessions.audit"):
        for ref in refs:
            assert await managers[1].end_session(ref)
            assert not await managers[1].end_session(ref)
    assert not await managers[1].end_session("0123456789ab")
    left = {live.ref for live in await everything(managers[0])}
    assert left == {await ref_of(managers[0], browser) for browser in others}
    assert await user_of(managers[0], adas) is None
    lines = [record.getMessage() for record in caplog.records if record.name == "wsgessions.audit"]
    assert lines == [f"ended sessions of 'ada': {refs[0]}", f"ended sessions of None: {refs[1]}"]


async def test_a_warm_copy_elsewhere_is_not_served_any_more_when_the_session_is_ended(
    shared_server: RawServer,
) -> None:
    """C-15."""
    async with heard_late(shared_server) as (one, ref, user_elsewhere):
        assert await user_elsewhere() == "ada"
        assert await one.end_session(ref)
        assert await user_elsewhere() is None


async def test_whoever_ends_a_session_waits_for_all_servers(
    managers: Managers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C-15: also where it has ended already, since the call that did it may have failed to wait."""
    manager, waits = managers[0], 0

    async def barrier(deadline: float) -> None:
        nonlocal waits
        waits += 1

    monkeypatch.setattr(type(manager.requests.repository), "barrier", lambda _, deadline: barrier(deadline))
    ref = await ref_of(manager, await visitor(manager, n=1))
    assert [await manager.end_session(ref), await manager.end_session(ref)] == [True, False]
    assert waits == 2


async def test_a_request_in_flight_cannot_bring_it_back(managers: Managers) -> None:
    """S-62."""
    browser = await visitor(managers[0], n=1)

    async def slow(session: Session) -> None:
        session["n"] = 2
        assert session.ref is not None
        assert await managers[1].end_session(session.ref)

    assert (await browser.copy().request(on(managers[0], slow))).status == 409
    assert await everything(managers[1]) == []


async def test_a_ref_of_several_sessions_shows_and_ends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-80."""
    manager = SessionManager(store_url="memory:", store=MemoryStore())
    for _ in range(2):
        await visitor(manager, n=1)
    monkeypatch.setattr(SessionKey, "ref", "0123456789ab")
    for ask in (manager.live_session("0123456789ab"), manager.end_session("0123456789ab")):
        with pytest.raises(errors.AmbiguousRef):
            await ask
    assert len(await everything(manager)) == 2


async def test_a_store_that_cannot_list_says_so() -> None:
    class Plain:
        """A store without that capability."""

        def __init__(self) -> None:
            self._below = MemoryStore()

        def __getattr__(self, name: str) -> Any:
            if name in {"below", "page", "with_ref"}:
                raise AttributeError(name)
            return getattr(self._below, name)

    manager = SessionManager(store_url="memory:", store=Plain())
    for ask in (manager.live_sessions(), manager.live_session("x"), manager.end_session("x")):
        with pytest.raises(errors.ConfigError, match="cannot list"):
            await ask


async def test_a_manager_that_was_not_started_starts_for_it(shared_server: RawServer) -> None:
    """R-44."""
    for ask in ("live_sessions", "live_session", "end_session"):
        manager = SessionManager(store_url=shared_server.url, namespace=f"a{next(_namespaces)}")
        await getattr(manager, ask)(*() if ask == "live_sessions" else ("0123456789ab",))
        await manager.close()

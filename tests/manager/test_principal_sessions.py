"""The sessions of one user: listed, ended one by one, and all but one (S-55, C-15, S-80)."""

from __future__ import annotations

import asyncio
import itertools
import logging
from datetime import timedelta
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering
from tests.nodes import Time, make_node, two_nodes
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import Managers, heard_late, manager_at, managers
from wsgessions import errors
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.record import SessionKey
from wsgessions.session import Session
from wsgessions.store.capabilities import find_capability
from wsgessions.store.listing import Indexing
from wsgessions.stores.memory.store import MemoryStore

__all__ = ["managers", "shared_server"]


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


async def logged_in(manager: SessionManager, principal: str = "ada", **attributes: Any) -> Browser:
    """A browser of that user."""

    def login(session: Session) -> None:
        session.update(attributes)
        session.bind_user(principal)

    browser = Browser()
    await browser.request(on(manager, login))
    return browser


async def user_of(manager: SessionManager, browser: Browser) -> Any:
    """Whom the server takes the browser for; its cookies stay as they are."""
    return (await browser.copy().request(on(manager, lambda session: session.principal))).data


async def ref_of(manager: SessionManager, browser: Browser) -> Any:
    return (await browser.copy().request(on(manager, lambda session: session.ref))).data


# -- listing -----------------------------------------------------------------------------------------------------------


async def test_a_list_of_devices_shows_what_the_application_remembers_and_no_id(managers: Managers) -> None:
    one, other = managers
    phone = await logged_in(one, agent="phone", n=1)
    desk = await logged_in(other, agent="desk")
    await logged_in(one, "bob", agent="bob's")
    devices = await other.sessions_of("ada", attributes=("agent", "n"))
    assert {device.ref for device in devices} == {await ref_of(one, phone), await ref_of(one, desk)}
    assert {device.get("agent") for device in devices} == {"phone", "desk"}
    by_agent = {device.get("agent"): device for device in devices}
    assert by_agent["phone"].get("n") == 1
    assert by_agent["desk"].get("n", 0) == 0
    for device in devices:
        assert device.principal == "ada"
        assert device.bound_at is not None
        assert device.created_at <= device.bound_at <= device.last_accessed_at < device.expires_at
        for browser in (phone, desk):
            assert browser.cookies["__Host-sid"] not in repr(device)
        assert "agent" not in repr(device)
        assert len({device, *devices}) == 2


async def test_the_last_used_comes_first() -> None:
    time = Time()
    node, _ = two_nodes(time)
    browsers = []
    for _ in range(3):
        browsers.append(await logged_in(node.manager))
        time.pass_seconds(60)
    await browsers[0].request(on(node.manager, lambda session: session.update(n=1)))
    refs = [await ref_of(node.manager, browser) for browser in browsers]
    listed = await node.manager.sessions_of("ada")
    assert [each.ref for each in listed] == [refs[0], refs[2], refs[1]]
    used = {each.ref: each.last_accessed_at for each in listed}
    assert used[refs[2]] - used[refs[1]] == timedelta(seconds=60)
    assert {each.expires_at - each.last_accessed_at for each in listed} == {node.manager.settings.max_inactive_interval}


async def test_a_session_that_idling_never_ends_was_last_used_when_it_was_created() -> None:
    node = make_node(MemoryStore())
    async with node.manager.open() as session:
        session.max_inactive_interval = None
        session.bind_user("ada")
    [listed] = await node.manager.sessions_of("ada")
    assert listed.last_accessed_at == listed.created_at


# -- ending ------------------------------------------------------------------------------------------------------------


async def test_log_out_other_devices_leaves_exactly_the_caller(managers: Managers) -> None:
    """S-55: five devices on two servers."""
    browsers = [await logged_in(managers[number % 2]) for number in range(5)]
    bob = await logged_in(managers[0], "bob")

    async def others(session: Session) -> int:
        return await managers[0].end_sessions_of("ada", keep=session)

    assert (await browsers[2].request(on(managers[0], others))).data == 4
    for manager in managers:
        assert [await user_of(manager, browser) for browser in browsers] == [None, None, "ada", None, None]
        assert await user_of(manager, bob) == "bob"
    assert len(await managers[1].sessions_of("ada")) == 1


async def test_log_out_everywhere_leaves_nobody(managers: Managers) -> None:
    browsers = [await logged_in(managers[number % 2]) for number in range(5)]
    assert await managers[0].end_sessions_of("ada") == 5
    assert await managers[0].end_sessions_of("ada") == 0
    for manager in managers:
        assert [await user_of(manager, browser) for browser in browsers] == [None] * 5
        assert await manager.sessions_of("ada") == []


async def test_one_device_is_ended_by_its_ref_and_only_by_its_owner(managers: Managers) -> None:
    one, other = managers
    phone, desk = await logged_in(one), await logged_in(one)
    ref = await ref_of(one, phone)
    assert not await other.end_session_of("bob", ref)
    assert await user_of(other, phone) == "ada"
    assert await other.end_session_of("ada", ref)
    assert not await other.end_session_of("ada", ref)
    assert not await other.end_session_of("ada", "no ref")
    assert await user_of(one, phone) is None
    assert await user_of(one, desk) == "ada"


@pytest.mark.parametrize("what", ["one session", "all sessions"])
async def test_a_warm_copy_elsewhere_is_not_served_any_more_when_the_call_returns(
    what: str, shared_server: RawServer
) -> None:
    """C-15: the barrier is part of it, whatever `invalidate_barrier` says."""
    async with heard_late(shared_server) as (one, ref, user_elsewhere):
        assert await user_elsewhere() == "ada"
        assert await (one.end_session_of("ada", ref) if what == "one session" else one.end_sessions_of("ada"))
        assert await user_elsewhere() is None


async def test_a_request_in_flight_cannot_bring_an_ended_session_back(managers: Managers) -> None:
    """S-62: it is told so by a 409."""
    browser = await logged_in(managers[0])

    async def slow(session: Session) -> None:
        session["n"] = 1
        assert await managers[1].end_sessions_of("ada") == 1

    assert (await browser.copy().request(on(managers[0], slow))).status == 409
    assert await user_of(managers[1], browser) is None


async def test_a_login_at_the_same_time_is_ended_or_begins_afterwards_and_never_half(managers: Managers) -> None:
    """S-55: whoever is not ended is listed, and the other way round."""
    for _ in range(5):
        old = [await logged_in(managers[number % 2]) for number in range(3)]
        ending = asyncio.ensure_future(managers[0].end_sessions_of("ada"))
        new = await asyncio.gather(*(logged_in(managers[number % 2]) for number in range(6)))
        ended = await ending
        users = [await user_of(managers[1], browser) for browser in new]
        assert 3 <= ended == 9 - users.count("ada")
        assert set(users) <= {None, "ada"}
        assert [await user_of(managers[0], browser) for browser in old] == [None] * 3
        listed = {each.ref for each in await managers[0].sessions_of("ada")}
        living = [browser for browser, user in zip(new, users, strict=True) if user]
        assert listed == {await ref_of(managers[0], browser) for browser in living}
        await managers[0].end_sessions_of("ada")


async def test_a_session_that_gets_a_new_id_meanwhile_does_not_get_away(managers: Managers) -> None:
    """S-55: an id is no login. The rotations go on until they are refused."""
    browsers = [await logged_in(managers[number % 2]) for number in range(4)]

    async def go_on(browser: Browser, manager: SessionManager) -> None:
        for _ in range(20):
            response = await browser.request(on(manager, lambda session: session.principal and session.rotate_id()))
            if response.status == 409:
                return

    await asyncio.gather(*(go_on(browser, managers[0]) for browser in browsers), managers[1].end_sessions_of("ada"))
    assert await managers[0].sessions_of("ada") == []
    assert [await user_of(managers[0], browser) for browser in browsers] == [None] * 4


async def test_the_callers_session_is_kept_although_a_parallel_request_renews_its_id() -> None:
    """S-07: the caller still has the old one."""
    time = Time()
    one, other = two_nodes(time, renew_interval="60s")
    browser = await logged_in(one.manager)
    await logged_in(other.manager)
    time.pass_seconds(61)
    tab = browser.copy()

    async def others(session: Session) -> int:
        await tab.request(on(other.manager, lambda session: session.principal))
        return await one.manager.end_sessions_of("ada", keep=session)

    assert (await browser.request(on(one.manager, others))).data == 1
    assert await user_of(one.manager, tab) == "ada"


async def test_a_session_that_was_never_stored_keeps_nothing() -> None:
    node = make_node(MemoryStore())
    await logged_in(node.manager)
    async with node.manager.open() as session:
        assert await node.manager.end_sessions_of("ada", keep=session) == 1


async def test_sessions_that_begin_for_ever_end_the_call_after_so_many_looks() -> None:
    """And not the server. What was ended by then is told."""
    node = make_node(MemoryStore())
    await logged_in(node.manager)

    async def more(call: str) -> None:
        if call == "delete":
            async with node.manager.open() as session:
                await session.bind_user("ada")

    node.store.after = more
    with pytest.raises(errors.NonStopTimeout, match="begin too fast") as stopped:
        await node.manager.end_sessions_of("ada")
    assert node.manager.statistics.invalidated == 100
    assert stopped.value.hint == "100 sessions were ended; call it again for the others"


async def test_what_was_ended_is_put_down_even_if_the_rest_failed(caplog: pytest.LogCaptureFixture) -> None:
    """S-104: by refs, and with a principal that cannot forge a line (S-81)."""
    node = make_node(MemoryStore())
    evil = "ada\r\n2026-01-01 all is well\x1b[2K"
    browsers = [await logged_in(node.manager, evil) for _ in range(2)]
    refs = {await ref_of(node.manager, browser) for browser in browsers}
    calls = itertools.count()

    async def fail_once(call: str) -> None:
        node.store.down = call == "delete" and next(calls) == 1

    node.store.before = fail_once
    with caplog.at_level(logging.INFO, "wsgessions.audit"):
        with pytest.raises(errors.StoreUnavailable) as failed:
            await node.manager.end_sessions_of(evil)
        assert failed.value.hint == "1 sessions were ended; call it again for the others"
        assert await node.manager.end_sessions_of(evil) == 1
    lines = [record.getMessage() for record in caplog.records if record.name == "wsgessions.audit"]
    assert [sum(ref in line for line in lines) for ref in refs] == [1, 1]
    assert all(repr(evil) in line and line.isprintable() for line in lines)
    assert not any(browser.cookies["__Host-sid"] in caplog.text for browser in browsers)


async def test_a_ref_of_several_sessions_ends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """S-80."""
    node = make_node(MemoryStore())
    browsers = [await logged_in(node.manager) for _ in range(2)]
    monkeypatch.setattr(SessionKey, "ref", "0123456789ab")
    with pytest.raises(errors.AmbiguousRef) as refused:
        await node.manager.end_session_of("ada", "0123456789ab")
    assert refused.value.code == "ambiguous_ref"
    assert [await user_of(node.manager, browser) for browser in browsers] == ["ada", "ada"]


async def test_a_store_that_cannot_find_sessions_says_so() -> None:
    class Plain:
        """A store without that capability."""

        def __init__(self) -> None:
            self._below = MemoryStore()

        def __getattr__(self, name: str) -> Any:
            if name in {"below", "keys_of"}:
                raise AttributeError(name)
            return getattr(self._below, name)

    manager = SessionManager(store_url="memory:", store=Plain())
    browser = await logged_in(manager)
    assert await user_of(manager, browser) == "ada"
    assert find_capability(manager.store, Indexing) is None
    for ask in (manager.sessions_of("ada"), manager.end_sessions_of("ada"), manager.end_session_of("ada", "x")):
        with pytest.raises(errors.ConfigError, match="principal"):
            await ask


async def test_a_manager_that_was_not_started_starts_for_it(shared_server: RawServer) -> None:
    """R-44."""
    manager = manager_at(shared_server.url)
    assert await manager.sessions_of("ada") == []
    await manager.close()

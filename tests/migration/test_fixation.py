"""What somebody has who knows an old credential, because it was planted or copied: nothing that its visitor does later.

The stories are told with each source of old sessions (S-06, S-07, S-75).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import itsdangerous
import msgspec
import pytest
import redis.asyncio

from tests.asgi_driver import Browser, Call, Response, answering, respond, untouched, websocket_scope
from tests.migration.kept import KeptSessions
from tests.migration.moving import old_client
from tests.nodes import Node, Time, make_node, two_nodes
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import Session, SessionMiddleware
from wsgessions.credentials.identity import is_well_formed
from wsgessions.errors import SessionClosed
from wsgessions.migration import (
    FlaskSessions,
    LegacySessions,
    QuartSessions,
    Starsessions,
    TakeoverMiddleware,
    derived_ids,
)
from wsgessions.migration.derived_ids import DerivedIds, speaks_of_login
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Receive, Scope, Send
from wsgessions_starlette.signed_cookies import SignedCookies, StarsessionsCookies

__all__ = ["shared_server"]

KEY = "a secret that all the servers share"
OLD = "0123456789abcdef0123456789abcdef"
CART = {"cart": ["tea"]}
GRACE = 10
"""Seconds, the setting by default."""

Login = Callable[[Session], Any]


@dataclass
class Move:
    """A project while it moves: one server, the clock of its store, and an old session that somebody has planted."""

    node: Node
    time: Time
    source: LegacySessions
    cookie: str

    def app(self, handler: Callable[[Session], Any], **options: Any) -> SessionMiddleware:
        return self.around(answering(handler), **options)

    def around(self, app: ASGIApp, **options: Any) -> SessionMiddleware:
        plan = {"source": self.source, "until": datetime.now(UTC) + timedelta(days=1), "secret": KEY, **options}
        return SessionMiddleware(TakeoverMiddleware(app, **plan), manager=self.node.manager)

    def browser(self) -> Browser:
        """One that has the old cookie."""
        return Browser(session=self.cookie)

    async def sees(self, browser: Browser) -> Any:
        """What a browser finds in its session."""
        return (await browser.request(self.app(dict))).data


def signed(content: Any) -> str:
    return itsdangerous.TimestampSigner(KEY).sign(base64.b64encode(json.dumps(content).encode())).decode()


SOURCES = ("any", "starsessions", "flask", "quart", "starlette's cookies", "starsessions' cookies")


@pytest.fixture
async def client(shared_server: RawServer) -> AsyncIterator[redis.asyncio.Redis]:
    async with old_client(shared_server) as made:
        yield made


async def planted(kind: str, client: redis.asyncio.Redis) -> tuple[LegacySessions, str]:
    """The source, and the value of the cookie."""
    if kind == "starlette's cookies":
        return SignedCookies("session", KEY, max_age=3600), signed(CART)
    if kind == "starsessions' cookies":
        return StarsessionsCookies(KEY, lifetime=3600), signed(CART)
    if kind == "starsessions":
        await client.set(f"starsessions.{OLD}", json.dumps(CART))
        return Starsessions(client), OLD
    if kind == "flask":
        await client.set(f"session:{OLD}", msgspec.msgpack.encode(CART))
        return FlaskSessions(client), OLD
    if kind == "quart":
        await client.set(f"session:{OLD}", json.dumps(CART))
        return QuartSessions(client), OLD
    return KeptSessions(**{OLD: CART}), OLD


@pytest.fixture(params=SOURCES)
async def move(request: pytest.FixtureRequest, client: redis.asyncio.Redis) -> Move:
    time = Time()
    source, cookie = await planted(request.param, client)
    return Move(make_node(MemoryStore(clock=time.clock())), time, source, cookie)


@pytest.fixture
def plain() -> Move:
    """From one source, where the source makes no difference."""
    return moved()


def moved(**settings: Any) -> Move:
    time = Time()
    node = make_node(MemoryStore(clock=time.clock()), **settings)
    return Move(node, time, KeptSessions(**{OLD: CART}), OLD)


def id_of(browser: Browser) -> str | None:
    return browser.cookies.get("__Host-sid")


def set_user(session: Session) -> None:
    session["user"] = "ann"


def bind(session: Session) -> None:
    session["name"] = "Ann"
    session.bind_user("ann")


async def set_and_commit(session: Session) -> None:
    session["userId"] = 7
    await session.commit()


async def set_at_the_store(session: Session) -> None:
    await session.update("account", lambda _: "ann")


async def set_by_increment(session: Session) -> None:
    session["logged_in"] = True
    await session.increment("logged_in_times")
    await session.commit()


def put(session: Session) -> None:
    session["color"] = "red"


LOGINS = [set_user, bind, set_and_commit, set_at_the_store, set_by_increment]
logins = pytest.mark.parametrize("login", LOGINS, ids=[each.__name__ for each in LOGINS])
DELAYS = [0, GRACE + 1]
delays = pytest.mark.parametrize("delay", DELAYS, ids=["within the grace", "after it"])


async def assert_nothing_for(move: Move, intruder: Browser) -> None:
    """Whoever has this neither sees the session nor is told of it, and cannot begin one that would take its place."""
    known = id_of(intruder)
    for browser in (intruder, move.browser()):
        response = await browser.request(move.app(dict))
        assert (response.data, response.set_cookies) == ({}, {})
    assert id_of(intruder) == known


def sized(size: int) -> Callable[[Session], None]:
    """A handler whose change no other one makes."""
    return lambda session: session.update({f"size{size}": size})


class TestTheLogin:
    """...gives the session an id that only who has logged in is told, whether the application does so or not."""

    @logins
    @delays
    async def test_by_a_victim_who_comes_second(self, move: Move, login: Login, delay: int) -> None:
        intruder, victim = move.browser(), move.browser()
        assert await move.sees(intruder) == CART
        assert id_of(intruder) is not None
        response = await victim.request(move.app(login))
        assert response.status == 200
        assert id_of(victim) not in {None, id_of(intruder)}
        move.time.pass_seconds(delay)
        await assert_nothing_for(move, intruder)
        assert (await move.sees(victim)).items() >= CART.items()
        assert len(await move.sees(victim)) > len(CART)

    @logins
    @delays
    async def test_by_a_victim_who_comes_first(self, move: Move, login: Login, delay: int) -> None:
        """The intruder is within the grace, and so has the session until the login."""
        intruder, victim = move.browser(), move.browser()
        assert await move.sees(victim) == CART
        before = id_of(victim)
        response = await intruder.request(move.app(dict))
        assert (response.data, id_of(intruder)) == (CART, None)
        await victim.request(move.app(login))
        assert id_of(victim) not in {None, before}
        move.time.pass_seconds(delay)
        await assert_nothing_for(move, intruder)
        assert len(await move.sees(victim)) > len(CART)

    @logins
    @delays
    async def test_in_the_very_first_request(self, move: Move, login: Login, delay: int) -> None:
        intruder, victim = move.browser(), move.browser()
        await victim.request(move.app(login))
        move.time.pass_seconds(delay)
        await assert_nothing_for(move, intruder)
        assert len(await move.sees(victim)) > len(CART)

    async def test_long_after_the_takeover(self, plain: Move) -> None:
        """Nobody else can have the id by then; one that was told to the wrong one is dead all the same."""
        intruder = plain.browser()
        await plain.sees(intruder)
        victim = intruder.copy()
        plain.time.pass_seconds(600)
        await victim.request(plain.app(set_user))
        assert id_of(victim) != id_of(intruder)
        await assert_nothing_for(plain, intruder)

    async def test_when_the_old_session_was_of_another_user(self) -> None:
        """The planted session is the intruder's own, who is logged in there."""
        move = moved()
        move.source = KeptSessions(**{OLD: {"user": "eve"}})
        intruder, victim = move.browser(), move.browser()
        await move.sees(intruder)
        await victim.request(move.app(set_user))
        assert (await move.sees(victim)) == {"user": "ann"}
        await assert_nothing_for(move, intruder)

    async def test_by_the_content_that_says_whose_it_is(self, plain: Move) -> None:
        """`user_of` is asked, and no name is."""

        def user_of(values: Any) -> Any:
            return values.get("wer")

        intruder, victim = plain.browser(), plain.browser()
        await intruder.request(plain.app(dict, user_of=user_of))
        await victim.request(plain.app(lambda session: session.update(user="what is no user here"), user_of=user_of))
        assert id_of(victim) is None
        await victim.request(plain.app(lambda session: session.update(wer=None), user_of=user_of))
        assert id_of(victim) is None
        await victim.request(plain.app(lambda session: session.update(wer="ann"), user_of=user_of))
        assert id_of(victim) not in {None, id_of(intruder)}
        await assert_nothing_for(plain, intruder)

    async def test_at_a_server_that_has_taken_nothing_over(self) -> None:
        """It knows such an id all the same."""
        time = Time()
        one, other = two_nodes(time)
        here, there = [Move(node, time, KeptSessions(**{OLD: CART}), OLD) for node in (one, other)]
        victim = here.browser()
        await here.sees(victim)
        told = victim.copy()
        await victim.request(there.app(set_user))
        assert await there.sees(victim) == {**CART, "user": "ann"}
        await assert_nothing_for(there, told)

    async def test_is_none_if_it_is_a_logout(self) -> None:
        """Or if the application says so: whose the session is has changed, and it is nobody's."""
        move = moved()
        move.source = KeptSessions(**{OLD: {"wer": "eve"}})
        browser = move.browser()
        await move.sees(move.browser())

        def user_of(values: Any) -> Any:
            return values.get("wer")

        await browser.request(move.app(lambda session: session.update(wer=None), user_of=user_of))
        assert id_of(browser) is None

    async def test_outside_of_a_request_leaves_the_id(self, plain: Move) -> None:
        """There is no client to be told another one."""
        browser = plain.browser()
        await plain.sees(browser)
        async with plain.node.manager.open(id_of(browser)) as session:
            set_user(session)
        assert await plain.sees(browser) == {**CART, "user": "ann"}

    async def test_that_fails_leaves_the_id_and_no_login(self, plain: Move) -> None:
        """R-33: both or neither."""
        browser = plain.browser()
        await plain.sees(browser)
        before = id_of(browser)

        async def fail(scope: Scope, receive: Receive, send: Send) -> None:
            set_user(scope["session"])
            await respond(send, status=500)

        async def crash(scope: Scope, receive: Receive, send: Send) -> None:
            set_user(scope["session"])
            raise ValueError

        await browser.request(plain.around(fail))
        with pytest.raises(ValueError):
            await browser.request(plain.around(crash))
        assert id_of(browser) == before
        assert await plain.sees(browser) == CART

    async def test_once_and_no_more(self, plain: Move) -> None:
        """The id that it gave is not provisional any more, but for the few that look like it."""
        browser = plain.browser()
        await browser.request(plain.app(set_user))
        ids = DerivedIds(hashlib.sha512(KEY.encode()).digest(), None)
        while ids.hold(id_of(browser) or ""):
            await browser.request(plain.app(lambda session: session.rotate_id()))
        before = id_of(browser)
        await browser.request(plain.app(lambda session: session.update(user="bob")))
        assert id_of(browser) == before


class TestTheTelling:
    """One response tells the id, and the others neither tell it nor renew its cookie."""

    async def test_who_is_not_told_keeps_the_old_cookie_and_has_the_session_for_the_grace(self, move: Move) -> None:
        first, second = move.browser(), move.browser()
        assert "session" in (await first.request(move.app(put))).set_cookies
        move.time.pass_seconds(GRACE)
        response = await second.request(move.app(dict))
        assert response.data == {**CART, "color": "red"}
        assert set(response.set_cookies) == {"__Host-sid-v"}
        move.time.pass_seconds(1)
        response = await second.request(move.app(dict))
        assert (response.data, response.set_cookies) == ({}, {})
        assert await move.sees(first) == {**CART, "color": "red"}

    async def test_an_old_cookie_that_was_used_long_ago_costs_one_look_at_its_mark(self, plain: Move) -> None:
        await plain.sees(plain.browser())
        plain.time.pass_seconds(GRACE + 1)
        before = plain.node.store.counts["load"]
        await plain.sees(plain.browser())
        assert plain.node.store.counts["load"] == before + 1

    async def test_the_grace_is_a_setting(self) -> None:
        move = moved(renew_grace="2s")
        await move.sees(move.browser())
        move.time.pass_seconds(2)
        assert await move.sees(move.browser()) == CART
        move.time.pass_seconds(1)
        assert await move.sees(move.browser()) == {}

    async def test_a_cookie_with_an_age_is_not_renewed_for_who_was_not_told(self) -> None:
        move = moved(cookie={"max_age": 3600})
        first, second = move.browser(), move.browser()
        assert "Max-Age=3600" in (await first.request(move.app(put))).set_cookies["__Host-sid"]
        response = await second.request(move.app(lambda session: session.update(size=2)))
        assert set(response.set_cookies) == {"__Host-sid-v"}
        assert await move.sees(first) == {**CART, "color": "red", "size": 2}

    async def test_an_id_that_goes_by_a_header_is_told_once_too(self) -> None:
        move = moved(header="X-Session-Id")
        asking = [(b"x-session-id", b"none")]
        told, untold = [
            await move.browser().request(move.app(put), headers=asking),
            await move.browser().request(move.app(put), headers=asking),
        ]
        assert is_well_formed(told.header("x-session-id")[0])
        assert (untold.header("x-session-id"), set(untold.set_cookies)) == ([], set())

    async def test_an_id_of_an_age_is_not_renewed_for_who_was_not_told(self) -> None:
        """S-07: of what it renews its own client is told."""
        move = moved(renew_interval="3s", renew_grace="2s", nonstop_timeout="2s")
        move.source = KeptSessions(**{OLD: CART})

        async def late(name: str) -> None:
            if name == "create" and move.node.store.counts["create"] == 2:
                move.time.pass_seconds(4)  # between the session and its mark

        move.node.store.before = late
        await move.sees(move.browser())
        response = await move.browser().request(move.app(dict))
        assert (response.data, set(response.set_cookies)) == (CART, {"__Host-sid-v"})

    async def test_a_response_that_has_not_looked_tells_it_all_the_same(self, plain: Move) -> None:
        """Else it would be told to whoever looks first, or to nobody."""
        browser = plain.browser()
        response = await browser.request(plain.around(untouched))
        assert response.header("vary") == ["Cookie"]
        assert (id_of(browser) is not None, "session" in browser.cookies) == (True, False)
        plain.time.pass_seconds(GRACE + 1)
        assert await plain.sees(browser) == CART

    async def test_a_websocket_tells_it_where_it_is_accepted(self, plain: Move) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            dict(scope["session"])
            await send({"type": "websocket.accept"})

        told, untold = plain.browser(), plain.browser()
        for browser in (told, untold):
            async with Call(plain.around(app), websocket_scope(headers=browser.header)) as call:
                call.give("websocket.connect")
                await call.take("websocket.accept")
            browser.take(call.response)
        assert (id_of(told) is not None, id_of(untold)) == (True, None)


class TestWhatComesLate:
    async def test_a_request_of_the_same_browser_begins_no_session_beside_the_login(self, plain: Move) -> None:
        """C-24: its answer would come after that to the login, and evict what that has set."""
        browser = plain.browser()
        late = browser.copy()
        await browser.request(plain.app(set_user))
        response = await late.request(plain.app(put))
        assert (response.status, response.set_cookies) == (409, {})
        assert (await late.request(plain.app(dict))).data == {}

    async def test_nor_a_moment_after_the_grace(self, plain: Move) -> None:
        """The login was a moment ago, and the takeover was not."""
        browser = plain.browser()
        late = browser.copy()
        await plain.sees(browser)
        plain.time.pass_seconds(GRACE - 1)
        await browser.request(plain.app(set_user))
        plain.time.pass_seconds(2)
        response = await late.request(plain.app(put))
        assert (response.status, response.set_cookies) == (409, {})

    async def test_nor_beside_a_session_that_was_renewed(self, plain: Move) -> None:
        browser = plain.browser()
        late = browser.copy()
        await plain.sees(browser)
        await browser.request(plain.app(put))
        response = await late.request(plain.app(put))
        assert (response.status, response.set_cookies) == (409, {})
        plain.time.pass_seconds(GRACE + 1)
        assert (await late.request(plain.app(put))).status == 200

    async def test_a_login_when_the_response_has_left_is_refused_to_who_was_not_told(self, plain: Move) -> None:
        """S-06: the id cannot be changed any more, and with this one somebody else would be logged in."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            set_user(scope["session"])
            await send({"type": "http.response.body", "body": b""})

        intruder = plain.browser()
        await plain.sees(intruder)
        with pytest.raises(SessionClosed, match="told its new id"):
            await plain.browser().request(plain.around(app))
        assert await plain.sees(intruder) == CART

    @pytest.mark.parametrize("first", [True, False], ids=["in the first request", "by the new id"])
    async def test_a_login_when_the_response_has_left_locks_the_credential_out(self, plain: Move, first: bool) -> None:
        """The client keeps the id that it was told, which leads on."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            set_user(scope["session"])
            await send({"type": "websocket.send", "text": "hello"})

        intruder, victim = plain.browser(), plain.browser()
        if not first:
            await plain.sees(victim)
        async with Call(plain.around(app), websocket_scope(headers=victim.header)) as call:
            call.give("websocket.connect")
            await call.take("websocket.accept")
            call.give("websocket.receive", text="login")
            await call.take("websocket.send")
        if first:
            victim.take(call.response)
        assert (await intruder.request(plain.app(dict))).data == {}
        assert await plain.sees(victim) == {**CART, "user": "ann"}

    async def test_a_socket_of_the_intruder_is_closed_by_the_login(self, plain: Move) -> None:
        """C-17."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            dict(scope["session"])
            await send({"type": "websocket.accept"})
            while (await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": "more"})

        victim, intruder = plain.browser(), plain.browser()
        await plain.sees(victim)
        async with Call(plain.around(app), websocket_scope(headers=intruder.header)) as call:
            call.give("websocket.connect")
            await call.take("websocket.accept")
            call.give("websocket.receive", text="?")
            await call.take("websocket.send")
            await victim.request(plain.app(set_user))
            call.give("websocket.receive", text="?")
            await call.take("websocket.close")


class TestAnyOtherChange:
    """...renews the id softly, so that soon the visitor alone has one that was told to nobody else."""

    async def test_by_who_has_the_id_takes_the_session_from_the_credential(self, move: Move) -> None:
        victim, intruder = move.browser(), move.browser()
        await move.sees(victim)
        before = id_of(victim)
        assert await move.sees(intruder) == CART
        await victim.request(move.app(put))
        assert id_of(victim) not in {None, before}
        await assert_nothing_for(move, intruder)
        assert await move.sees(victim) == {**CART, "color": "red"}

    async def test_logs_no_parallel_request_out(self, plain: Move) -> None:
        browser = plain.browser()
        await plain.sees(browser)
        other = browser.copy()
        await browser.request(plain.app(put))
        assert await plain.sees(other) == {**CART, "color": "red"}
        response = await other.request(plain.app(lambda session: session.update(size=2)))
        assert (response.status, "__Host-sid" in response.set_cookies) == (200, False)
        assert await plain.sees(browser) == {**CART, "color": "red", "size": 2}

    async def test_in_a_request_that_is_under_way_by_the_credential_arrives(self, plain: Move) -> None:
        victim, other = plain.browser(), plain.browser()
        await plain.sees(victim)
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(session: Session) -> None:
            session["size"] = 2
            arrived.set()
            await go_on.wait()

        slow = asyncio.ensure_future(other.request(plain.app(slowly)))
        await arrived.wait()
        await victim.request(plain.app(put))
        go_on.set()
        response = await slow
        assert (response.status, "__Host-sid" in response.set_cookies) == (200, False)
        assert await plain.sees(victim) == {**CART, "color": "red", "size": 2}

    async def test_by_a_login_after_it_the_id_dies_at_once(self, plain: Move) -> None:
        """A login knows no grace: neither does the id that was renewed."""
        browser = plain.browser()
        await plain.sees(browser)
        told = browser.copy()
        await browser.request(plain.app(put))
        await browser.request(plain.app(bind))
        await assert_nothing_for(plain, told)

    async def test_reading_is_none(self, plain: Move) -> None:
        browser = plain.browser()
        await plain.sees(browser)
        before = id_of(browser)
        await browser.request(plain.app(lambda session: session["cart"]))
        assert id_of(browser) == before

    async def test_when_the_response_has_left_is_none(self, plain: Move) -> None:
        """The client could not be told; the next one is."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            put(scope["session"])
            await send({"type": "http.response.body", "body": b""})

        browser = plain.browser()
        await plain.sees(browser)
        told = id_of(browser)
        await browser.request(plain.around(app))
        assert id_of(browser) == told
        await browser.request(plain.app(lambda session: session.update(size=2)))
        assert id_of(browser) != told
        assert await plain.sees(browser) == {**CART, "color": "red", "size": 2}

    async def test_by_who_has_the_credential_is_none(self, plain: Move) -> None:
        """First requests come together, and each of them finds the session."""
        browsers = [plain.browser() for _ in range(3)]
        for size, browser in enumerate(browsers):
            await browser.request(plain.app(sized(size)))
        assert [id_of(browser) is not None for browser in browsers] == [True, False, False]
        assert await plain.sees(browsers[0]) == {**CART, "size0": 0, "size1": 1, "size2": 2}


async def test_parallel_first_requests_on_two_servers_keep_one_session_and_all_that_they_do(
    shared_server: RawServer,
) -> None:
    source = KeptSessions(**{OLD: CART})
    barrier = asyncio.Barrier(20)
    source.after = barrier.wait
    plan: dict[str, Any] = {"source": source, "until": datetime.now(UTC) + timedelta(days=1), "secret": KEY}
    namespace = f"t{secrets.token_hex(4)}"

    async def count(session: Session) -> None:
        await session.increment("visits")

    servers = [
        SessionMiddleware(
            TakeoverMiddleware(answering(count), **plan), store_url=shared_server.url, namespace=namespace
        )
        for _ in range(2)
    ]
    browsers = [Browser(session=OLD) for _ in range(20)]

    async def visit(index: int) -> Response:
        return await browsers[index].request(servers[index % 2])

    try:
        assert [each.status for each in await asyncio.gather(*map(visit, range(20)))] == [200] * 20
        told = [browser for browser in browsers if id_of(browser) is not None]
        assert len(told) == 1
        assert sum(each.manager.statistics.taken_over for each in servers) == 1
        async with servers[0].manager.open(id_of(told[0])) as session:
            assert session == {**CART, "visits": 20}
    finally:
        for each in servers:
            await each.manager.close()


@pytest.mark.parametrize("length", [24, 43, 86])
def test_an_id_that_was_made_of_a_credential_is_known_again(length: int) -> None:
    """S-01: 23 characters of the shortest are the digest's, 138 bits."""
    ids, others = DerivedIds(b"one" * 20, None), DerivedIds(b"two" * 20, None)
    made = [ids.derive(b"session", b"%d" % index, length) for index in range(2000)]
    assert all(is_well_formed(each, length) for each in made)
    assert len(set(made)) == 2000
    assert all(map(ids.hold, made))
    assert sum(map(others.hold, made)) < 200  # one in 64


@pytest.mark.parametrize(
    "name",
    [
        "user",
        "user_id",
        "userId",
        "UserID",
        "USER_ID",
        "user-id",
        "uid",
        "_auth_user_id",
        "authToken",
        "access_token",
        "auth.role",
        "is_admin",
        "memberId",
        "customer.email",
        "sub",
        "logged_in",
        "identity",
        "x2user",
    ],
)
def test_names_that_speak_of_a_login(name: str) -> None:
    assert speaks_of_login(name)


@pytest.mark.parametrize(
    "name", ["cart", "csrf_token", "xsrfToken", "_csrftoken", "color", "subtotal", "roleplay", "", "42", "größe"]
)
def test_names_that_do_not(name: str) -> None:
    assert not speaks_of_login(name)


def test_the_words_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "migrate-sessions.md").read_text()
    [listed] = re.findall(r"one of the words \*([^*]+)\*", page)
    assert set(re.split(r"[,\s]+", listed)) == derived_ids._LOGIN_WORDS


@pytest.mark.parametrize("value", [None, False, ""])
async def test_that_there_is_no_user_is_no_login(value: Any, plain: Move) -> None:
    intruder, visitor = plain.browser(), plain.browser()
    await plain.sees(intruder)
    await visitor.request(plain.app(lambda session: session.update(user=value)))
    assert id_of(visitor) is None

"""Whose a session is, as requests see it (S-06, S-55, S-57)."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.asgi_driver import Browser, answering
from tests.nodes import Node, Time, make_node, two_nodes
from wsgessions import errors
from wsgessions.middleware import SessionMiddleware
from wsgessions.record.principal import MAX_PRINCIPAL_BYTES
from wsgessions.session import Session, SessionStatus, unit_of
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import Receive, Scope, Send


@pytest.fixture
def node() -> Node:
    return make_node(MemoryStore())


def on(node: Node, handler: Callable[[Session], Any], **answer: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler, **answer), manager=node.manager)


def principal_of(session: Session) -> str | None:
    return session.principal


def login(session: Session) -> None:
    session.bind_user("ada")


class Tenant(str, enum.Enum):  # noqa: UP042 - whose str() is another text
    ACME = "acme"


# -- how a principal is named ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principal", "text"),
    [
        ("ada", "ada"),
        (7, "7"),
        (-7, "-7"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ("ключ\r\n\x1b[31m", "ключ\r\n\x1b[31m"),
        ("x" * MAX_PRINCIPAL_BYTES, "x" * MAX_PRINCIPAL_BYTES),
        (Tenant.ACME, "acme"),
        ("None", "None"),
    ],
)
async def test_a_principal_is_a_text_a_number_or_a_uuid(node: Node, principal: Any, text: str) -> None:
    async with node.manager.open() as session:
        session.bind_user(principal)
        assert session.principal == text
    assert [each.principal for each in await node.manager.sessions_of(principal)] == [text]


class Text(str):
    """As a framework may have."""

    __slots__ = ()


async def test_what_is_kept_is_a_plain_text() -> None:
    session = Session()
    session.bind_user(Text("ada"))
    assert type(session.principal) is str


@pytest.mark.parametrize("principal", ["", "x" * 513, "é" * 257, "\ud800", True, 1.5, b"ada", object(), ["ada"]])
async def test_anything_else_is_refused_and_changes_nothing(node: Node, principal: Any) -> None:
    async with node.manager.open() as session:
        session["a"] = 1
        await session.commit()
        before = session.id
        with pytest.raises(errors.CodecError, match="principal") as refused:
            session.bind_user(principal)
        assert repr(principal)[:20] not in str(refused.value)
        assert (session.id, session.principal, session.modified) == (before, None, False)
    for question in (node.manager.sessions_of, node.manager.end_sessions_of):
        with pytest.raises(errors.CodecError):
            await question(principal)


# -- binding -----------------------------------------------------------------------------------------------------------


async def test_a_login_renews_the_id_in_the_same_step_and_keeps_what_is_there(node: Node) -> None:
    """S-06, E-10: one call of the store."""
    browser = Browser()
    await browser.request(on(node, lambda session: session.update(cart=["pot"])))
    before = browser.copy()
    node.store.calls.clear()
    await browser.request(on(node, login))
    assert node.store.calls == ["load", "rotate"]
    assert (await browser.request(on(node, lambda session: [session.principal, dict(session)]))).data == [
        "ada",
        {"cart": ["pot"]},
    ]
    assert (await before.request(on(node, lambda session: [session.principal, dict(session)]))).data == [None, {}]


async def test_a_new_session_is_created_with_its_principal(node: Node) -> None:
    """In one call too, and even if there is nothing in it."""
    browser = Browser()
    await browser.request(on(node, login))
    assert node.store.calls == ["start", "create"]
    assert node.store.created[0].principal == "ada"
    assert (await browser.request(on(node, principal_of))).data == "ada"


async def test_the_object_shows_it_at_once_and_the_store_when_it_is_awaited(node: Node) -> None:
    async with node.manager.open() as session:
        assert (session.principal, session.bound_at) == (None, None)
        session["a"] = 1
        await session.commit()
        before = session.id
        binding = session.bind_user("ada")
        assert (session.principal, session.bound_at, session.status) == ("ada", None, SessionStatus.DIRTY)
        assert session.id != before
        assert await node.manager.sessions_of("ada") == []
        await binding
        assert (session.principal, session.status) == ("ada", SessionStatus.CLEAN)
        assert session.bound_at is not None
        [listed] = await node.manager.sessions_of("ada")
        assert (listed.ref, listed.bound_at) == (session.ref, session.bound_at)


async def test_awaited_on_a_new_session_it_creates_it_with_what_is_in_it(node: Node) -> None:
    async with node.manager.open() as session:
        session["a"] = 1
        await session.bind_user("ada")
        assert not session.is_new
        async with node.manager.open(session.id) as same:
            assert (same.principal, same) == ("ada", {"a": 1})


async def test_nobody_can_be_bound_and_unbound(node: Node) -> None:
    async with node.manager.open() as session:
        await session.bind_user(None)
        assert (session.is_new, session.principal, session.modified) == (True, None, False)
    assert "create" not in node.store.calls
    async with node.manager.open() as session:
        await session.bind_user("ada")
        before = session.id
        await session.bind_user(None)
        assert (session.principal, session.bound_at) == (None, None)
        assert session.id != before
    assert await node.manager.sessions_of("ada") == []


async def test_to_log_in_again_is_a_login(node: Node) -> None:
    """S-57: the id is renewed, and so is the time."""
    time = Time()
    node, _ = two_nodes(time)
    async with node.manager.open() as session:
        await session.bind_user("ada")
        first, before = session.bound_at, session.id
        time.pass_seconds(100)
        session["a"] = 1
        await session.commit()
        await session.rotate_id()
        assert (session.bound_at, session.principal) == (first, "ada")
        await session.bind_user("ada")
        assert session.id != before
        assert session.bound_at is not None
        assert first is not None
        assert (session.bound_at - first).total_seconds() == 100
        assert session.created_at == first


async def test_the_last_of_several_bindings_counts(node: Node) -> None:
    async with node.manager.open() as session:
        session.bind_user("ada")
        session.bind_user("bob")
    async with node.manager.open() as session:
        session["a"] = 1
        await session.commit()
        session.bind_user("ada")
        session.rotate_id()
        session.bind_user("eve")
        session.bind_user("bob")
    assert [len(await node.manager.sessions_of(name)) for name in ("ada", "bob", "eve")] == [0, 2, 0]


async def test_a_binding_asked_for_while_another_is_on_its_way_comes_after_it() -> None:
    """By two tasks of one request."""
    node = make_node(MemoryStore())

    async with node.manager.open() as session:
        session["a"] = 1

        async def meanwhile(call: str) -> None:
            if call in {"create", "rotate"} and session.principal != "bob":
                session.bind_user("bob")

        node.store.before = meanwhile
        await session.bind_user("ada")
        assert session.principal == "bob"
        await session.commit()
        session_id = session.id
    assert await node.manager.sessions_of("ada") == []
    async with node.manager.open(session_id) as session:
        assert session.principal == "bob"
        session.bind_user("ada")
        await session.commit()
        assert session.principal == "bob"
    assert len(await node.manager.sessions_of("bob")) == 1


async def test_a_logout_forgets_a_login_and_the_other_way_round(node: Node) -> None:
    async with node.manager.open() as session:
        await session.bind_user("ada")
        session.bind_user("bob")
        session.invalidate()
        assert principal_of(session) is None
        session.bind_user("eve")
        assert principal_of(session) == "eve"
    assert [len(await node.manager.sessions_of(name)) for name in ("ada", "bob", "eve")] == [0, 0, 1]


def test_a_session_made_by_hand_can_be_bound() -> None:
    """For tests of applications."""
    session = Session(a=1)
    session.bind_user(7)
    assert (session.principal, session.bound_at) == ("7", None)
    session.bind_user(None)
    assert principal_of(session) is None


@pytest.mark.filterwarnings("ignore::wsgessions.session.ShadowedNameWarning")
async def test_no_attribute_reaches_the_principal(node: Node) -> None:
    """R-05."""
    names = ("p", "principal", "binding", "bound_at", "_binds", "__class__")
    async with node.manager.open() as session:
        session.update(dict.fromkeys(names, "eve"))
        await session.bind_user("ada")
        session.update(dict.fromkeys(names, "mallory"))
        await session.commit()
        session.clear()
        await session.commit()
        assert session.principal == "ada"
    async with node.manager.open(unit_of(session).id) as session:
        assert session.principal == "ada"


# -- how a request ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("status", [200, 404, 500, 503])
async def test_a_login_is_carried_out_with_what_was_written_or_not_at_all(
    node: Node, status: int, *, known: bool
) -> None:
    """R-33, S-06: on server errors both are dropped."""
    browser = Browser()
    if known:
        await browser.request(on(node, lambda session: session.update(n=1)))

    def handler(session: Session) -> None:
        session["n"] = 2
        session.bind_user("ada")

    assert (await browser.request(on(node, handler, status=status))).status == status
    failed = [None, {"n": 1} if known else {}]
    seen = (await browser.request(on(node, lambda session: [session.principal, dict(session)]))).data
    assert seen == (["ada", {"n": 2}] if status < 500 else failed)


@pytest.mark.parametrize("known", [True, False])
async def test_a_login_that_nobody_would_be_told_of_is_not_carried_out(node: Node, *, known: bool) -> None:
    """R-31: the exception goes out to the server, which answers without us; the client keeps its id."""
    browser = Browser()
    if known:
        await browser.request(on(node, lambda session: session.update(n=1)))

    def fail(session: Session) -> None:
        session.bind_user("ada")
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError):
        await browser.request(on(node, fail))
    assert await node.manager.sessions_of("ada") == []
    assert (await browser.request(on(node, lambda session: [session.principal, dict(session)]))).data == [
        None,
        {"n": 1} if known else {},
    ]


@pytest.mark.parametrize("known", [True, False])
async def test_a_login_that_was_awaited_stays_in_force(node: Node, *, known: bool) -> None:
    """R-31: so the session's owner has it, be it without a client."""
    browser = Browser()
    if known:
        await browser.request(on(node, lambda session: session.update(n=1)))

    async def fail(session: Session) -> None:
        await session.bind_user("ada")
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError):
        await browser.request(on(node, fail))
    assert len(await node.manager.sessions_of("ada")) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_a_login_is_not_carried_out_where_its_request_is_refused(node: Node, *, known: bool) -> None:
    """R-31, S-06: although a refusal could carry cookies."""
    browser = Browser()
    if known:
        await browser.request(on(node, lambda session: session.update(n=1)))

    def conflict(session: Session) -> None:
        session.bind_user("ada")
        raise errors.SessionConflict("mine", names=("n",))

    assert (await browser.request(on(node, conflict))).status == 409
    assert (await browser.request(on(node, principal_of))).data is None


async def test_a_login_after_the_response_has_started_is_refused(node: Node) -> None:
    """R-38: the client could not be told its new id."""
    outcome: list[Exception] = []

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            scope["session"].bind_user("ada")
        except errors.SessionClosed as error:
            outcome.append(error)
        await send({"type": "http.response.body", "body": b""})

    await Browser().request(SessionMiddleware(streaming, manager=node.manager))
    assert len(outcome) == 1
    assert await node.manager.sessions_of("ada") == []


async def test_a_login_by_head_or_options_creates_nothing(node: Node) -> None:
    """R-47."""
    for method in ("HEAD", "OPTIONS"):
        response = await Browser().request(on(node, login), method=method)
        assert response.set_cookies == {}
    assert await node.manager.sessions_of("ada") == []


async def test_a_job_that_fails_leaves_no_session_behind(node: Node) -> None:
    with pytest.raises(RuntimeError):
        async with node.manager.open() as session:
            session.bind_user("ada")
            raise RuntimeError
    assert await node.manager.sessions_of("ada") == []


async def test_of_logins_with_one_id_at_once_one_is_carried_out() -> None:
    """K-12: the others are told that their session has moved, and nobody is logged in by half."""
    one, other = two_nodes()
    browser = Browser()
    await browser.request(on(one, lambda session: session.update(n=1)))
    ready = asyncio.Barrier(6)

    async def request(number: int) -> str | None:
        async def handler(session: Session) -> None:
            await ready.wait()
            session.bind_user(f"user {number}")

        tab = browser.copy()
        response = await tab.request(on((one, other)[number % 2], handler))
        assert response.status in {200, 409}
        if response.status == 409:
            assert tab.cookies == browser.cookies
            return None
        assert (await tab.request(on(one, principal_of))).data == f"user {number}"
        return f"user {number}"

    [winner] = filter(None, await asyncio.gather(*map(request, range(6))))
    for number in range(6):
        listed = await one.manager.sessions_of(f"user {number}")
        assert len(listed) == (winner == f"user {number}")
    assert (await browser.request(on(one, lambda session: [session.principal, dict(session)]))).data == [None, {}]


async def test_a_renewed_id_keeps_the_principal_for_parallel_requests() -> None:
    """S-07."""
    time = Time()
    one, other = two_nodes(time, renew_interval="60s")
    browser = Browser()
    await browser.request(on(one, login))
    time.pass_seconds(61)
    tab = browser.copy()
    assert (await browser.request(on(one, principal_of))).data == "ada"
    assert browser.cookies["__Host-sid"] != tab.cookies["__Host-sid"]

    def change(session: Session) -> str | None:
        session["n"] = 2
        return session.principal

    assert (await tab.request(on(other, change))).data == "ada"
    [listed] = await other.manager.sessions_of("ada")
    assert (await browser.request(on(other, lambda session: [session.ref, session["n"]]))).data == [listed.ref, 2]

"""No variable of any frame of any error shows an id, a value or a password: what error trackers print (S-79, S-80)."""

from __future__ import annotations

import socket
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.canary import PASSWORD, VALUE, Canary
from tests.nodes import Node, make_node
from tests.stores.valkey.raw_server import RawServer
from wsgessions import Session, SessionManager, SessionMiddleware, SessionSettings, errors, install
from wsgessions.codec import encode
from wsgessions.record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    PrincipalBinding,
    RotationTarget,
    SessionDelta,
    SessionKey,
)
from wsgessions.session import Session as CoreSession
from wsgessions.session.typed import TypedAttribute
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.fixtures.captured_frames import told_by

Use = Callable[[Session], Awaitable[Any] | Any]
KEY = SessionKey(1, b"\x07" * 16)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Canary:
    return Canary(monkeypatch)


async def used(manager: SessionManager, use: Use, session_id: Any = None) -> None:
    """What a job does: opens a session, uses it, and leaves it to be committed."""
    async with manager.open(session_id) as session:
        result = use(session)
        if result is not None:
            await result


async def stored(manager: SessionManager) -> Any:
    async with manager.open() as session:
        session.update(secret=VALUE, n=1, cart=[VALUE])
    return session.id


def setting(session: Session) -> None:
    session["secret"] = VALUE + "1"
    session["cart"] = [VALUE]


# -- the store is down -------------------------------------------------------------------------------------------------


def changing(session: Session) -> None:
    assert session["secret"] == VALUE
    session["cart"].append(VALUE)


def binding(session: Session) -> Awaitable[None]:
    setting(session)
    return session.bind_user("ann")


CALLS: dict[str, Use] = {
    "commit": changing,
    "rotate": lambda session: session.rotate_id(),
    "bind": lambda session: session.bind_user("ann"),
    "bind with attributes": binding,
    "invalidate": lambda session: session.invalidate(),
    "update": lambda session: session.update("secret", lambda value: value + "2"),
    "increment": lambda session: session.increment("n"),
    "refresh": lambda session: session.refresh(),
}


def while_down(take_down: Callable[[], None], call: Use) -> Use:
    async def use(session: Session) -> None:
        session["secret"]
        take_down()
        result = call(session)
        if result is not None:
            await result
        await session.commit()

    return use


@pytest.fixture
def node() -> Node:
    return make_node(MemoryStore(), conflicts="raise")


def down(node: Node) -> Callable[[], None]:
    return lambda: setattr(node.store, "down", True)


@pytest.mark.parametrize("call", CALLS)
async def test_a_store_that_is_down(node: Node, canary: Canary, call: str) -> None:
    session_id = await stored(node.manager)
    with canary.expecting(errors.StoreUnavailable):
        await used(node.manager, while_down(down(node), CALLS[call]), session_id)


@pytest.mark.parametrize("principal", [None, "ann"])
async def test_a_store_that_is_down_when_a_session_is_created(
    node: Node, canary: Canary, principal: str | None
) -> None:
    await node.manager.start()

    def use(session: Session) -> Any:
        setting(session)
        node.store.down = True
        return None if principal is None else session.bind_user(principal)

    with canary.expecting(errors.StoreUnavailable):
        await used(node.manager, use)


async def test_a_store_that_is_down_when_a_session_is_loaded(node: Node, canary: Canary) -> None:
    session_id = await stored(node.manager)
    node.store.down = True
    with canary.expecting(errors.StoreUnavailable):
        await used(node.manager, setting, session_id)


# -- a real server -----------------------------------------------------------------------------------------------------


def told(server: RawServer, *commands: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        for command in commands:
            client.sendall(f"{command}\r\n".encode())
            assert client.recv(5) == b"+OK\r\n"


@pytest.fixture
def server() -> Iterator[RawServer]:
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory))
        server.start()
        told(server, f"CONFIG SET requirepass {PASSWORD}")
        yield server
        server.resume()
        server.kill()


@pytest.fixture
async def manager(server: RawServer) -> AsyncIterator[SessionManager]:
    url = f"unix://:{PASSWORD}@{server.path}"
    manager = SessionManager(store_url=url, nonstop_timeout="0.4s", conflicts="raise", max_bytes_on_heap=0)
    await manager.start()
    yield manager
    server.resume()
    await manager.close()


@pytest.mark.parametrize("call", sorted(CALLS.keys() - {"invalidate"}))
async def test_a_server_that_does_not_answer(
    server: RawServer, manager: SessionManager, canary: Canary, call: str
) -> None:
    session_id = await stored(manager)
    with canary.expecting(errors.StoreUnavailable):
        await used(manager, while_down(server.pause, CALLS[call]), session_id)


@pytest.mark.parametrize("known", [True, False])
async def test_a_server_that_does_not_answer_at_the_load_or_the_creation(
    server: RawServer, manager: SessionManager, canary: Canary, known: bool
) -> None:
    session_id = await stored(manager)
    server.pause()
    with canary.expecting(errors.StoreUnavailable):
        await used(manager, setting, session_id if known else None)


async def test_a_server_that_has_no_memory_left(server: RawServer, manager: SessionManager, canary: Canary) -> None:
    session_id = await stored(manager)
    told(server, f"AUTH {PASSWORD}", "CONFIG SET maxmemory 1")
    for known in (session_id, None):
        with canary.expecting(errors.StoreRefused):
            await used(manager, setting, known)


@pytest.mark.parametrize("url", ["unix://:{}@{}", "redis://ann:{}@127.0.0.1:1"])
async def test_a_server_that_lets_nobody_in_or_is_not_there(server: RawServer, canary: Canary, url: str) -> None:
    wrong = f"{PASSWORD}-wrong"
    manager = SessionManager(store_url=url.format(wrong, server.path), nonstop_timeout="0.4s")
    with canary.expecting(errors.StoreUnavailable):
        await manager.start()
    with canary.expecting(errors.StoreUnavailable):
        await used(manager, setting)
    await manager.close()


# -- refusals ----------------------------------------------------------------------------------------------------------


async def test_a_conflict(node: Node, canary: Canary) -> None:
    other = make_node(node.store.below, conflicts="raise")  # type: ignore[arg-type]  # a memory store
    session_id = await stored(node.manager)

    async def use(session: Session) -> None:
        session["secret"] = VALUE + "1"
        await used(other.manager, lambda same: same.update(secret=VALUE + "2"), session_id)
        await session.commit()

    with canary.expecting(errors.SessionConflict):
        await used(node.manager, use, session_id)


async def test_a_session_that_has_ended_elsewhere(node: Node, canary: Canary) -> None:
    session_id = await stored(node.manager)

    async def use(session: Session) -> None:
        setting(session)
        await used(node.manager, lambda same: same.rotate_id(), session_id)
        await session.commit()

    with canary.expecting(errors.SessionGone):
        await used(node.manager, use, session_id)


class Text(str):
    """Beside a str of the same text in a dict."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 1


class Unreadable(dict[str, str]):
    def items(self) -> Any:
        secret = next(iter(self))
        raise LookupError(secret)


UNFIT: dict[str, Any] = {
    "object": object(),
    "key": {VALUE: object()},
    "member": [VALUE, object()],
    "deep": {"a": [VALUE, {"b": (VALUE, {1, object()})}]},
    "surrogate": [VALUE, "\ud800"],
    "subclass": OrderedDict(a=[Text(VALUE), object()]),
    "unreadable": Unreadable({VALUE: VALUE}),
    "alike": {Text(VALUE): VALUE, VALUE: VALUE},
    "large": VALUE * 100_000,
    "huge": VALUE * 400_000,
}


@pytest.mark.parametrize("kind", UNFIT)
async def test_a_value_that_cannot_be_stored(node: Node, canary: Canary, kind: str) -> None:
    session_id = await stored(node.manager)

    def use(session: Session) -> None:
        setting(session)
        session["unfit"] = UNFIT[kind]

    with canary.expecting(errors.CodecError):
        await used(node.manager, use, session_id)


async def test_an_operation_on_a_value_that_is_not_fit_for_it(node: Node, canary: Canary) -> None:
    session_id = await stored(node.manager)
    with canary.expecting(errors.CodecError):
        await used(node.manager, lambda session: session.increment("secret"), session_id)
    with canary.expecting(errors.CodecError):
        await used(node.manager, lambda session: session.update("secret", lambda old: [old, object()]), session_id)


async def test_stored_bytes_that_cannot_be_read(canary: Canary) -> None:
    raw = encode([VALUE, 1], name="a")
    for broken in (raw + b"\x01", raw[:-1], b"\xd4\x63\x00" + raw):
        with canary.expecting(errors.CodecError):
            from wsgessions.codec import decode

            decode(broken, name="a")


WRITES: dict[str, Use] = {
    "item": lambda session: session.__setitem__("_wsg", VALUE),
    "default": lambda session: session.setdefault("_wsg", VALUE),
    "update": lambda session: session.update({"_wsg": VALUE}),
    "keywords": lambda session: session.update(_wsg=VALUE),
    "or": lambda session: session.__ior__({"_wsg": VALUE}),
}


@pytest.mark.parametrize("write", WRITES)
async def test_an_assignment_that_is_refused(node: Node, canary: Canary, write: str) -> None:
    with canary.expecting(errors.CodecError):
        WRITES[write](CoreSession())
    async with node.manager.open() as session:
        session["a"] = 1
    with canary.expecting(errors.SessionClosed):
        WRITES[write](session)


class Cart(BaseModel):
    lines: list[str] = []
    total: Any = 0


@pytest.mark.parametrize("total", [object(), VALUE * 100_000])
async def test_a_typed_value_that_cannot_be_stored_any_more(node: Node, canary: Canary, total: Any) -> None:
    def use(session: Session) -> None:
        cart = TypedAttribute("typed", Cart).of(session)
        cart.lines.append(VALUE)
        cart.total = total

    with canary.expecting(errors.CodecError):
        await used(node.manager, use, await stored(node.manager))


async def test_a_stored_value_that_is_not_of_the_type_any_more(node: Node, canary: Canary) -> None:
    def use(session: Session) -> None:
        TypedAttribute("cart", Cart).of(session)

    with canary.expecting(errors.CodecError):
        await used(node.manager, use, await stored(node.manager))


async def test_a_typed_value_that_is_not_valid_any_more(node: Node, canary: Canary) -> None:
    def use(session: Session) -> None:
        cart: Any = TypedAttribute("typed", Cart).of(session)
        cart.lines.append({VALUE: 1})

    with canary.expecting(errors.CodecError):
        await used(node.manager, use, await stored(node.manager))


# -- settings ----------------------------------------------------------------------------------------------------------

URL = f"redis://ann:{PASSWORD}@host:6379"


async def app(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize(
    "make",
    [
        lambda **given: SessionMiddleware(app, **given),
        SessionManager,
        SessionSettings,
        lambda **given: install(app, **given),
        lambda **given: SessionSettings.load(None, given),
        lambda **given: SessionMiddleware(app, manager=SessionManager(store_url="memory:"), **given),
    ],
)
@pytest.mark.parametrize(
    "given",
    [
        {"store_url": URL, "no_such_setting": 1},
        {"store_url": URL, "secrets": [PASSWORD]},
        {"store_url": f"{URL}/not-a-number"},
        {"store_url": URL, "pepper": PASSWORD},
        {"store_url": URL, "cookie": {"samesite": "wrong"}},
    ],
)
def test_settings_that_are_wrong(canary: Canary, make: Callable[..., Any], given: dict[str, Any]) -> None:
    with canary.expecting(errors.ConfigError):
        make(**given)


# -- what stands in frames ---------------------------------------------------------------------------------------------


def test_what_is_stored_and_sent_shows_names_and_sizes() -> None:
    """S-80: also to what looks into tuples and dicts, as Sentry and rich do."""
    attributes = {"color": VALUE.encode()}
    shown: list[Any] = [
        NewSession(KEY, attributes, 1, 2, principal=VALUE),
        SessionDelta(KEY, 1, 2, attributes, frozenset({"size"})),
        CommitOutcome(CommitStatus.APPLIED, computed=attributes, names=("color",)),
        PrincipalBinding(VALUE, 1),
        RotationTarget(KEY, 1, 2, VALUE, VALUE),
    ]
    texts = {}
    try:
        raise ValueError  # noqa: TRY301 - an error with these in its frame
    except ValueError as error:
        texts = dict(told_by(error))
    for each in shown:
        assert VALUE not in repr(each)
        assert VALUE not in each.__sentry_repr__()
        assert VALUE not in repr(list(each.__rich_repr__()))
    assert "'color': <17 bytes>" in repr(shown[0])
    assert "size" in repr(shown[1])
    assert all(VALUE not in text for where, text in texts.items() if where.endswith("shown"))

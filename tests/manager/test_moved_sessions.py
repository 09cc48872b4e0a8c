"""A login of unknown outcome: the browser that was told so finds its session, and no other does (C-23)."""

from __future__ import annotations

import pytest

from tests.asgi_driver import Browser, answering
from tests.nodes import Node, make_node
from wsgessions.credentials.watermark import WATERMARK_LENGTH
from wsgessions.errors import StoreUnavailable
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore


@pytest.fixture
def node() -> Node:
    return make_node(MemoryStore())


async def principal(node: Node, browser: Browser) -> object:
    app = SessionMiddleware(answering(lambda session: session.principal), manager=node.manager)
    return (await browser.request(app)).data


async def after_a_login_that_nobody_heard_of(node: Node) -> Browser:
    """The store has carried it out, and its answer was lost."""
    browser = Browser()
    app = SessionMiddleware(answering(lambda session: session.update(n=1)), manager=node.manager)
    await browser.request(app)

    async def lose_the_answer(call: str) -> None:
        if call == "rotate":
            raise StoreUnavailable("the answer is lost", unknown=True)

    node.store.after = lose_the_answer

    def log_in(session: Session) -> None:
        session.bind_user("alice")

    response = await browser.request(SessionMiddleware(answering(log_in), manager=node.manager))
    assert response.status == 503
    node.store.after = _nothing
    return browser


async def _nothing(call: str) -> None:
    """Answers come again."""


async def test_who_was_answered_unknown_is_led_to_the_session_and_gets_an_id_of_its_own(node: Node) -> None:
    browser = await after_a_login_that_nobody_heard_of(node)
    old, mark = browser.cookies["__Host-sid"], browser.cookies["__Host-sid-v"]
    assert len(mark) > WATERMARK_LENGTH
    assert await principal(node, browser) == "alice"
    assert browser.cookies["__Host-sid"] not in {old, mark[24:]}
    assert await principal(node, browser) == "alice"
    assert node.manager.statistics.followed_moves == 1


async def test_the_old_id_alone_leads_nowhere(node: Node) -> None:
    """S-06: it may have been planted."""
    browser = await after_a_login_that_nobody_heard_of(node)
    assert await principal(node, Browser(**{"__Host-sid": browser.cookies["__Host-sid"]})) is None


async def test_it_leads_from_its_own_old_id_alone(node: Node) -> None:
    """S-10: and a changed one nowhere."""
    browser, other = await after_a_login_that_nobody_heard_of(node), Browser()
    app = SessionMiddleware(answering(lambda session: session.update(n=2)), manager=node.manager)
    await other.request(app)
    mark = browser.cookies["__Host-sid-v"]
    gone = other.cookies["__Host-sid"]
    await other.request(SessionMiddleware(answering(lambda session: session.invalidate()), manager=node.manager))
    assert await principal(node, Browser(**{"__Host-sid": gone, "__Host-sid-v": mark})) is None
    changed = mark[:-1] + ("A" if mark[-1] != "A" else "B")
    old = browser.cookies["__Host-sid"]
    assert await principal(node, Browser(**{"__Host-sid": old, "__Host-sid-v": changed})) is None

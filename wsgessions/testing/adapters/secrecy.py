"""Cases of `AdapterSuite`: the variables that error trackers, debug pages and ``capture_locals`` see (S-80)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ...session import unit_of
from ...web import ASGIApp, Message, Receive, Scope, Send
from ..fixtures.captured_frames import FrameWatch
from .actions import CANARY, Pause, pauses, raised, retained
from .client import Browser
from .harness import AdapterHarness, Node, Nodes

__all__ = ["SecrecyCases"]


class SecrecyCases(AdapterHarness):
    """No variable of any frame shows an id or an attribute's value."""

    @pytest.fixture
    def watch(self, monkeypatch: pytest.MonkeyPatch) -> FrameWatch:
        """Records the ids that are drawn, and the value of the actions; frames of test applications may have it."""
        return FrameWatch(monkeypatch, CANARY, left_out=(_folder(type(self)), _folder(httpx2)))

    @pytest.mark.parametrize("call", ["load", "create", "apply", "rotate"])
    async def test_no_frame_shows_anything_when_the_store_fails(
        self, nodes: Nodes, watch: FrameWatch, call: str
    ) -> None:
        node, seen = _noting(nodes)
        browser = await _visitor(node)
        if call == "create":
            browser = node.browser()
        _stop_at(node, call)
        for action in {"load": ("secret", "end"), "rotate": ("login-ann", "bind_now-ann")}.get(call, ("secret",)):
            assert (await browser.copy().get(f"/do/{action}")).status_code == 503
        _check(watch, seen, node)

    @pytest.mark.parametrize("action", ["unfit", "lambda-x", "large-x"])
    async def test_no_frame_shows_anything_when_a_value_cannot_be_stored(
        self, nodes: Nodes, watch: FrameWatch, action: str
    ) -> None:
        node, seen = _noting(nodes)
        browser = await _visitor(node)
        await browser.get(f"/do/{action}")
        await node.browser().get(f"/do/{action}")
        _check(watch, seen, node)

    @pytest.mark.parametrize("path", ["/do/lose", "/do/fail-x", "/stream/lose", "/background/lose"])
    async def test_no_frame_shows_anything_when_a_handler_fails(
        self, nodes: Nodes, watch: FrameWatch, path: str
    ) -> None:
        node, seen = _noting(nodes)
        browser = await _visitor(node)
        await browser.get(path)
        await node.browser().get(path)
        await _until_failed(lambda: bool(seen or raised or node.errors))
        for error in (*seen, *raised, *node.errors):
            (watch.check_shown if path.startswith("/background") else watch.check)(error)

    @pytest.mark.parametrize("other", ["set-late", "invalidate"])
    async def test_no_frame_shows_anything_when_another_request_was_faster(
        self, nodes: Nodes, watch: FrameWatch, other: str
    ) -> None:
        node, seen = _noting(nodes, conflicts="raise")
        browser = await _visitor(node)
        pauses["late"] = pause = Pause()
        slow = asyncio.create_task(browser.copy().get("/do/overtaken-late"))
        await pause.reached.wait()
        await browser.do(other)
        pause.resume.set()
        assert (await slow).status_code in {409, self.gone_status}
        _check(watch, seen, node)


def _folder(code: Any) -> str:
    return str(Path(inspect.getfile(code)).parent)


def _noting(nodes: Nodes, **settings: Any) -> tuple[Node, list[BaseException]]:
    """A server with a middleware in its application that records the errors of the application, and of sending."""
    seen: list[BaseException] = []

    def layer(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            async def pass_on(message: Message) -> None:
                try:
                    await send(message)
                except BaseException as error:
                    seen.append(error)
                    raise

            try:
                await app(scope, receive, pass_on)
            except BaseException as error:
                seen.append(error)
                raise

        return middleware

    return nodes(inside=layer, **settings), seen


async def _visitor(node: Node) -> Browser:
    browser = node.browser()
    await browser.do("secret")
    await browser.do("bind_now-ann")
    return browser


def _stop_at(node: Node, call: str) -> None:
    """Have the store fail at each of these calls; loads always reach the store, past any cache."""
    if call == "load":
        node.store.stopped = True
        return
    do = getattr(node.store, call)

    async def stop_and_do(*args: Any, **options: Any) -> Any:
        node.store.stopped = True
        try:
            return await do(*args, **options)
        finally:
            node.store.stopped = False

    setattr(node.store, call, stop_and_do)


async def _until_failed(failed: Callable[[], bool]) -> None:
    """Some frameworks run work after the response in a task of its own; wait for its error."""
    async with asyncio.timeout(20):
        while not failed():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.001)
    for _ in range(100):
        await asyncio.sleep(0)


def _check(watch: FrameWatch, seen: list[BaseException], node: Node) -> None:
    troubles = [unit.store_error for unit in map(unit_of, retained) if unit.store_error is not None]
    errors = [*seen, *raised, *node.errors, *troubles]
    assert errors, "nothing has failed"
    for error in errors:
        watch.check(error)

"""Cases of `AdapterSuite`: the fate of changes, by the course and the end of the request."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from ...errors import SessionClosed
from ...middleware import SessionMiddleware
from ...web import Message
from .actions import Pause, pauses, retained
from .client import Browser, http_scope, talk
from .harness import AdapterHarness, Node, Nodes

__all__ = ["ResponseCases"]


class ResponseCases(AdapterHarness):
    """Errors, streams, background work, values that cannot be stored."""

    async def test_a_handler_that_raises_changes_nothing(self, node: Node, browser: Browser) -> None:
        """R-31, and the error reaches the layers outside."""
        await browser.do("set-color")
        response = await browser.get("/raise/set-size")
        assert response.status_code == 500
        assert "set-cookie" not in response.headers
        assert await browser.do("names") == ["color"]
        await node.browser().get("/raise/set-size")
        assert node.store.calls["create"] == 1

    @pytest.mark.parametrize("action", ["invalidate", "end"])
    async def test_logging_out_stays_in_force_when_the_handler_raises(self, browser: Browser, action: str) -> None:
        """R-31."""
        await browser.do("set-color")
        thief = browser.copy()
        await browser.get(f"/raise/{action}")
        assert await thief.do("read") == {}

    @pytest.mark.parametrize("route", ["answer", "abort"])
    async def test_an_answer_of_the_400s_keeps_the_changes(self, browser: Browser, route: str) -> None:
        """R-33."""
        response = await browser.get(f"/{route}/404/set-color")
        assert response.status_code == 404
        assert "set-cookie" in response.headers
        assert await browser.do("get-color") == "color"

    @pytest.mark.parametrize("route", ["answer", "abort"])
    async def test_an_answer_of_the_500s_drops_the_changes(self, node: Node, browser: Browser, route: str) -> None:
        """R-33."""
        await browser.do("set-color")
        response = await browser.get(f"/{route}/502/set-size")
        assert response.status_code == 502
        assert await browser.do("names") == ["color"]
        assert "set-cookie" not in (await node.browser().get(f"/{route}/502/set-size")).headers

    async def test_logging_out_stays_in_force_with_an_answer_of_the_500s(self, browser: Browser) -> None:
        """R-33."""
        await browser.do("set-color")
        thief = browser.copy()
        assert (await browser.get("/answer/500/invalidate")).status_code == 500
        assert browser.id is None
        assert await thief.do("read") == {}

    async def test_an_answer_of_the_500s_keeps_the_changes_where_that_is_set(self, nodes: Nodes) -> None:
        """R-33."""
        browser = nodes(save_on_error=True).browser()
        await browser.get("/answer/500/set-color")
        assert await browser.do("get-color") == "color"

    async def test_a_redirect_keeps_the_changes(self, browser: Browser) -> None:
        """C-13: the store has them before the browser can follow."""
        assert (await browser.get("/answer/303/set-color")).status_code == 303
        assert await browser.do("get-color") == "color"

    async def test_a_stream_may_change_a_session_that_the_client_knows(self, browser: Browser, nodes: Nodes) -> None:
        """R-37."""
        await browser.do("set-color")
        response = await browser.get("/stream/set-size")
        assert response.status_code == 200
        assert await browser.at(nodes()).do("names") == ["color", "size"]

    async def test_a_stream_cannot_create_a_session(self, node: Node, browser: Browser) -> None:
        """R-37, R-38: a clear error, and no orphan in the store."""
        await browser.get("/stream/set-size")
        assert browser.id is None
        assert node.store.calls["create"] == 0
        assert "no session can be created" in _told(node.errors)

    async def test_late_changes_are_refused_where_that_is_set(self, nodes: Nodes) -> None:
        """C-13."""
        node = nodes(late_commit="refuse")
        browser = node.browser()
        await browser.do("set-color")
        await browser.get("/stream/set-size")
        assert "late_commit" in _told(node.errors)
        assert await browser.do("names") == ["color"]

    async def test_an_error_after_the_start_keeps_what_came_before_it(self, node: Node, browser: Browser) -> None:
        """R-32."""
        response = await browser.get("/break/set-color")
        assert response.status_code == 200
        assert "the handler failed" in _told(node.errors)
        assert await browser.do("names") == ["color"]

    async def test_a_background_task_may_change_a_session_that_the_client_knows(
        self, browser: Browser, nodes: Nodes
    ) -> None:
        """R-39."""
        await browser.do("set-color")
        await browser.get("/background/set-size")
        assert await browser.at(nodes()).do("names") == ["color", "size"]

    async def test_a_background_task_cannot_create_a_session(self, node: Node, browser: Browser) -> None:
        """R-39."""
        response = await browser.get("/background/set-size")
        assert response.status_code == 200
        assert browser.id is None
        assert node.store.calls["create"] == 0

    async def test_a_session_can_be_read_and_not_changed_when_its_request_is_over(self, browser: Browser) -> None:
        """R-39: a change is never lost without an error."""
        await browser.do("set-color")
        await browser.do("retain")
        assert retained[0]["color"] == "color"
        with pytest.raises(SessionClosed):
            retained[0].update(color="red")

    @pytest.mark.parametrize("action", ["lambda-bad", "large-bad"])
    async def test_a_value_that_cannot_be_kept_fails_the_request_and_nothing_else(
        self, node: Node, browser: Browser, action: str
    ) -> None:
        """R-01, R-04, R-34: named, and all or nothing."""
        await browser.do("set-color")
        response = await browser.get(f"/do/{action}")
        assert response.status_code == 500
        assert "set-cookie" not in response.headers
        assert "'bad'" in _told(node.errors)
        assert await browser.do("names") == ["color"]

    async def test_installed_twice_it_acts_once(self, node: Node, browser: Browser) -> None:
        """R-50."""
        browser.at(SessionMiddleware(node, manager=node.manager))
        response = await browser.get("/do/set-color")
        assert len(response.headers.get_list("set-cookie")) == 2
        node.store.forget()
        assert await browser.do("get-color") == "color"
        assert node.store.calls["load"] <= 1

    async def test_a_client_that_is_gone_does_not_undo_what_the_handler_did(self, node: Node, browser: Browser) -> None:
        """R-35: the server reports it by an OSError from its send."""
        await browser.do("set-color")

        async def broken(_: Message) -> None:
            raise OSError("the client is gone")

        # Frameworks have their own exception for it, or none.
        with suppress(Exception):
            await talk(node, http_scope("/do/set-size", [(b"cookie", browser.cookie.encode())]), send=broken)
        assert await browser.do("names") == ["color", "size"]

    async def test_a_cancelled_request_changes_nothing_and_harms_nobody(self, node: Node, browser: Browser) -> None:
        """R-35, R-36."""
        await browser.do("set-color")
        pause = pauses["size"] = Pause()
        request = asyncio.create_task(browser.copy().get("/do/pause-size"))
        await pause.reached.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert await browser.do("names") == ["color"]

    async def test_a_session_that_ends_elsewhere_never_comes_back(self, browser: Browser, nodes: Nodes) -> None:
        """S-62, K-08: the slow request gets an error, mostly a 409."""
        await browser.do("set-color")
        slow, other = browser.copy(), browser.copy().at(nodes())
        pause = pauses["size"] = Pause()
        request = asyncio.create_task(slow.get("/do/pause-size"))
        await pause.reached.wait()
        await other.do("invalidate")
        pause.resume.set()
        response = await request
        assert response.status_code == self.gone_status
        assert "set-cookie" not in response.headers
        assert await browser.do("read") == {}


def _told(errors: list[Exception]) -> str:
    """The errors of the application, also if the framework collects errors in groups, or raises its own."""
    parts: list[str] = []
    pending: list[BaseException] = list(errors)
    while pending:
        error = pending.pop()
        parts.append(str(error))
        pending.extend(getattr(error, "exceptions", ()))
        pending.extend(cause for cause in [error.__cause__] if cause is not None)
    return "\n".join(parts)

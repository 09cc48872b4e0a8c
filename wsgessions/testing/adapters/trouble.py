"""Cases of `AdapterSuite`: the store does not answer (F-00a). That never means that there is no session."""

from __future__ import annotations

import pytest

from .client import Browser
from .harness import AdapterHarness, Node

__all__ = ["TroubleCases"]


class TroubleCases(AdapterHarness):
    """503 and Retry-After where the session is used, the same cookies afterwards."""

    @pytest.mark.parametrize("path", ["/do/read", "/do/set-size", "/sync/read", "/do/invalidate", "/session"])
    async def test_a_route_that_touches_the_session_answers_503(self, node: Node, browser: Browser, path: str) -> None:
        await browser.do("set-color")
        node.store.stopped = True
        for _ in range(3):
            response = await browser.get(path)
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            assert "set-cookie" not in response.headers
        node.store.stopped = False
        assert await browser.do("read") == {"color": "color"}

    async def test_a_route_that_does_not_touch_it_is_not_affected(self, node: Node, browser: Browser) -> None:
        """R-30."""
        await browser.do("set-color")
        node.store.stopped = True
        response = await browser.get("/untouched")
        assert response.status_code == 200
        assert not {"set-cookie", "vary"} & set(response.headers)

    @pytest.mark.parametrize("path", ["/raise/nothing", "/answer/500/nothing"])
    async def test_a_route_that_does_not_touch_it_keeps_its_own_500(
        self, node: Node, browser: Browser, path: str
    ) -> None:
        """R-30: the session has no part in the failure, and has nothing to store."""
        await browser.do("set-color")
        node.store.stopped = True
        response = await browser.get(path)
        assert response.status_code == 500
        assert not {"set-cookie", "retry-after"} & set(response.headers)
        assert [str(error) for error in node.errors] in ([], ["the handler failed"])

    @pytest.mark.parametrize("path", ["/raise/read", "/raise/set-size", "/raise/load-color"])
    async def test_a_handler_that_fails_with_the_session_answers_503(
        self, node: Node, browser: Browser, path: str
    ) -> None:
        """F-00a."""
        await browser.do("set-color")
        node.store.stopped = True
        assert (await browser.get(path)).status_code == 503

    async def test_no_session_is_given_that_was_not_stored(self, node: Node, browser: Browser) -> None:
        """R-34."""
        node.store.stopped = True
        response = await browser.get("/do/set-color")
        assert response.status_code == 503
        assert browser.id is None

    async def test_a_handler_that_catches_everything_cannot_make_it_a_200(self, node: Node, browser: Browser) -> None:
        """R-34: the commit fails after the handler has returned."""
        await browser.do("set-color")
        calls = node.store.apply

        async def stop_and_apply(*args: object, **options: object) -> object:
            node.store.stopped = True
            return await calls(*args, **options)  # type: ignore[arg-type]

        node.store.apply = stop_and_apply  # type: ignore[method-assign, assignment]
        response = await browser.get("/do/set-size")
        assert response.status_code == 503
        assert "set-cookie" not in response.headers
        node.store.stopped = False
        assert await browser.do("names") == ["color"]

    async def test_a_stopped_store_does_not_log_anybody_in_or_out(self, node: Node, browser: Browser) -> None:
        await browser.do("set-color")
        before = browser.id
        node.store.stopped = True
        for action in ("login-ann", "invalidate", "relogin-bob"):
            assert (await browser.get(f"/do/{action}")).status_code == 503
        node.store.stopped = False
        assert browser.id == before
        assert await browser.do("read") == {"color": "color"}

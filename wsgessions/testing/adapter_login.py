"""Cases of `AdapterSuite`: whose a session is (S-55, S-228)."""

from __future__ import annotations

import pytest

from .adapter_client import Browser
from .adapter_harness import AdapterHarness, Node, Nodes, cookies_set

__all__ = ["LoginCases"]


class LoginCases(AdapterHarness):
    """`Session.bind_user`, by handlers that are coroutines and such as are not."""

    @pytest.mark.parametrize("login", ["do/bind", "sync/bind", "do/bind_now", "answer/404/bind", "answer/500/bind"])
    async def test_a_login_binds_the_session_under_a_new_id(self, browser: Browser, nodes: Nodes, login: str) -> None:
        """S-06: whatever is answered, what is in the session stays, and the old id is good for nothing."""
        await browser.do("set-color")
        before = browser.copy()
        assert set(cookies_set(await browser.get(f"/{login}-ann"))) == {"__Host-sid", "__Host-sid-v"}
        assert browser.id != before.id
        other = browser.at(nodes())
        assert [await other.do("principal"), await other.do("read")] == ["ann", {"color": "color"}]
        assert [await before.do("principal"), await before.do("read")] == [None, {}]

    @pytest.mark.parametrize("login", ["do/bind", "sync/bind", "do/bind_now", "answer/500/bind"])
    async def test_a_login_without_a_session_makes_one(self, browser: Browser, login: str) -> None:
        assert "__Host-sid" in cookies_set(await browser.get(f"/{login}-ann"))
        assert [await browser.do("principal"), await browser.do("read")] == ["ann", {}]

    async def test_a_login_ends_by_another_one_by_none_and_with_the_session(self, browser: Browser) -> None:
        ids = set()
        for action, principal in (("bind-ann", "ann"), ("bind-bob", "bob"), ("bind-bob", "bob"), ("unbind", None)):
            await browser.do(action)
            ids.add(browser.id)
            assert await browser.do("principal") == principal
        assert len(ids) == 4
        await browser.do("bind-ann")
        await browser.do("invalidate")
        assert await browser.do("principal") is None

    async def test_a_login_that_failed_binds_nobody(self, node: Node, browser: Browser) -> None:
        """R-31, R-33: an error page of the framework tells the new id, and the server's own does not."""
        await browser.do("set-color")
        await browser.get("/raise/bind-ann")
        assert await browser.do("read") == {"color": "color"}
        listed = await node.manager.sessions_of("ann")
        assert len(listed) == (await browser.do("principal") == "ann")

    async def test_a_user_is_logged_out_everywhere(self, node: Node, nodes: Nodes) -> None:
        """S-55, by any server."""
        browsers = [node.browser(), nodes().browser(), nodes().browser()]
        for browser, user in zip(browsers, ("ann", "ann", "bob"), strict=True):
            await browser.do(f"bind-{user}")
        assert len(await node.manager.sessions_of("ann")) == 2
        assert await node.manager.end_sessions_of("ann") == 2
        assert [await browser.do("principal") for browser in browsers] == [None, None, "bob"]

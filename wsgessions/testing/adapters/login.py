"""Cases of `AdapterSuite`: the principal of a session (S-55, S-228)."""

from __future__ import annotations

import pytest

from .client import Browser
from .harness import AdapterHarness, Node, Nodes, cookies_set

__all__ = ["LoginCases"]

FAILING = ["answer/500", "answer/503", "abort/503", "raise"]
"""Routes at which a request fails after its action."""
LATE_WRITES = ["do/set-color", "sync/set-color", "do/increment-n", "do/commit-color", "do/bind-eve", "do/bind_now-eve"]
"""Routes that would create a session where there is none."""


class LoginCases(AdapterHarness):
    """`Session.bind_user`, by handlers that are coroutines and such as are not."""

    @pytest.mark.parametrize("login", ["do/bind", "sync/bind", "do/bind_now", "answer/404/bind"])
    async def test_a_login_binds_the_session_under_a_new_id(self, browser: Browser, nodes: Nodes, login: str) -> None:
        """S-06: the content of the session stays, and the old id is invalid."""
        await browser.do("set-color")
        before = browser.copy()
        assert set(cookies_set(await browser.get(f"/{login}-ann"))) == {"__Host-sid", "__Host-sid-v"}
        assert browser.id != before.id
        other = browser.at(nodes())
        assert [await other.do("principal"), await other.do("read")] == ["ann", {"color": "color"}]
        assert [await before.do("principal"), await before.do("read")] == [None, {}]

    @pytest.mark.parametrize("login", ["do/bind", "sync/bind", "do/bind_now"])
    async def test_a_login_without_a_session_makes_one(self, browser: Browser, login: str) -> None:
        assert "__Host-sid" in cookies_set(await browser.get(f"/{login}-ann"))
        assert [await browser.do("principal"), await browser.do("read")] == ["ann", {}]

    async def test_a_login_ends_by_another_one_by_none_and_with_the_session(self, browser: Browser) -> None:
        ids: set[str | None] = set()
        for action, principal in (("bind-ann", "ann"), ("bind-bob", "bob"), ("bind-bob", "bob"), ("unbind", None)):
            await browser.do(action)
            ids.add(browser.id)
            assert await browser.do("principal") == principal
        assert len(ids) == 4
        await browser.do("bind-ann")
        await browser.do("invalidate")
        assert await browser.do("principal") is None

    @pytest.mark.parametrize("way", FAILING)
    @pytest.mark.parametrize("known", [True, False], ids=["with a session", "without one"])
    async def test_a_login_that_fails_has_not_happened(
        self, node: Node, browser: Browser, way: str, *, known: bool
    ) -> None:
        """R-31, R-33, S-06: neither the user nor what the same request put into the session is stored."""
        if known:
            await browser.do("set-color")
        before = browser.id
        await browser.get(f"/{way}/step_up-ann")
        assert browser.id == before
        assert [await browser.do("principal"), await browser.do("read")] == [None, {"color": "color"} if known else {}]
        assert await node.manager.sessions_of("ann") == []

    @pytest.mark.parametrize("way", FAILING)
    async def test_a_login_that_was_awaited_is_stored_with_what_was_put_in_before(
        self, node: Node, browser: Browser, way: str
    ) -> None:
        """S-06: in one step, so that no failure afterwards leaves the one without the other."""
        await browser.do("set-color")
        before = browser.copy()
        await browser.get(f"/{way}/step_up_now-ann")
        [stored] = await node.manager.sessions_of("ann", attributes=("second_factor_due",))
        assert stored.get("second_factor_due") is True
        due = [await browser.do("principal"), await browser.do("get-second_factor_due")]
        assert due in (["ann", True], [None, None])
        assert await before.do("principal") is None

    @pytest.mark.parametrize("way", FAILING)
    @pytest.mark.parametrize("logout", ["unbind", "invalidate"])
    async def test_a_logout_is_in_force_though_the_request_fails(
        self, node: Node, browser: Browser, way: str, logout: str
    ) -> None:
        """R-31: what takes privilege away."""
        await browser.do("bind-ann")
        before = browser.copy()
        await browser.get(f"/{way}/{logout}")
        assert [await browser.do("principal"), await before.do("principal")] == [None, None]
        assert await node.manager.sessions_of("ann") == []

    @pytest.mark.parametrize("giving_up", ["bind-ann", "login-ann", "relogin-ann", "invalidate"])
    async def test_a_late_request_with_an_id_that_was_given_up_evicts_no_login(
        self, browser: Browser, nodes: Nodes, giving_up: str
    ) -> None:
        """C-24: the request comes from another tab, was sent before the login or logout, and is answered after it."""
        await browser.do("set-color")
        late = browser.copy().at(nodes())
        await browser.do(giving_up)
        read = await late.get("/do/read")
        assert (read.status_code, read.json(), cookies_set(read)) == (200, {}, {})
        for action in LATE_WRITES:
            refused = await late.get(f"/{action}")
            assert (action, refused.status_code, cookies_set(refused)) == (action, self.gone_status, {})

    async def test_a_user_is_logged_out_everywhere(self, node: Node, nodes: Nodes) -> None:
        """S-55, by any server."""
        browsers = [node.browser(), nodes().browser(), nodes().browser()]
        for browser, user in zip(browsers, ("ann", "ann", "bob"), strict=True):
            await browser.do(f"bind-{user}")
        assert len(await node.manager.sessions_of("ann")) == 2
        assert await node.manager.end_sessions_of("ann") == 2
        assert [await browser.do("principal") for browser in browsers] == [None, None, "bob"]

"""Cases of `AdapterSuite`: clients without cookies, and the places where an id is never looked for (S-05)."""

from __future__ import annotations

from typing import Any

import pytest

from .client import Browser
from .harness import AdapterHarness, Node, Nodes

__all__ = ["HeaderCases"]

HEADER = "X-Session-Id"


class HeaderCases(AdapterHarness):
    """One channel at a time, and the answer by the same channel."""

    @pytest.mark.parametrize("header", [None, HEADER])
    async def test_an_id_is_looked_for_nowhere_else(self, nodes: Nodes, header: str | None) -> None:
        """S-05: neither in query, path, form, JSON nor other headers, in any spelling."""
        node = nodes(header=header)
        browser, stranger = node.browser(), node.browser()
        await browser.do("set-color")
        elsewhere: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", f"/do/read?__Host-sid={browser.id}&sid={browser.id}&{HEADER}={browser.id}", {}),
            ("GET", f"/do/get-color;jsessionid={browser.id}", {}),
            ("POST", "/do/read", {"data": {"__Host-sid": browser.id, HEADER: browser.id}}),
            ("POST", "/do/read", {"json": {"__Host-sid": browser.id, HEADER: browser.id}}),
            ("GET", "/do/read", {"headers": {"authorization": f"Bearer {browser.id}"}}),
            ("GET", "/do/read", {"headers": {"authorization": str(browser.id)}}),
            ("GET", "/do/read", {"headers": {"x-session": str(browser.id), "set-cookie": browser.cookie}}),
        ]
        node.store.forget()
        for method, path, options in elsewhere:
            response = await stranger.request(method, path, **options)
            assert response.json() in ({}, None)
        assert node.store.calls.total() == 0

    async def test_the_header_means_nothing_unless_it_is_set(self, node: Node, browser: Browser) -> None:
        """S-05."""
        await browser.do("set-color")
        node.store.forget()
        response = await node.browser().get("/do/read", headers={HEADER: str(browser.id)})
        assert response.json() == {}
        assert response.headers["vary"] == "Cookie"
        assert node.store.calls.total() == 0

    async def test_a_client_without_cookies_carries_its_session_by_the_header(self, nodes: Nodes) -> None:
        """S-05: it sends the values that it received, and there is never a cookie."""
        client, told = nodes(header=HEADER).browser(), {HEADER: ""}
        steps: dict[str, Any] = {
            "read": {},
            "set-color": None,
            "get-color": "color",
            "login-ann": None,
            "invalidate": None,
        }
        seen: list[str | None] = []
        for action, answer in {**steps, "length": 0}.items():
            response = await client.at(nodes(header=HEADER)).get(f"/do/{action}", headers=told)
            assert response.json() == answer
            assert "set-cookie" not in response.headers
            assert {part.strip() for part in response.headers["vary"].split(",")} == {"Cookie", HEADER}
            given = {
                name: response.headers[name] for name in (HEADER, f"{HEADER}-Watermark") if name in response.headers
            }
            assert (response.headers.get("cache-control") == "no-store") == (HEADER in given)
            told.update(given)
            seen.append(response.headers.get(HEADER))
        created, rotated, ended = seen[1], seen[3], seen[4]
        assert seen == [None, created, None, rotated, "none", None]
        assert len({created, rotated, ended}) == 3

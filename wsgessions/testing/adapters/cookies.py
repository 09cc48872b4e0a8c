"""Cases of `AdapterSuite`: the credentials of requests, and the cookies of responses."""

from __future__ import annotations

import asyncio

import pytest

from .client import Browser, http_scope, talk
from .harness import AdapterHarness, Node, Nodes, cookies_set

__all__ = ["CookieCases"]

UNKNOWN = "A" * 43
SAFE = ["__Host-sid-v", "__Host-sid"]
MALFORMED = [
    "",
    UNKNOWN[1:],
    UNKNOWN + "A",
    "A" * 10_000,
    "../" + "A" * 40,
    "%2e" + "A" * 40,
    '"' + "A" * 41 + '"',
    "A" * 42 + "\u00e4",
    "A" * 42 + "=",
    "A" * 42 + "\0",
    "*1" + "A" * 41,
]


class CookieCases(AdapterHarness):
    """Identity, cookies, and the headers that keep responses out of caches."""

    async def test_an_untouched_route_has_no_header_and_asks_no_store(self, node: Node, browser: Browser) -> None:
        """R-30, S-50."""
        response = await browser.get("/untouched")
        assert response.status_code == 200
        assert not {"set-cookie", "vary", "cache-control"} & set(response.headers)
        assert node.store.calls.total() == 0

    async def test_an_untouched_route_costs_a_known_client_at_most_the_load(self, node: Node, browser: Browser) -> None:
        """R-30."""
        await browser.do("set-color")
        node.store.forget()
        response = await browser.get("/untouched")
        assert not {"set-cookie", "vary", "cache-control"} & set(response.headers)
        assert set(node.store.calls) <= {"load"}

    @pytest.mark.parametrize("action", ["read", "get-x", "contains-x", "clear", "invalidate", "end", "nothing"])
    async def test_nothing_is_created_until_something_is_put_in(
        self, node: Node, browser: Browser, action: str
    ) -> None:
        """S-50."""
        response = await browser.get(f"/do/{action}")
        assert "set-cookie" not in response.headers
        assert node.store.calls.total() == 0

    async def test_a_new_session_is_given_by_two_cookies(self, browser: Browser) -> None:
        """S-20: neither can be read by scripts, sent over plain http, or outlives the browser."""
        cookies = cookies_set(await browser.get("/do/set-color"))
        assert set(cookies) == {"__Host-sid", "__Host-sid-v"}
        for cookie in cookies.values():
            _, *attributes = cookie.split("; ")
            assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
        assert len(browser.id or "") == 43

    async def test_the_cookie_of_the_id_is_the_last_of_a_response(self, browser: Browser) -> None:
        """C-11, S-29: a front end that keeps one Set-Cookie of a response keeps the session by it."""
        for action in ("set-color", "login-ann", "invalidate"):
            fields = (await browser.get(f"/do/{action}")).headers.get_list("set-cookie")
            assert [field.partition("=")[0] for field in fields] == ["__Host-sid-v", "__Host-sid"], action

    async def test_a_persistent_cookie_is_renewed_for_a_visitor_who_only_reads(self, nodes: Nodes) -> None:
        """S-27, S-33: a few times in its life, and so a second after the last change."""
        browser = nodes(cookie={"max_age": 30}).browser()
        await browser.get("/do/set-color")
        given: dict[str, str] = {}
        async with asyncio.timeout(20):
            while "__Host-sid" not in given:
                await asyncio.sleep(0.05)
                given = cookies_set(await browser.get("/do/read"))
        assert "; Max-Age=30;" in given["__Host-sid"]
        assert await browser.do("read") == {"color": "color"}

    async def test_reads_set_no_cookie(self, browser: Browser) -> None:
        """S-33."""
        await browser.do("set-color")
        for _ in range(10):
            assert "set-cookie" not in (await browser.get("/do/read")).headers

    async def test_writes_raise_the_watermark_and_leave_the_id(self, browser: Browser) -> None:
        """S-33, C-13."""
        await browser.do("set-color")
        marks = [cookies_set(await browser.get(f"/do/set-a{index}")) for index in range(10)]
        assert all(set(mark) == {"__Host-sid-v"} for mark in marks)
        assert len({mark["__Host-sid-v"] for mark in marks}) == 10

    @pytest.mark.parametrize("action", ["read", "get-x", "contains-x", "length", "truth", "names", "equality"])
    async def test_any_look_at_the_session_varies_the_response(self, browser: Browser, action: str) -> None:
        """S-40."""
        for _ in range(2):
            response = await browser.get(f"/do/{action}")
            assert response.headers["vary"].lower() == "cookie"
            await browser.do("set-color")

    async def test_vary_is_merged_with_what_the_handler_said(self, browser: Browser) -> None:
        """S-40."""
        response = await browser.get("/cached/read")
        varied = [part.strip().lower() for part in response.headers["vary"].split(",")]
        assert sorted(varied) == ["accept", "cookie"]
        assert response.headers["cache-control"] == "public, max-age=60"

    async def test_a_response_with_a_credential_is_kept_nowhere(self, browser: Browser) -> None:
        """S-41, whatever the handler said."""
        for action in ("set-color", "login-ann", "invalidate"):
            response = await browser.get(f"/cached/{action}")
            assert "set-cookie" in response.headers
            assert response.headers["cache-control"] == "no-store"

    async def test_an_id_that_nobody_issued_is_not_adopted(self, node: Node, browser: Browser) -> None:
        """S-03."""
        headers = {"cookie": f"__Host-sid={UNKNOWN}"}
        response = await browser.get("/do/set-color", headers=headers)
        assert browser.id not in (None, UNKNOWN)
        assert response.status_code == 200
        assert node.manager.statistics.unknown_ids == 1
        assert (await node.browser().get("/do/read", headers=headers)).json() == {}

    @pytest.mark.parametrize("value", MALFORMED)
    async def test_a_malformed_id_is_nobody_and_asks_no_store(self, node: Node, value: str) -> None:
        """S-04."""
        cookie = f"__Host-sid={value}".encode()
        sent = await talk(node, http_scope("/do/read", [(b"cookie", cookie)]))
        assert [sent[0]["status"], sent[1]["body"]] == [200, b"{}"]
        assert node.store.calls.total() == 0

    @pytest.mark.parametrize("crumbs", [True, False])
    async def test_conflicting_ids_are_nobody(self, nodes: Nodes, crumbs: bool) -> None:
        """S-29, in either order and in one header field or two (R-52)."""
        node = nodes()
        first, second = node.browser(), node.browser()
        await first.do("set-color")
        await second.do("set-color")
        for pair in ((first.id, second.id), (second.id, first.id)):
            values = [f"__Host-sid={value}" for value in pair]
            fields = values if crumbs else ["; ".join(values)]
            sent = await talk(node, http_scope("/do/read", [(b"cookie", field.encode()) for field in fields]))
            assert [sent[0]["status"], sent[1]["body"]] == [200, b"{}"]

    async def test_the_same_id_twice_is_that_id(self, node: Node, browser: Browser) -> None:
        """S-29, R-52."""
        await browser.do("set-color")
        field = (b"cookie", f"__Host-sid={browser.id}".encode())
        sent = await talk(node, http_scope("/do/get-color", [field, field]))
        assert sent[1]["body"] == b'"color"'

    async def test_scopes_of_careless_servers_are_read(self, node: Node, browser: Browser) -> None:
        """R-54: header names in upper case, no client."""
        await browser.do("set-color")
        field = [b"Cookie", f"__Host-sid={browser.id}".encode()]
        sent = await talk(node, http_scope("/do/get-color", [field], client=None))
        assert sent[1]["body"] == b'"color"'

    async def test_logging_out_removes_the_session_and_the_cookies(self, browser: Browser, nodes: Nodes) -> None:
        """S-32, S-54."""
        given = cookies_set(await browser.get("/do/set-color"))
        thief = browser.copy()
        taken = cookies_set(await browser.get("/do/invalidate"))
        assert set(taken) == set(given)
        for name, cookie in taken.items():
            value, age, *attributes = cookie.split("; ")
            assert (value, age) == ("", "Max-Age=0")
            assert attributes == given[name].split("; ")[1:]
        assert browser.id is None
        assert await thief.do("read") == {}
        assert await thief.at(nodes()).do("read") == {}

    async def test_what_is_put_in_after_logging_out_is_a_new_session(self, browser: Browser) -> None:
        """S-54."""
        await browser.do("set-color")
        before = browser.copy()
        await browser.do("relogin-ann")
        assert browser.id not in (None, before.id)
        assert await browser.do("read") == {"user": "ann"}
        assert await before.do("read") == {}

    async def test_logging_in_changes_the_id_and_keeps_the_data(self, browser: Browser, nodes: Nodes) -> None:
        """S-06: the old id is invalid from then on."""
        await browser.do("set-color")
        before = browser.copy()
        cookies = cookies_set(await browser.get("/do/login-ann"))
        assert set(cookies) == {"__Host-sid", "__Host-sid-v"}
        assert browser.id != before.id
        assert await browser.at(nodes()).do("read") == {"color": "color", "user": "ann"}
        assert await before.do("read") == {}

    async def test_logging_in_without_a_session_makes_one(self, browser: Browser) -> None:
        assert "set-cookie" in (await browser.get("/do/login-ann")).headers
        assert await browser.do("get-user") == "ann"

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
    async def test_a_request_for_headers_creates_no_session(self, node: Node, browser: Browser, method: str) -> None:
        """R-47."""
        response = await browser.request(method, "/do/set-color")
        assert "set-cookie" not in response.headers
        assert node.store.calls["create"] == 0

    async def test_the_cookie_is_for_the_whole_host_wherever_the_app_is_mounted(self, node: Node) -> None:
        """R-49."""
        sent = await talk(node, http_scope("/shop/do/set-color", root_path="/shop"))
        assert sent[0]["status"] == 200
        cookies = [value for name, value in sent[0]["headers"] if name == b"set-cookie"]
        assert len(cookies) == 2
        assert all(b"; Path=/;" in cookie for cookie in cookies)

    async def test_in_development_the_cookie_is_chosen_by_the_request(self, node: Node, browser: Browser) -> None:
        """S-24: over https only the safe one counts, which an attacker on the network cannot plant."""
        sent = await talk(node, http_scope("/do/set-color", scheme="http"))
        fields = [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]
        assert [field.partition("=")[0] for field in fields] == ["sid-v", "sid"]
        assert not any("Secure" in field for field in fields)
        cookie = (b"cookie", "; ".join(field.partition(";")[0] for field in fields).encode())
        sent = await talk(node, http_scope("/do/get-color", [cookie], scheme="http"))
        assert sent[1]["body"] == b'"color"'
        sent = await talk(node, http_scope("/do/get-color", [cookie]))
        assert sent[1]["body"] == b"null"
        assert set(cookies_set(await browser.get("/do/set-color"))) == {"__Host-sid", "__Host-sid-v"}

    async def test_what_a_proxy_reports_of_the_scheme_chooses_no_cookie(self, node: Node) -> None:
        """S-24: a client may write that field as well, and browsers take the plain cookie over https, too."""
        for scheme, reported, names in (("http", b"https", ["sid-v", "sid"]), ("https", b"http", SAFE)):
            scope = http_scope("/do/set-color", [(b"x-forwarded-proto", reported)], scheme=scheme)
            sent = await talk(node, scope)
            cookies = [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]
            assert [cookie.partition("=")[0] for cookie in cookies] == names

    async def test_applications_of_one_host_do_not_end_each_others_sessions(self, nodes: Nodes) -> None:
        """S-12: with a context each, they have a cookie each."""
        shop, blog = nodes(context_path="/shop"), nodes(context_path="/blog")
        browser = shop.browser()
        assert set(cookies_set(await browser.get("/do/set-color"))) == {"__Host-sid.shop", "__Host-sid.shop-v"}
        await browser.at(blog).do("set-size")
        assert await browser.do("read") == {"size": "size"}
        assert await browser.at(shop).do("read") == {"color": "color"}

    async def test_plain_http_on_this_machine_has_cookies_of_another_name(self, nodes: Nodes) -> None:
        """S-24."""
        browser = nodes(cookie={"insecure": True}).browser()
        cookies = cookies_set(await browser.get("/do/set-color"))
        assert set(cookies) == {"sid", "sid-v"}
        assert "Secure" not in cookies["sid"]
        assert await browser.do("get-color") == "color"

"""A browser that is given cookies and never returns one is found, with the reason; a client without cookies is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tests.asgi_driver import Browser, http_scope
from wsgessions import SessionMiddleware
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.web import Receive, Scope, Send, unreturned_cookies
from wsgessions.web.unreturned_cookies import UnreturnedCookies

UNTIL_TOLD = 4
"""Sessions in a row, in development."""
FIELDS = {
    "host": "shop.test:8000",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept-language": "de,en;q=0.5",
}


class Clock:
    """The clock of the observation, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(unreturned_cookies, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(unreturned_cookies, "_log", LogThrottle(logging.getLogger("wsgessions.request"), interval=0))
    return clock


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines so far."""
    return lambda: [
        each.getMessage() for each in caplog.records if getattr(each, "event", "") == "cookies_not_returned"
    ]


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    scope["session"]["visits"] = scope["session"].get("visits", 0) + 1
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def app_with(**settings: Any) -> SessionMiddleware:
    return SessionMiddleware(count, store_url="memory:", **settings)


def headers(**changed: str) -> list[tuple[bytes, bytes]]:
    fields = FIELDS | {name.replace("_", "-"): value for name, value in changed.items()}
    return [(name.encode(), value.encode()) for name, value in fields.items() if value]


async def visits(
    app: SessionMiddleware,
    clock: Clock,
    number: int = UNTIL_TOLD,
    *,
    pause: float = 2.0,
    path: str = "/",
    scheme: str = "https",
    like: Mapping[str, str] = FIELDS,
) -> None:
    """A browser that keeps no cookie comes again and again."""
    for _ in range(number):
        await Browser().request(app, path, scheme=scheme, headers=headers(**like))
        clock.now += pause


async def test_a_browser_that_never_returns_the_cookie_is_told_once_for_its_host(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    app = app_with()
    await visits(app, clock, UNTIL_TOLD - 1)
    assert not told()
    await visits(app, clock, 10)
    (line,) = told()
    assert line.startswith("a browser at 'shop.test' was given 4 sessions in a row")
    await visits(app, clock, like={"host": "other.test"})
    assert len(told()) == 2


async def test_nothing_of_the_visitor_is_in_the_line(clock: Clock, told: Callable[[], list[str]]) -> None:
    await visits(app_with(), clock, path="/private")
    (line,) = told()
    assert not [word for word in ("192.0.2.1", "Mozilla", "de,en", "private") if word in line]


@pytest.mark.parametrize(
    "fields", [{"user_agent": "curl/8.9"}, {"user_agent": ""}, {"accept_language": ""}], ids=["tool", "none", "bot"]
)
async def test_clients_that_keep_no_cookies_by_nature_are_not_held_for_browsers(
    clock: Clock, told: Callable[[], list[str]], fields: dict[str, str]
) -> None:
    await visits(app_with(), clock, 30, like=fields)
    assert not told()


async def test_a_browser_that_returns_the_cookie_shows_that_the_host_is_fine(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    """Visitors behind one address look alike; those who come once and leave are no fault."""
    app = app_with()
    for _ in range(5):
        await visits(app, clock, UNTIL_TOLD - 2)
        browser = Browser()
        for _ in range(2):
            await browser.request(app, headers=headers())
    assert not told()


async def test_a_cookie_that_comes_back_at_another_host_says_nothing_of_this_one(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    app = app_with()
    for _ in range(UNTIL_TOLD):
        await visits(app, clock, 1)
        browser = Browser()
        for _ in range(2):
            await browser.request(app, headers=headers(host="fine.test"))
    assert len(told()) == 1


async def test_visitors_of_whom_each_comes_once_are_different_clients(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    app = app_with()
    for number in range(20):
        await visits(app, clock, 1, like={"x_forwarded_for": f"198.51.100.{number}"})
    assert not told()


async def test_the_first_requests_of_one_page_count_as_one(clock: Clock, told: Callable[[], list[str]]) -> None:
    """They are under way before the browser has a cookie."""
    await visits(app_with(), clock, 8, pause=0.01)
    assert not told()


async def test_a_response_whose_cookies_several_layers_decide_on_counts_once(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    observed = UnreturnedCookies(app_with().manager.settings)
    for _ in range(20):
        observed.note_given("one id", http_scope(headers=headers()), None)
        clock.now += 2
    assert not told()


async def test_visits_that_are_far_apart_are_not_in_a_row(clock: Clock, told: Callable[[], list[str]]) -> None:
    """As those of a monitor that is a browser."""
    await visits(app_with(), clock, 30, pause=300.0)
    assert not told()


async def test_production_wants_more_evidence(clock: Clock, told: Callable[[], list[str]]) -> None:
    observed = UnreturnedCookies(app_with(env="development").manager.settings.load(None, PRODUCTION))
    scope = http_scope(headers=headers())
    for number in range(1, 21):
        assert not told()
        observed.note_given(f"id {number}", scope, "192.0.2.1")
        clock.now += 2
        assert bool(told()) == (number == 20)


PRODUCTION = {"env": "production", "store_url": "valkeys://store.test"}


@pytest.mark.parametrize(
    ("settings", "fields", "words"),
    [
        ({"cookie": {"secure": True}}, {"scheme": "http"}, "leave out cookie.secure = true (set by constructor)"),
        ({"cookie": {"name": "sid", "domain": "example.org"}}, {}, 'cookie.domain = "example.org" does not hold'),
        ({"cookie": {"name": "sid", "path": "/shop"}}, {"path": "/shopping"}, 'cookie.path = "/shop" is not above'),
        ({}, {"sec_fetch_site": "cross-site"}, 'cookie.samesite = "none" and cookie.partitioned = true'),
        ({"cookie": {"samesite": "none"}}, {"sec_fetch_site": "cross-site"}, "set cookie.partitioned = true"),
        ({}, {"sec_fetch_site": "same-site"}, 'credentials: "include"'),
        ({}, {"scheme": "http"}, "a proxy removes"),
        ({"cookie": {"secure": True}}, {"scheme": "http", "x_forwarded_proto": "https"}, "a proxy removes"),
        (
            {"cookie": {"name": "sid", "domain": "example.org"}},
            {"host": "10.0.0.7", "x_forwarded_host": "www.example.org"},
            "'www.example.org'",
        ),
    ],
    ids=[
        "secure over http",
        "domain",
        "path",
        "frame",
        "blocked frame",
        "other origin",
        "unknown",
        "behind TLS",
        "host of a proxy",
    ],
)
async def test_the_reason_comes_with_the_line_for_the_settings(
    clock: Clock, told: Callable[[], list[str]], settings: dict[str, Any], fields: dict[str, str], words: str
) -> None:
    like = {name: each for name, each in fields.items() if name not in {"scheme", "path"}}
    scheme, path = fields.get("scheme", "https"), fields.get("path", "/")
    await visits(app_with(**settings), clock, scheme=scheme, path=path, like=like)
    (line,) = told()
    assert words in line


async def test_in_production_plain_http_is_the_reason_with_its_remedy(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    observed = UnreturnedCookies(app_with().manager.settings.load(None, PRODUCTION))
    for number in range(20):
        observed.note_given(f"id {number}", http_scope(headers=headers(), scheme="http"), None)
        clock.now += 2
    (line,) = told()
    assert 'set env = "development" (now production, by constructor)' in line


async def test_requests_cannot_fill_the_memory_or_the_log(
    clock: Clock, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client chooses host, address field and user agent."""
    monkeypatch.setattr(unreturned_cookies, "_log", LogThrottle(logging.getLogger("wsgessions.request")))
    app = app_with()
    for number in range(200):
        await visits(app, clock, like={"host": f"{number}.test", "x_forwarded_for": str(number)})
        await visits(app, clock, 1, like={"host": "same.test", "x_forwarded_for": str(number)})
    observed: Any = app.resolver._unreturned
    assert len(observed._hosts) <= 32
    assert max(len(host.runs) for host in observed._hosts.values()) <= 64
    assert len(told()) == 1

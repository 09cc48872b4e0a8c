"""What a session adds to the headers of a response."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.web import response_headers
from wsgessions.web.response_headers import add_session_headers

Headers = list[tuple[bytes, bytes]]

ID_COOKIE = b"__Host-sid=x; Path=/"


def headers_after(headers: Any, cookies: list[bytes] | None = None, *, no_store: bool = False) -> Headers:
    fields = [(b"set-cookie", cookie) for cookie in cookies or ()]
    return add_session_headers(headers, fields, no_store=no_store)


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for header, value in headers if header.lower() == name]


def directives(headers: Headers, name: bytes) -> list[bytes]:
    return [part.strip().lower() for value in values(headers, name) for part in value.split(b",") if part.strip()]


# -- Vary (S-40) -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [b"Cookie"]),
        ([b"Accept-Encoding"], [b"Accept-Encoding, Cookie"]),
        ([b"Accept-Encoding", b"Accept"], [b"Accept-Encoding, Cookie", b"Accept"]),
        ([b"Cookie"], [b"Cookie"]),
        ([b"cookie"], [b"cookie"]),
        ([b"Accept,COOKIE"], [b"Accept,COOKIE"]),
        ([b"Accept", b"Cookie"], [b"Accept", b"Cookie"]),
        ([b"*"], [b"*"]),
        ([b"Accept, *"], [b"Accept, *"]),
        ([b""], [b"", b"Cookie"]),
        ([b"X-Cookie"], [b"X-Cookie, Cookie"]),
    ],
)
def test_vary_names_the_cookie_once(before: list[bytes], after: list[bytes]) -> None:
    assert values(headers_after([(b"vary", value) for value in before]), b"vary") == after


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"vary", b"Vary", b"VARY", b"x-other"]),
            st.lists(st.sampled_from([b"Cookie", b"cookie", b"Accept", b"*", b"", b"X-Cookie"]), max_size=4).map(
                b", ".join
            ),
        ),
        max_size=5,
    )
)
def test_vary_keeps_what_it_said_and_adds_the_cookie_at_most_once(headers: Headers) -> None:
    before, after = directives(headers, b"vary"), directives(headers_after(headers), b"vary")
    assert {b"cookie", b"*"} & set(after)
    assert set(after) - set(before) <= {b"cookie"}
    assert len(after) - len(before) == (0 if {b"cookie", b"*"} & set(before) else 1)


# -- Cache-Control (S-41, C-13) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [b"no-store"]),
        ([b"public, max-age=60"], [b"no-store"]),
        ([b"max-age=60", b"s-maxage=60"], [b"no-store"]),
        ([b"private"], [b"no-store"]),
        ([b"no-store"], [b"no-store"]),
        ([b"private, no-store"], [b"private, no-store"]),
    ],
)
def test_a_response_with_a_credential_is_never_stored(before: list[bytes], after: list[bytes]) -> None:
    """S-41."""
    headers = headers_after([(b"cache-control", value) for value in before], [ID_COOKIE], no_store=True)
    assert values(headers, b"cache-control") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [b"private, no-cache"]),
        ([b"public, max-age=60"], [b"private, no-cache"]),
        ([b"no-cache"], [b"private, no-cache"]),
        ([b"private, no-cache, must-revalidate"], [b"private, no-cache, must-revalidate"]),
        ([b"no-store"], [b"no-store"]),
        ([b'private="set-cookie", no-cache="set-cookie"'], [b"private, no-cache"]),
    ],
)
def test_a_response_with_a_watermark_is_private_and_checked_again(before: list[bytes], after: list[bytes]) -> None:
    """C-13. A qualified ``private`` or ``no-cache`` protects the named fields only, so it does not count."""
    headers = headers_after([(b"cache-control", value) for value in before], [ID_COOKIE])
    assert values(headers, b"cache-control") == after


@pytest.mark.parametrize("name", [b"CDN-Cache-Control", b"Surrogate-Control", b"cloudflare-cdn-cache-control"])
def test_headers_that_would_overrule_cache_control_are_taken_out(name: bytes) -> None:
    """S-41. A cache that knows such a field does not look at Cache-Control (RFC 9213)."""
    headers = headers_after([(name, b"max-age=600")], [ID_COOKIE], no_store=True)
    assert values(headers, name.lower()) == []


def test_a_response_without_our_cookies_keeps_its_cache_control() -> None:
    headers = headers_after([(b"cache-control", b"public, max-age=60"), (b"cdn-cache-control", b"max-age=600")])
    assert values(headers, b"cache-control") == [b"public, max-age=60"]
    assert values(headers, b"cdn-cache-control") == [b"max-age=600"]


def test_overruling_a_handler_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from wsgessions.internal.log_throttle import LogThrottle

    monkeypatch.setattr(response_headers, "_log", LogThrottle(logging.getLogger("wsgessions.response")))
    headers_after([(b"cache-control", b"public, max-age=60")], [ID_COOKIE], no_store=True)
    assert [record.__dict__["event"] for record in caplog.records] == ["shared_caching_overridden"]


DIRECTIVES = [
    b"public",
    b"private",
    b"no-cache",
    b"no-store",
    b"max-age=60",
    b"s-maxage=9",
    b"no-transform",
    b'private="a"',
]


@given(st.lists(st.lists(st.sampled_from(DIRECTIVES), max_size=4).map(b", ".join), max_size=3), st.booleans())
def test_no_shared_cache_may_ever_keep_our_cookies(fields: list[bytes], no_store: bool) -> None:
    headers = headers_after([(b"Cache-Control", value) for value in fields], [ID_COOKIE], no_store=no_store)
    after = set(directives(headers, b"cache-control"))
    assert b"no-store" in after or (not no_store and {b"private", b"no-cache"} <= after)


# -- the headers of the application (R-54, S-229) ----------------------------------------------------------------------


def test_the_applications_headers_stay_as_they_are() -> None:
    headers = [(b"vary", b"Accept"), (b"cache-control", b"public")]
    add_session_headers(headers, [(b"set-cookie", ID_COOKIE)], no_store=True)
    assert headers == [(b"vary", b"Accept"), (b"cache-control", b"public")]


@pytest.mark.parametrize(
    "headers",
    [
        [[b"Vary", b"Accept"]],
        [["Vary", "Accept"]],
        [("Vary", b"Accept")],
        ((b"Vary", b"Accept"),),
        iter([(b"Vary", b"Accept")]),
    ],
)
def test_headers_may_be_of_any_sort(headers: Any) -> None:
    assert headers_after(headers) == [(b"Vary", b"Accept, Cookie")]


def test_a_response_without_headers_gets_them() -> None:
    assert (b"set-cookie", ID_COOKIE) in headers_after([], [ID_COOKIE], no_store=True)


def test_the_applications_own_cookies_stay() -> None:
    headers = headers_after([(b"set-cookie", b"theme=dark")], [ID_COOKIE, b"__Host-sid-v=y"], no_store=True)
    assert values(headers, b"set-cookie") == [b"theme=dark", ID_COOKIE, b"__Host-sid-v=y"]

"""The answers in place of the application's own (R-34, F-00a)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asgi_driver import http_scope, websocket_scope
from wsgessions import errors
from wsgessions.web import Message
from wsgessions.web.error_responses import close_message, error_response_for, kept_fields, send_error_response

CASES: list[tuple[errors.WsgessionsError, int, bool]] = [
    (errors.StoreUnavailable("secret"), 503, True),
    (errors.NonStopTimeout("secret"), 503, True),
    (errors.StoreRefused("secret", server_code="OOM"), 503, True),
    (errors.RecordTooNew("secret"), 503, True),
    (errors.SessionGone("secret"), 409, True),
    (errors.SessionConflict("secret", names=("a",)), 409, True),
    (errors.CookiesOversized("secret"), 431, True),
    (errors.CodecError("secret", path="a"), 500, False),
    (errors.SessionTooLarge("secret", path="a"), 500, False),
    (errors.SessionClosed("secret"), 500, False),
    (errors.SessionNotLoaded("secret"), 500, False),
]


async def sent(
    error: errors.WsgessionsError, scope: dict[str, Any], cookies: list[bytes] | None = None
) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await send_error_response(
        error_response_for(error), scope, send, [(b"set-cookie", cookie) for cookie in cookies or ()]
    )
    return messages


@pytest.mark.parametrize(("error", "status", "operational"), CASES, ids=lambda case: type(case).__name__)
async def test_each_error_has_its_answer(error: errors.WsgessionsError, status: int, *, operational: bool) -> None:
    """None tells of the inside, none may be cached, and a store that is away says when to come back."""
    start, body = await sent(error, http_scope())
    headers = dict(start["headers"])
    assert start["status"] == status
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert (headers.get(b"retry-after") == b"1") == (status == 503)
    assert b"set-cookie" not in headers
    assert b"secret" not in body["body"]
    assert body["more_body"] is False  # the default, and Quart's test client requires it
    assert error_response_for(error).operational is operational


@pytest.mark.parametrize(
    "kept",
    [
        "Vary",
        "Access-Control-Allow-Origin",
        "access-control-expose-headers",
        "X-Request-ID",
        "x-amzn-trace-id",
        "X-Correlation-Id",
        "X-Acme-Request-Id",
        "traceparent",
        "sentry-trace",
        "X-B3-TraceId",
        "Strict-Transport-Security",
        "Content-Security-Policy",
        "X-RateLimit-Remaining",
        "RateLimit-Policy",
        "Cross-Origin-Opener-Policy",
        "Server-Timing",
    ],
)
def test_what_holds_for_any_response_stays(kept: str) -> None:
    """R-34: whatever the case of the name, and its type (R-54)."""
    assert kept_fields([(kept, "x")]) == [(kept.encode(), b"x")]


@pytest.mark.parametrize(
    "dropped",
    [
        "Set-Cookie",
        "Location",
        "Content-Type",
        "Content-Length",
        "Content-Encoding",
        "Content-Disposition",
        "ETag",
        "Last-Modified",
        "Cache-Control",
        "Expires",
        "CDN-Cache-Control",
        "Surrogate-Control",
        "Link",
        "Refresh",
        "WWW-Authenticate",
        "Clear-Site-Data",
        "X-Accel-Redirect",
        "X-Sendfile",
        "HX-Redirect",
        "Retry-After",
        "Trailer",
        "Transfer-Encoding",
        "X-Secret",
    ],
)
def test_what_describes_the_response_that_is_not_sent_goes(dropped: str) -> None:
    """R-34: also what would make a browser or a front end act on it."""
    assert kept_fields([(dropped.encode(), b"x")]) == []


async def test_head_is_answered_without_body() -> None:
    _, body = await sent(errors.StoreUnavailable("x"), http_scope(method="HEAD"))
    assert body["body"] == b""


async def test_a_websocket_is_denied_or_closed() -> None:
    """R-41."""
    start, body = await sent(errors.StoreUnavailable("x"), websocket_scope())
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 503)
    assert body["type"] == "websocket.http.response.body"
    without: list[dict[str, Any] | None] = [None, {}]
    for extensions in without:
        (close,) = await sent(errors.StoreUnavailable("x"), websocket_scope(extensions=extensions))
        assert (close["type"], close["code"]) == ("websocket.close", 1013)


@pytest.mark.parametrize(("error", "status", "operational"), CASES, ids=lambda case: type(case).__name__)
def test_a_close_is_as_long_as_a_close_may_be(error: errors.WsgessionsError, status: int, *, operational: bool) -> None:
    """RFC 6455, section 5.5: 125 bytes with the code."""
    close = close_message(error_response_for(error))
    assert close["code"] == {503: 1013, 409: close["code"], 431: 1008, 500: 1011}[status]
    assert len(close["reason"].encode()) <= 123


def test_a_socket_whose_session_has_ended_is_told_so() -> None:
    """R-42: 1008, which clients do not answer by connecting again."""
    assert close_message(error_response_for(errors.SessionGone("x")))["code"] == 1008
    assert close_message(error_response_for(errors.SessionConflict("x", names=("a",))))["code"] == 1011


async def test_a_refusal_may_carry_cookies() -> None:
    start, _ = await sent(errors.StoreUnavailable("x"), http_scope(), [b"a=b", b"c=d"])
    assert [value for name, value in start["headers"] if name == b"set-cookie"] == [b"a=b", b"c=d"]

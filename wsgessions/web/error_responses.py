"""The error response for a session that could not be read or whose changes could not be stored (R-34, F-00a)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ..errors import CookiesOversized, SessionConflict, SessionGone, StoreUnavailable, WsgessionsError
from ..internal.outage import OUTAGE
from .response_headers import Header, Headers, octet_pairs
from .types import Message, Scope, Send

__all__ = [
    "INTERNAL_ERROR",
    "ErrorResponse",
    "close_message",
    "error_response_for",
    "kept_fields",
    "note_refusal",
    "send_error_response",
]

RETRY_AFTER_SECONDS: Final = 1
_KEPT_PREFIXES: Final = (b"access-control-", b"cross-origin-", b"x-ratelimit-", b"ratelimit-", b"x-b3-")
_KEPT_SUFFIXES: Final = (b"request-id", b"correlation-id", b"trace-id")
_KEPT: Final = frozenset(
    b"vary timing-allow-origin traceparent tracestate traceresponse baggage sentry-trace b3 ratelimit server-timing "
    b"strict-transport-security content-security-policy content-security-policy-report-only reporting-endpoints "
    b"report-to nel referrer-policy permissions-policy origin-agent-cluster x-content-type-options x-frame-options "
    b"x-xss-protection x-permitted-cross-domain-policies x-dns-prefetch-control".split()
)
_POLICY_VIOLATION: Final = 1008
INTERNAL_ERROR: Final = 1011
"""The close code of a WebSocket after an error of the server, as 500 is for a request."""
_TRY_AGAIN_LATER: Final = 1013


class ErrorResponse(NamedTuple):
    """A response in place of the application's own. Contains nothing about the implementation."""

    status: int
    text: str
    operational: bool
    """Whether this can happen to a correct application, so that it need not be logged by the server as a crash."""
    close_code: int
    """The same for a WebSocket that is open (RFC 6455, section 7.4; R-42)."""

    @property
    def body(self) -> bytes:
        """The response's text."""
        return f"{self.text}\n".encode()

    def headers(self, fields: Iterable[Header] = ()) -> Headers:
        """The header fields.

        Args:
            fields: the header fields that the client needs despite the error, about its id.
        """
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if self.status == _UNAVAILABLE.status:
            headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
        return [*headers, *fields]


_UNAVAILABLE: Final = ErrorResponse(
    503, "The session store did not answer in time. Please try again.", True, _TRY_AGAIN_LATER
)
_GONE: Final = ErrorResponse(
    409, "Your session has ended in the meantime. Nothing was changed.", True, _POLICY_VIOLATION
)
_CONFLICT: Final = ErrorResponse(
    409, "Another request changed the same data. Nothing was changed.", True, INTERNAL_ERROR
)
_OVERSIZED: Final = ErrorResponse(
    431,
    "The request has more cookies of this site than are read. Nothing was changed. Please remove some, and try again.",
    True,
    _POLICY_VIOLATION,
)
_FAULT: Final = ErrorResponse(500, "Internal Server Error", False, INTERNAL_ERROR)


def error_response_for(error: WsgessionsError) -> ErrorResponse:
    """The response for this error."""
    match error:
        case StoreUnavailable():
            return _UNAVAILABLE
        case SessionGone():
            return _GONE
        case SessionConflict():
            return _CONFLICT
        case CookiesOversized():
            return _OVERSIZED
        case _:
            return _FAULT


def kept_fields(theirs: Iterable[Any]) -> Headers:
    """The fields of a response that also hold for the error response in its place.

    They depend on the request alone, or hold for all of the site: the origins that may read the response (CORS), the
    fields of the request that it depends on, the ids of the request in logs and traces, the limits of its rate, and
    what browsers are to enforce. All others describe a response that is not sent, as its cookies and its location do.

    Args:
        theirs: the fields of the response that is replaced.
    """
    return [(name, value) for name, value in octet_pairs(theirs) if _is_kept(name.lower())]


def _is_kept(name: bytes) -> bool:
    return name in _KEPT or name.startswith(_KEPT_PREFIXES) or name.endswith(_KEPT_SUFFIXES)


def note_refusal(answer: ErrorResponse) -> None:
    """Count the response, if it is one of those that the end of an outage tells of."""
    if answer is _UNAVAILABLE:
        OUTAGE.note_refused()


async def send_error_response(answer: ErrorResponse, scope: Scope, send: Send, fields: Iterable[Header] = ()) -> None:
    """Send the whole response; on a WebSocket not accepted yet its denial, or a close if that is not supported.

    Args:
        answer: the response.
        scope: the scope of the request.
        send: the server's channel.
        fields: as for `ErrorResponse.headers`.
    """
    note_refusal(answer)
    prefix = _prefix_for(scope)
    if prefix is None:
        await send(close_message(answer))
        return
    await send({"type": f"{prefix}.start", "status": answer.status, "headers": answer.headers(fields)})
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{prefix}.body", "body": body, "more_body": False})  # Quart's test client needs the key


def _prefix_for(scope: Scope) -> str | None:
    """The prefix of the messages of a response with headers; None for a WebSocket that can only be closed."""
    if scope["type"] == "http":
        return "http.response"
    return "websocket.http.response" if "websocket.http.response" in (scope.get("extensions") or {}) else None


def close_message(answer: ErrorResponse) -> Message:
    """The close of a WebSocket for the same error."""
    return {"type": "websocket.close", "code": answer.close_code, "reason": answer.text}

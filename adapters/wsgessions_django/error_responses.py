"""Answers in place of the application's, as Django has them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final, cast

from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpResponse

from wsgessions.errors import WsgessionsError
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.web import Message
from wsgessions.web.error_responses import error_response_for, refusal_messages

__all__ = ["interruption", "refusal_of", "response_of"]

_log: Final = LogThrottle(logging.getLogger("wsgessions.request"))


def interruption() -> SessionInterrupted:
    """What Django answers by a 400 to who has lost the session meanwhile."""
    return SessionInterrupted(
        "The request's session was deleted before the request completed. The user may have logged out in a concurrent "
        "request, for example."
    )


def refusal_of(error: WsgessionsError) -> HttpResponse | None:
    """The answer that the rest of the project gives to this error (F-00a); None for faults of the application."""
    refusal = error_response_for(error)
    if not refusal.operational:
        return None
    _log.warning("response_replaced", "answered %d in place of the application: %s", refusal.status, error)
    return response_of(refusal_messages(refusal))


def response_of(messages: Iterable[Message]) -> HttpResponse:
    """A response out of the messages of ASGI."""
    start, *parts = messages
    response = HttpResponse(b"".join(part.get("body", b"") for part in parts), status=start["status"])
    for name, value in start["headers"]:
        response[name.decode().title()] = value.decode()
    cast("Any", response)._has_been_logged = True  # Django would call it an error, and mail it to the administrators
    return response

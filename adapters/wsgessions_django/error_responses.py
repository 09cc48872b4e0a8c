"""Error responses in place of the application's response, in Django's form."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final, cast

from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from wsgessions.errors import WsgessionsError
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.web.error_responses import error_response_for, kept_fields, note_refusal
from wsgessions.web.response_headers import Header

from .response import headers_of, set_headers

__all__ = ["answer_to", "interruption"]

_log: Final = LogThrottle(logging.getLogger("wsgessions.request"))


def interruption() -> SessionInterrupted:
    """The exception that Django answers with a 400: the session has ended during the request."""
    return SessionInterrupted(
        "The request's session was deleted before the request completed. The user may have logged out in a concurrent "
        "request, for example."
    )


def answer_to(
    error: WsgessionsError, replaced: HttpResponseBase | None = None, fields: Iterable[Header] = ()
) -> HttpResponse | None:
    """The error response for this error, as in other frameworks (F-00a); None for faults of the application.

    Args:
        error: the error.
        replaced: the response in whose place it is sent, which has passed the project's middleware inside of ours;
            what it says for any response stays (R-34).
        fields: the header fields that tell the client its id despite the error.
    """
    answer = error_response_for(error)
    if not answer.operational:
        return None
    note_refusal(answer)
    _log.warning("response_replaced", "answered %d in place of the application: %s", answer.status, error)
    response = HttpResponse(answer.body, status=answer.status)
    kept = [] if replaced is None else kept_fields(headers_of(replaced))
    set_headers(response, answer.headers([*kept, *fields]))
    cast("Any", response)._has_been_logged = True  # Django would log it as an error, and mail it
    return response

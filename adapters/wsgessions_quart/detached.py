"""Sessions without a connection: in ``session_transaction()`` of the test client, and in ``test_request_context``.

No connection commits such a session; it is committed with the response that Quart has ready.
"""

from __future__ import annotations

from typing import cast

from quart.wrappers import Response
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from wsgessions import Session, SessionManager
from wsgessions.errors import WsgessionsError
from wsgessions.session import unit_of
from wsgessions.web import Scope
from wsgessions.web.error_responses import error_response_for, note_refusal
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.path_prefixes import PathPrefixes
from wsgessions.web.session_request import SessionRequest

__all__ = ["save_apart"]


async def save_apart(
    manager: SessionManager, scope: Scope, session: Session, response: Response | WerkzeugResponse | None
) -> None:
    """Commit a session, and put its headers into the response, or into an error response in its place (F-00a).

    Args:
        manager: the manager of the session.
        scope: the scope of the request or WebSocket, real or made for a test.
        session: the session; it must not be used afterwards.
        response: the response; None at the end of a WebSocket.
    """
    if response is None:
        await manager.requests.repository.commit(session, create=False)
    else:
        await _commit_with(manager, scope, session, cast("Response", response))
    if not manager.requests.record_access(unit_of(session)):
        await manager.requests.touch(unit_of(session))
    unit_of(session).finish()


async def _commit_with(manager: SessionManager, scope: Scope, session: Session, response: Response) -> None:
    path = (scope["path"], scope.get("root_path", ""))
    resolver, presented = SessionIdResolver(manager.settings).choose(scope.get("headers", ()), scope.get("scheme"))
    request = SessionRequest.begin(
        manager.requests,
        resolver,
        presented,
        method=scope.get("method"),
        scope=scope,
        session=session,
    )
    request.unit.is_uncacheable |= PathPrefixes(manager.settings.no_store).hold(*path)
    status = response.status_code
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    try:
        if request.needs_store(status):
            await request.before_response(status)
        if request.unit.is_accessed:
            headers = request.add_headers(headers)
    except WsgessionsError as error:
        answer = error_response_for(error)
        if not answer.operational:
            raise
        note_refusal(answer)
        response.set_data(answer.body)
        response.status_code, headers = answer.status, answer.headers(request.fields_for_error())
    request.response_started()
    response.headers = Headers([(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in headers])

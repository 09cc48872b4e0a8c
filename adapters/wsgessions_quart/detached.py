"""Sessions apart from a connection: in ``session_transaction()`` of the test client, and in ``test_request_context``.

There is no exchange of a connection to commit such a session; so one is made for the response that Quart has ready.
"""

from __future__ import annotations

from typing import cast

from quart.wrappers import Response
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as WerkzeugResponse

from wsgessions import Session, SessionManager
from wsgessions.errors import WsgessionsError
from wsgessions.web import Message, Scope
from wsgessions.web.error_responses import error_response_for
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.unstored import exchange_of

__all__ = ["save_apart"]


async def save_apart(
    manager: SessionManager, scope: Scope, session: Session, response: Response | WerkzeugResponse | None
) -> None:
    """Commit a session, and put its headers into the response. A refusal takes the response's place (F-00a).

    Args:
        manager: the manager of the session.
        scope: the scope of the request or WebSocket, real or made for a test.
        session: the session; nobody may use it afterwards.
        response: the response; None at the end of a WebSocket.
    """
    if response is None:
        await manager.commit(session, create=False)
    else:
        await _commit_with(manager, scope, session, cast("Response", response))
    if not manager.note_use(session):
        await manager.touch(session)
    manager.retire(session)


async def _commit_with(manager: SessionManager, scope: Scope, session: Session, response: Response) -> None:
    transport = SessionIdResolver(manager.settings)
    sent: list[Message] = []

    async def collect(message: Message) -> None:
        sent.append(message)

    exchange = exchange_of(manager.settings)(
        manager, transport, transport.read(scope.get("headers", ())), scope, collect
    )
    session._uncacheable |= exchange.session._uncacheable
    exchange.session = session
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    try:
        await exchange.send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    except Exception as end:  # noqa: BLE001 - it is raised again, or the answer
        trouble = end.__cause__
        if not (sent and isinstance(trouble, WsgessionsError) and error_response_for(trouble).operational):
            raise (trouble or end) from None
        response.set_data(b"".join(message.get("body", b"") for message in sent[1:]))
    response.status_code = sent[0]["status"]
    response.headers = Headers(
        [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    )
